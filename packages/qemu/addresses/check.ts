// What holds of any device's address: which machines have such buses, and which devices such options.

import { VirtError } from "@virtkit/base/errors";
import type { PciAddress } from "@virtkit/model/domain/address";
import type { DeviceInfo } from "@virtkit/model/domain/device-common";
import type { DiskDef } from "@virtkit/model/domain/disk";
import type { DefineContext } from "../devices/entry.ts";
import type { AnyEntry } from "../devices/registry.ts";
import { isMachine, machineOf } from "../machine.ts";
import { checkDriveAddress } from "./drive.ts";

const MAX_UID = 0xffff;
const MAX_REGISTER = 0xffffffff;

interface Rom {
	readonly rom?: object | undefined;
}

/** Throws where a device of `entry`'s kind cannot have the address, ACPI index or ROM options it has. */
export function checkAddress(device: DeviceInfo & Rom, entry: AnyEntry, context: DefineContext): void {
	const { address, acpi, rom } = device;
	if (address?.type === "unassigned" && entry.kind !== "hostdev")
		refuse("address of type 'unassigned' is supported only for hostdevs");
	if (address?.type === "pci") checkZpci(address.zpci, context);
	if (address?.type === "spapr-vio" && (address.reg ?? 0) > MAX_REGISTER)
		refuse(`spapr-vio reg='0x${address.reg?.toString(16)}' exceeds maximum possible value (0xffffffff)`);
	if (address?.type === "drive") {
		const bus = entry.kind === "disk" ? (device as DiskDef).target.bus : "scsi";
		checkDriveAddress(address, bus ?? "scsi", context.def);
	}
	if (address?.type === "ccw" && !isMachine(context.def, "s390ccw"))
		refuse(`cannot use CCW address type for device using machine type '${machineOf(context.def)}'`);
	if (acpi?.index !== undefined && address && address.type !== "pci")
		refuse("ACPI index is only supported for PCI devices");
	if (rom && Object.keys(rom).length > 0 && address && address.type !== "pci" && address.type !== "unassigned")
		refuse("ROM tuning is only supported for PCI devices");
}

function checkZpci(zpci: PciAddress["zpci"], { caps }: DefineContext): void {
	if (zpci?.uid === undefined && zpci?.fid === undefined) return;
	if (!caps.has("zpci")) refuse("This QEMU binary doesn't support zPCI");
	const { uid } = zpci;
	if (uid !== undefined && (uid === 0 || uid > MAX_UID))
		throw new VirtError(
			"XML_ERROR",
			`Invalid PCI address uid='0x${uid.toString(16).padStart(4, "0")}', must be > 0x0000 and <= 0xffff`,
		);
}

function refuse(message: string): never {
	throw new VirtError("CONFIG_UNSUPPORTED", message);
}
