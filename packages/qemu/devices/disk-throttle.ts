// Limits of a disk's throughput: QEMU takes them over its monitor, once the guest's devices stand.

import type { DiskDef, IotuneDef } from "@virtkit/model/domain/disk";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { JsonObject } from "../command-line/command-line.ts";
import { filterNode, isEmptyDisk, nodeBelowFilter } from "./disk-image.ts";
import type { BuildContext } from "./entry.ts";

/** QEMU's names of the limits; those without a `_max` must always be given. */
const LIMITS = {
	bps: "total_bytes_sec",
	bps_rd: "read_bytes_sec",
	bps_wr: "write_bytes_sec",
	iops: "total_iops_sec",
	iops_rd: "read_iops_sec",
	iops_wr: "write_iops_sec",
} as const satisfies Record<string, keyof IotuneDef>;

const BURSTS = {
	bps_max: "total_bytes_sec_max",
	bps_rd_max: "read_bytes_sec_max",
	bps_wr_max: "write_bytes_sec_max",
	iops_max: "total_iops_sec_max",
	iops_rd_max: "read_iops_sec_max",
	iops_wr_max: "write_iops_sec_max",
	iops_size: "size_iops_sec",
	bps_max_length: "total_bytes_sec_max_length",
	bps_rd_max_length: "read_bytes_sec_max_length",
	bps_wr_max_length: "write_bytes_sec_max_length",
	iops_max_length: "total_iops_sec_max_length",
	iops_rd_max_length: "read_iops_sec_max_length",
	iops_wr_max_length: "write_iops_sec_max_length",
} as const satisfies Record<string, keyof IotuneDef>;

/** QEMU's names of the same limits in a group that several disks are under. */
const GROUP_LIMITS = {
	"bps-total": "total_bytes_sec",
	"bps-read": "read_bytes_sec",
	"bps-write": "write_bytes_sec",
	"iops-total": "total_iops_sec",
	"iops-read": "read_iops_sec",
	"iops-write": "write_iops_sec",
	"bps-total-max": "total_bytes_sec_max",
	"bps-read-max": "read_bytes_sec_max",
	"bps-write-max": "write_bytes_sec_max",
	"iops-total-max": "total_iops_sec_max",
	"iops-read-max": "read_iops_sec_max",
	"iops-write-max": "write_iops_sec_max",
	"iops-size": "size_iops_sec",
} as const satisfies Record<string, keyof IotuneDef>;

/** Those that QEMU refuses to be told 0. */
const GROUP_LENGTHS = {
	"bps-total-max-length": "total_bytes_sec_max_length",
	"bps-read-max-length": "read_bytes_sec_max_length",
	"bps-write-max-length": "write_bytes_sec_max_length",
	"iops-total-max-length": "total_iops_sec_max_length",
	"iops-read-max-length": "read_iops_sec_max_length",
	"iops-write-max-length": "write_iops_sec_max_length",
} as const satisfies Record<string, keyof IotuneDef>;

/** Id of the object of a group that disks are under. */
const throttleObject = (group: string): string => `throttle-${group}`;

/** The object of a group. */
function throttleGroupObject(group: IotuneDef): JsonObject {
	const limits: Record<string, number | undefined> = {};
	for (const [name, field] of Object.entries(GROUP_LIMITS)) limits[name] = group[field] ?? 0;
	for (const [name, field] of Object.entries(GROUP_LENGTHS)) limits[name] = group[field] || undefined;
	return { "qom-type": "throttle-group", id: throttleObject(group.group_name ?? ""), limits };
}

/** The groups that disks name in their filters. */
export function buildThrottleGroups({ command, def }: BuildContext): void {
	for (const group of def.throttlegroups)
		command.from({ element: group, what: `limits '${group.group_name}'` }, () =>
			command.addJson("-object", throttleGroupObject(group)),
		);
}

/** The nodes above the disk's others through which it is held to its groups' limits, each above the one before. */
export function throttleFilterNodes(disk: DiskDef): JsonObject[] {
	return disk.throttlefilters.map((filter, index) => ({
		driver: "throttle",
		"node-name": filterNode(filter),
		"throttle-group": throttleObject(filter.group),
		file: nodeBelowFilter(disk, index),
	}));
}

/** Where in QEMU's object tree the disk's block backend is. */
export function diskQomPath({ alias, target }: DiskDef): string | undefined {
	if (target.bus === "virtio") return `/machine/peripheral/${alias}/virtio-backend`;
	return target.bus === "usb" ? `/machine/peripheral/${alias}/${alias}.0/legacy[0]` : alias;
}

/** Whether any limit is set. */
export function hasLimits(iotune: IotuneDef | undefined): boolean {
	return (
		iotune !== undefined && Object.entries(iotune).some(([name, value]) => name !== "group_name" && Number(value) > 0)
	);
}

/** Arguments of block_set_io_throttle; undefined where the disk has no limits or no medium. */
export function throttleArguments(disk: DiskDef): JsonObject | undefined {
	const { iotune } = disk;
	if (!iotune || isEmptyDisk(disk) || (!hasLimits(iotune) && iotune.group_name === undefined)) return undefined;
	return throttleRequest(disk);
}

/** The same for a disk with a medium, also where its limits are to be taken away. */
export function throttleRequest(disk: DiskDef): JsonObject {
	const { iotune = {} } = disk;
	const given: Record<string, number | undefined> = {};
	for (const [name, field] of Object.entries(LIMITS)) given[name] = iotune[field] ?? 0;
	// QEMU takes what is left out for none, and refuses a length of 0.
	for (const [name, field] of Object.entries(BURSTS)) given[name] = iotune[field] || undefined;
	return { id: diskQomPath(disk), ...given, group: iotune.group_name };
}

/** The monitor commands that set the limits of all disks. */
export function throttleCommands(def: DomainDef): { readonly execute: string; readonly arguments: JsonObject }[] {
	return def.devices.disks.flatMap((disk) => {
		const args = throttleArguments(disk);
		return args ? [{ execute: "block_set_io_throttle", arguments: args }] : [];
	});
}
