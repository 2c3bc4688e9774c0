// Changes of a running guest's disk: another medium, or none, in a removable drive; and what concerns the driver alone.

import { VirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { changeMedium } from "./disk-media.ts";
import type { UpdateContext } from "./entry.ts";

/** What of a disk stays as it is: libvirt's name of the field, its value, and whether leaving it out means no change. */
const FIXED: readonly (readonly [field: string, value: (disk: DiskDef) => unknown, optional?: true])[] = [
	["device", ({ device }) => device],
	["bus", ({ target }) => target.bus],
	["tray", ({ target }) => target.tray, true],
	["removable", ({ target }) => target.removable, true],
	["geometry cylinders", ({ geometry }) => geometry?.cyls || undefined, true],
	["geometry heads", ({ geometry }) => geometry?.heads || undefined, true],
	["geometry sectors", ({ geometry }) => geometry?.secs || undefined, true],
	["blockio logical_block_size", ({ blockio }) => blockio?.logical_block_size],
	["blockio physical_block_size", ({ blockio }) => blockio?.physical_block_size],
	["blkdeviotune total_bytes_sec", ({ iotune }) => iotune?.total_bytes_sec, true],
	["blkdeviotune read_bytes_sec", ({ iotune }) => iotune?.read_bytes_sec, true],
	["blkdeviotune write_bytes_sec", ({ iotune }) => iotune?.write_bytes_sec, true],
	["blkdeviotune total_iops_sec", ({ iotune }) => iotune?.total_iops_sec, true],
	["blkdeviotune read_iops_sec", ({ iotune }) => iotune?.read_iops_sec, true],
	["blkdeviotune write_iops_sec", ({ iotune }) => iotune?.write_iops_sec, true],
	["blkdeviotune group name", ({ iotune }) => iotune?.group_name, true],
	["serial", ({ serial }) => serial, true],
	["wwn", ({ wwn }) => wwn, true],
	["vendor", ({ vendor }) => vendor, true],
	["product", ({ product }) => product, true],
	["cache", ({ driver }) => driver.cache, true],
	["error_policy", ({ driver }) => driver.error_policy, true],
	["rerror_policy", ({ driver }) => driver.rerror_policy, true],
	["io", ({ driver }) => driver.io, true],
	["ioeventfd", ({ driver }) => driver.ioeventfd, true],
	["event_idx", ({ driver }) => driver.event_idx, true],
	["copy_on_read", ({ driver }) => driver.copy_on_read, true],
	["transient", ({ transient }) => transient && true, true],
	["address", ({ address }) => address && JSON.stringify(Object.entries(address).sort()), true],
	["boot order", ({ boot }) => boot?.order, true],
	["rawio", ({ rawio }) => rawio, true],
	["sgio", ({ sgio }) => sgio, true],
	["discard", ({ driver }) => driver.discard, true],
	["iothread", ({ driver }) => driver.iothread, true],
	["readonly", ({ readonly }) => readonly || undefined, true],
	["shared", ({ shareable }) => shareable || undefined, true],
	["reservations", ({ source }) => source?.reservations && JSON.stringify(source.reservations)],
];

function refuseOtherDevice(disk: DiskDef, wanted: DiskDef): void {
	for (const [field, read, optional] of FIXED) {
		const value = read(wanted);
		if ((optional && value === undefined) || value === read(disk)) continue;
		throw new VirtError("OPERATION_UNSUPPORTED", `cannot modify field '${field}' of the disk`);
	}
}

/** Where an image is; equal for the same one. */
function location({ type, source }: DiskDef): string {
	const { file, dev, dir, protocol, name, host, pool, volume, path, namespace, address } = source ?? {};
	return JSON.stringify([type, file, dev, dir, protocol, name, host ?? [], pool, volume, path, namespace, address]);
}

/** Changes `disk` into `wanted`; returns what it is then. Throws OPERATION_UNSUPPORTED for what must stay. */
export async function updateDisk(disk: DiskDef, wanted: DiskDef, context: UpdateContext): Promise<DiskDef> {
	refuseOtherDevice(disk, wanted);
	const snapshot = wanted.snapshot === undefined ? {} : { snapshot: wanted.snapshot };
	if (location(disk) === location(wanted)) return { ...disk, ...snapshot, ...withPolicy(disk, wanted) };
	if (disk.device !== "cdrom" && disk.device !== "floppy")
		throw new VirtError("CONFIG_UNSUPPORTED", "disk source can be changed only in removable drives");
	const { type, source, backingStore, auth, encryption } = wanted;
	const { source: _, backingStore: __, auth: ___, encryption: ____, ...rest } = disk;
	const changed: DiskDef = {
		...rest,
		...snapshot,
		type,
		driver: { ...disk.driver, type: wanted.driver.type },
		target: { ...disk.target },
		...(source && { source }),
		...(backingStore && { backingStore }),
		...(auth && { auth }),
		...(encryption && { encryption }),
	};
	await changeMedium(disk, changed, context);
	return changed;
}

function withPolicy(disk: DiskDef, wanted: DiskDef): Partial<DiskDef> {
	if (disk.source === undefined) return {};
	const { startupPolicy: _, ...source } = disk.source;
	const policy = wanted.source?.startupPolicy;
	return { source: { ...source, ...(policy === undefined ? {} : { startupPolicy: policy }) } };
}
