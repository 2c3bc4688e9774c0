// What devices with a character device behind them have in common when they come and go.

import { VirtError } from "@virtkit/base/errors";
import type { ChardevHolder } from "@virtkit/model/domain/chardev";
import type { DefineContext, PlugContext } from "./entry.ts";
import { isDescribedBy } from "./plug-find.ts";

interface Terminal extends Pick<ChardevHolder, "type" | "source"> {
	readonly alias?: string | undefined;
}

/** Notes the path of the pseudo-terminal that QEMU made for the device. */
export async function settleTerminal(device: Terminal, { run }: Pick<PlugContext, "run">): Promise<void> {
	if (device.type !== "pty") return;
	const made = (await run.monitor.execute("query-chardev")).find(({ label }) => label === `char${device.alias}`);
	if (made?.filename.startsWith("pty:"))
		device.source = { mode: "connect", seclabels: [], ...device.source, path: made.filename.slice(4) };
}

interface Described extends Terminal {
	readonly target: {
		readonly type?: string | undefined;
		readonly port?: number | undefined;
		readonly name?: string | undefined;
	};
}

/** Whether both are the same: behind the same place of the guest, the same of the host (virDomainChrEquals). */
function isSame(wanted: Described, other: Described): boolean {
	const { type, source, target } = wanted;
	const isSamePlace =
		target.name === undefined
			? target.port !== undefined && target.port === other.target.port
			: target.name === other.target.name;
	return (
		isSamePlace &&
		type === other.type &&
		(target.type === undefined || target.type === other.target.type) &&
		isDescribedBy(source, other.source)
	);
}

/** Throws OPERATION_INVALID where the definition has the device already. */
export function refuseTwin(device: Described, held: readonly Described[]): void {
	if (held.some((other) => isSame(device, other))) throw new VirtError("OPERATION_INVALID", "chardev already exists");
}

/** Finds the device of `list` that the wanted one describes; what is missing is told of in libvirt's words. */
export const findChardev =
	<D extends object>(kind: string, list: (context: DefineContext) => readonly D[]) =>
	(wanted: D, context: DefineContext, live: boolean): D => {
		const found = list(context).find((each) => isDescribedBy(wanted, each));
		if (found) return found;
		throw live
			? new VirtError("DEVICE_MISSING", `chr type '${kind}' device not present in domain configuration`)
			: new VirtError("INVALID_ARG", "device not present in domain configuration");
	};
