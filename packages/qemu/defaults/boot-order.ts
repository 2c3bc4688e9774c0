// The boot order: kinds of devices or single devices, and the hard disk where neither is told.

import { VirtError } from "@virtkit/base/errors";
import type { DefineContext } from "../devices/entry.ts";
import { COMPLETED } from "../devices/registry.ts";

/** Places in the boot order that devices name for themselves. */
export function deviceBootOrders({ def }: DefineContext): number[] {
	return COMPLETED.flatMap((entry) => entry.list(def)).flatMap((device) => {
		const { boot } = device as { readonly boot?: { readonly order?: number } };
		return boot?.order ?? [];
	});
}

/** Throws where places are taken twice or both ways of ordering are used; boots from disk where none is. */
export function completeBootOrder(context: DefineContext): void {
	const { def } = context;
	if (def.os.type.type !== "hvm") return;
	const orders = deviceBootOrders(context);
	const twice = orders.find((order, index) => orders.indexOf(order) !== index);
	if (twice !== undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", `boot order '${twice}' used for more than one device`);
	if (def.os.boot.length > 0 && orders.length > 0)
		throw new VirtError("CONFIG_UNSUPPORTED", "per-device boot elements cannot be used together with os/boot elements");
	if (def.os.boot.length === 0 && orders.length === 0) def.os.boot.push({ dev: "hd" });
	def.os.boot.splice(4);
}
