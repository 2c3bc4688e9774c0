// The guest's side of a disk: the -device that a block node is plugged into.

import { VirtError } from "@virtkit/base/errors";
import type { DiskBus, DiskDef } from "@virtkit/model/domain/disk";
import type { QueueThreadsDef } from "@virtkit/model/domain/queue-threads";
import type { JsonObject } from "../command-line/command-line.ts";
import { bootIndexOf } from "../defaults/boot-index.ts";
import { CACHE_MODES } from "./block-format.ts";
import { addressProps } from "./device-address.ts";
import { effectiveCache, isEmptyDisk, topNode } from "./disk-image.ts";
import type { BuildContext, DefineContext } from "./entry.ts";
import { virtioDriver, virtioProps } from "./virtio.ts";

/** What the properties of a device depend on. */
export type DeviceContext = DefineContext & Pick<BuildContext, "bootIndexes">;

type Driver = (disk: DiskDef, context: DefineContext) => JsonObject;

const ide: Driver = ({ device }) => ({ driver: device === "cdrom" ? "ide-cd" : "ide-hd" });

const DRIVERS: Partial<Record<DiskBus, Driver>> = {
	ide,
	sata: ide,
	scsi: ({ device }) => ({ driver: device === "lun" ? "scsi-block" : device === "cdrom" ? "scsi-cd" : "scsi-hd" }),
	virtio: virtioBlkProps,
	usb: () => ({ driver: "usb-storage" }),
	nvme: () => ({ driver: "nvme-ns" }),
	fdc: () => ({ driver: "floppy" }),
};

/** Which I/O threads serve which queues. */
export function queueThreads(mapping: QueueThreadsDef | undefined): JsonObject[] | undefined {
	return mapping?.iothread.map(({ id, queue }) => ({
		iothread: `iothread${id}`,
		vqs: queue.length === 0 ? undefined : queue.map((one) => one.id),
	}));
}

function virtioBlkProps(disk: DiskDef, context: DefineContext): JsonObject {
	const { driver, type, device } = disk;
	const base = type === "vhostuser" ? "vhost-user-blk" : "virtio-blk";
	// SCSI commands through virtio-blk are an old feature that machines have since lost.
	const canScsi = type !== "vhostuser" && context.caps.has("virtio-blk-pci", "scsi");
	return {
		driver: virtioDriver(base, disk, context, disk.model),
		...virtioProps(driver),
		"iothread-vq-mapping": queueThreads(driver.iothreads),
		iothread: driver.iothread === undefined ? undefined : `iothread${driver.iothread}`,
		ioeventfd: driver.ioeventfd,
		event_idx: driver.event_idx,
		scsi: canScsi && device === "lun" ? true : undefined,
		"num-queues": driver.queues,
		"queue-size": driver.queue_size,
		"stats-intervals": driver.statistics?.statistic.length
			? driver.statistics.statistic.map(({ interval }) => interval)
			: undefined,
	};
}

/** The properties of the disk's device, for -device and device_add. */
export function diskDeviceProps(disk: DiskDef, context: DeviceContext): JsonObject {
	const { alias: id, device, blockio, geometry, target } = disk;
	const render = DRIVERS[target.bus as DiskBus];
	if (!render) throw new VirtError("INTERNAL_ERROR", `unsupported disk bus '${target.bus}' with device setup`);
	return {
		...render(disk, context),
		...addressProps(disk, context.def, target.bus),
		device_id: vpdDeviceId(disk),
		"share-rw": disk.shareable ? true : undefined,
		...backendProps(disk),
		id,
		bootindex: device === "floppy" ? undefined : bootIndexOf(disk, context),
		logical_block_size: blockio?.logical_block_size,
		physical_block_size: blockio?.physical_block_size,
		discard_granularity: blockio?.discard_granularity,
		wwn: disk.wwn === undefined ? undefined : BigInt(`0x${disk.wwn.replace(/^0x/, "")}`),
		rotation_rate: target.rotation_rate,
		dpofua: target.dpofua,
		vendor: disk.vendor,
		product: disk.product,
		removable: removable(disk, context),
		"write-cache": writeCache(disk),
		cyls: geometry?.cyls || undefined,
		heads: geometry?.heads || undefined,
		secs: geometry?.secs || undefined,
		"bios-chs-trans": geometry?.trans,
		serial: target.bus === "nvme" ? undefined : disk.serial?.replaceAll(" ", "\\ "),
		...errorPolicy(disk),
	};
}

/** What a SCSI guest reads as the device's identification, kept from the days when -drive ids leaked into it. */
function vpdDeviceId({ target, device, serial, alias: id }: DiskDef): string | undefined {
	return target.bus === "scsi" && device !== "lun" ? (serial ?? `drive-${id}`) : undefined;
}

function backendProps(disk: DiskDef): JsonObject {
	if (disk.type === "vhostuser") return { chardev: vhostUserChardev(disk) };
	if (isEmptyDisk(disk)) return {};
	return { drive: topNode(disk) };
}

/** Id of the character device that speaks to the vhost-user server. */
export const vhostUserChardev = ({ alias: id }: DiskDef): string => `chr-vu-${id}`;

function removable({ target }: DiskDef, { caps }: DefineContext): boolean | undefined {
	if (target.bus !== "usb" || !caps.has("usb-storage", "removable")) return undefined;
	return target.removable ?? false;
}

function writeCache(disk: DiskDef): string | undefined {
	const mode = effectiveCache(disk);
	if (mode === undefined || disk.device === "lun") return undefined;
	return CACHE_MODES[mode].writeback ? "on" : "off";
}

function errorPolicy({ driver }: DiskDef): JsonObject {
	const { error_policy: write, rerror_policy: read } = driver;
	if (write === "enospace") return { werror: "enospc", rerror: read };
	return { werror: write, rerror: read ?? write };
}
