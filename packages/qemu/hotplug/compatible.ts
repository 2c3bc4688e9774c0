// What a device must be like so that a definition can have it, whatever its kind: its id, its place in the boot order, its bus.

import { VirtError } from "@virtkit/base/errors";
import type { DeviceInfo } from "@virtkit/model/domain/device-common";
import type { DefineContext } from "../devices/entry.ts";
import { COMPLETED } from "../devices/registry.ts";
import type { Pluggable } from "./kinds.ts";

interface WithBoot extends DeviceInfo {
	readonly boot?: { readonly order?: number };
}

/**
 * Throws where the definition cannot have the device besides its others, or in place of `old` (virDomainDefCompatibleDevice).
 *
 * `live`: it is the running guest's definition, whose devices keep their ids.
 */
export function checkCompatible(
	{ entry, device }: Pluggable,
	context: DefineContext,
	live: boolean,
	old?: DeviceInfo,
): void {
	const info = device as WithBoot;
	if (live && old) refuseOtherIdentity(old, info);
	if (entry.usb?.(device, context) && !hasUsb(context))
		throw new VirtError("CONFIG_UNSUPPORTED", "Device configuration is not compatible: Domain has no USB bus support", {
			domain: "DOMAIN",
		});
	if (info.boot?.order) refuseBootOrder(info.boot.order, context, old);
}

const hasUsb = ({ def }: DefineContext): boolean =>
	def.devices.controllers.some(({ type, model }) => type === "usb" && model !== "none");

/** What a device is known by stays. */
function refuseOtherIdentity(old: DeviceInfo, wanted: DeviceInfo): void {
	if (wanted.alias !== undefined && old.alias !== undefined && wanted.alias !== old.alias)
		throw new VirtError("OPERATION_DENIED", "changing device alias is not allowed", { domain: "DOMAIN" });
	if (wanted.acpi?.index !== old.acpi?.index)
		throw new VirtError("OPERATION_DENIED", "changing device 'acpi index' is not allowed", { domain: "DOMAIN" });
}

function refuseBootOrder(order: number, { def }: DefineContext, old: object | undefined): void {
	if (def.os.boot.length > 0)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			"per-device boot elements cannot be used together with os/boot elements",
			{ domain: "DOMAIN" },
		);
	const isTaken = COMPLETED.flatMap((entry) => entry.list(def)).some(
		(other) => other !== old && (other as WithBoot).boot?.order === order,
	);
	if (isTaken)
		throw new VirtError("CONFIG_UNSUPPORTED", `boot order ${order} is already used by another device`, {
			domain: "DOMAIN",
		});
}
