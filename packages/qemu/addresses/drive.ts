// Drive addresses: what of controller, bus and target the buses of disks have.

import { type ErrorCode, VirtError } from "@virtkit/base/errors";
import type { DriveAddress } from "@virtkit/model/domain/address";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { findController } from "./controllers.ts";

type Part = "controller" | "bus" | "target";

/** Parts of an address that must be 0, since there is one of each: [part, message, code]. */
const ONLY_ONE: Readonly<Record<string, readonly (readonly [part: Part, message: string, code: ErrorCode])[]>> = {
	scsi: [["bus", "SCSI controller only supports 1 bus", "INTERNAL_ERROR"]],
	ide: [
		["controller", "Only 1 IDE controller is supported", "INTERNAL_ERROR"],
		["target", "target must be 0 for ide controller", "CONFIG_UNSUPPORTED"],
	],
	fdc: [
		["controller", "Only 1 fdc controller is supported", "INTERNAL_ERROR"],
		["bus", "Only 1 fdc bus is supported", "INTERNAL_ERROR"],
		["target", "target must be 0 for controller fdc", "CONFIG_UNSUPPORTED"],
	],
	sata: [
		["bus", "bus must be 0 for sata controller", "CONFIG_UNSUPPORTED"],
		["target", "target must be 0 for sata controller", "CONFIG_UNSUPPORTED"],
	],
};

/** Throws where a device on that kind of bus cannot have the address. What is no disk counts as SCSI. */
export function checkDriveAddress(address: DriveAddress, bus: string, def: DomainDef): void {
	const broken = ONLY_ONE[bus]?.find(([part]) => (address[part] ?? 0) !== 0);
	if (broken) throw new VirtError(broken[2], broken[1]);
	const isLsilogic = bus === "scsi" && findController(def, "scsi", address.controller)?.model === "lsilogic";
	if (isLsilogic && address.target !== 0)
		throw new VirtError("CONFIG_UNSUPPORTED", "target must be 0 for controller model 'lsilogic'");
}
