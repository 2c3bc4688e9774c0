// How rules of disks are written: what breaks them, and what is then said.

import { type ErrorCode, VirtError } from "@virtkit/base/errors";
import type { DiskBus, DiskDef } from "@virtkit/model/domain/disk";
import type { DefineContext } from "./entry.ts";

export interface DiskRule {
	/** CONFIG_UNSUPPORTED unless told. */
	readonly code?: ErrorCode;
	broken(disk: DiskDef, context: DefineContext): boolean;
	message(disk: DiskDef): string;
}

export const diskBus = ({ target }: DiskDef): DiskBus => target.bus as DiskBus;
export const diskName = ({ target }: DiskDef): string => target.dev ?? "";
export const isLun = ({ device }: DiskDef): boolean => device === "lun";
export const isRemovable = ({ device }: DiskDef): boolean => device === "cdrom" || device === "floppy";
export const isOnBus =
	(...buses: readonly DiskBus[]) =>
	(disk: DiskDef): boolean =>
		buses.includes(diskBus(disk));

/** Buses whose disks have drive addresses. */
export const isOnDriveBus = isOnBus("ide", "fdc", "scsi", "sata", "nvme");

/** Throws VirtError with the first broken rule's message. */
export function checkDiskRules(rules: readonly DiskRule[], disk: DiskDef, context: DefineContext): void {
	for (const { code = "CONFIG_UNSUPPORTED", broken, message } of rules)
		if (broken(disk, context)) throw new VirtError(code, message(disk));
}
