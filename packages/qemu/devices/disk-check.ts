// What of a disk cannot be had under QEMU: combinations of device, bus and options that it lacks.

import { VirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { parseDiskName } from "@virtkit/model/domain/disk-name";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { checkImagesForQemu } from "./disk-check-source.ts";
import { imageChain, isEmptyDisk } from "./disk-image.ts";
import {
	checkDiskRules,
	type DiskRule,
	diskBus,
	diskName,
	isLun,
	isOnBus,
	isOnDriveBus,
	isRemovable,
} from "./disk-rule.ts";
import { hasLimits } from "./disk-throttle.ts";
import type { DefineContext } from "./entry.ts";
import { requireSharedMemory } from "./shared-memory.ts";

const isIde = isOnBus("ide");
const isScsi = isOnBus("scsi");
const isVirtio = isOnBus("virtio");

const hasGeometry = ({ geometry: g }: DiskDef): boolean => !!g && g.cyls > 0 && g.heads > 0 && g.secs > 0;
const SERIAL = /^[A-Za-z0-9\-_ .+]*$/;

/** What holds of a disk under QEMU. */
const QEMU: readonly DiskRule[] = [
	{
		broken: (disk) => hasGeometry(disk) && isOnBus("usb", "sd")(disk),
		message: (disk) => `CHS geometry can not be set for '${diskBus(disk)}' bus`,
	},
	{
		broken: (disk) => hasGeometry(disk) && disk.geometry?.trans !== undefined && !isIde(disk),
		message: (disk) => `CHS translation mode can only be set for 'ide' bus not '${diskBus(disk)}'`,
	},
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => disk.serial !== undefined && diskBus(disk) === "sd",
		message: (disk) => `Serial property not supported for drive bus '${diskBus(disk)}'`,
	},
	{
		broken: (disk) => disk.device === "cdrom" && isOnBus("virtio", "sd")(disk),
		message: (disk) => `disk type of '${diskName(disk)}' does not support ejectable media`,
	},
	{
		broken: (disk) => disk.driver.copy_on_read === true && disk.readonly === true,
		message: (disk) => `copy_on_read is not compatible with read-only disk '${diskName(disk)}'`,
	},
	{
		broken: (disk) => disk.driver.copy_on_read === true && isRemovable(disk),
		message: (disk) => `copy_on_read is not supported with removable disk '${diskName(disk)}'`,
	},
	{
		broken: (disk) => disk.wwn !== undefined && !isOnBus("ide", "scsi")(disk),
		message: () => "Only ide and scsi disk support wwn",
	},
	{
		broken: (disk) => (disk.vendor ?? disk.product) !== undefined && !isScsi(disk),
		message: () => "Only scsi disk supports vendor and product",
	},
	{
		broken: (disk) => isLun(disk) && !isOnBus("virtio", "scsi")(disk),
		message: (disk) => `disk device='lun' is not supported for bus='${diskBus(disk)}'`,
	},
	{
		broken: (disk, { caps }) => isLun(disk) && isScsi(disk) && !caps.has("scsi-block"),
		message: () => "This QEMU doesn't support scsi-block for lun passthrough",
	},
	{
		broken: (disk) => isLun(disk) && disk.driver.copy_on_read === true,
		message: (disk) => `copy_on_read is not compatible with 'lun' disk '${diskName(disk)}'`,
	},
	{
		broken: (disk) => isLun(disk) && disk.wwn !== undefined,
		message: () => "Setting wwn is not supported for lun device",
	},
	{
		broken: (disk) => isLun(disk) && (disk.vendor ?? disk.product) !== undefined,
		message: () => "Setting vendor or product is not supported for lun device",
	},
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => disk.target.rotation_rate !== undefined && !isOnBus("scsi", "ide", "sata")(disk),
		message: () => "rotation rate is only valid for SCSI/IDE/SATA bus",
	},
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => disk.target.rotation_rate !== undefined && disk.device !== "disk",
		message: () => "rotation rate is only valid for disk device",
	},
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => isOnDriveBus(disk) && disk.address?.type !== "drive",
		message: (disk) => `unexpected address type for ${diskBus(disk)} disk`,
	},
	{
		broken: (disk, { caps }) =>
			isVirtio(disk) && disk.driver.queue_size !== undefined && !caps.has("virtio-blk-device", "queue-size"),
		message: () => "queue-size property isn't supported by this QEMU binary",
	},
	{
		broken: (disk, { caps }) => diskBus(disk) === "usb" && !caps.has("usb-storage"),
		message: () => "This QEMU doesn't support '-device usb-storage'",
	},
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => diskBus(disk) === "usb" && disk.address !== undefined && disk.address.type !== "usb",
		message: () => "unexpected address type for usb disk",
	},
	{
		broken: (disk) => disk.readonly === true && disk.device === "disk" && isOnBus("ide", "sata")(disk),
		message: (disk) => `readonly ${diskBus(disk)} disks are not supported`,
	},
	{
		broken: ({ driver }) => driver.io === "native" && driver.cache !== "directsync" && driver.cache !== "none",
		message: () => "io='native' needs either no disk cache or directsync cache mode",
	},
	{
		broken: ({ driver }, { caps }) =>
			driver.io === "io_uring" && !caps.hasSchema("blockdev-add/arg-type/+file/aio/^io_uring"),
		message: () => "io uring is not supported by this QEMU binary",
	},
	{
		broken: (disk) => disk.serial !== undefined && isScsi(disk) && isLun(disk),
		message: () => "scsi-block 'lun' devices do not support the serial property",
	},
	{
		code: "INTERNAL_ERROR",
		broken: ({ serial = "" }) => !SERIAL.test(serial),
		message: ({ serial }) => `driver serial '${serial}' contains unsafe characters`,
	},
	{
		broken: (disk) => disk.driver.iothread !== undefined && !isVirtio(disk),
		message: (disk) => `IOThreads not available for bus ${diskBus(disk)} target ${diskName(disk)}`,
	},
	{
		broken: (disk) => disk.driver.iothreads !== undefined && (!isVirtio(disk) || disk.driver.iothread !== undefined),
		message: (disk) =>
			isVirtio(disk)
				? "iothreads and an iothread of a disk's driver cannot be used together"
				: `IOThreads not available for bus ${diskBus(disk)} target ${diskName(disk)}`,
	},
	{
		broken: ({ driver }, { def }) =>
			driver.iothreads?.iothread.some(({ id }) => !def.iothreadids.some((one) => one.id === id)) === true,
		message: () => "Disk iothread of <iothreads> not defined in iothreadid",
	},
	{
		broken: (disk) =>
			imageChain(disk).some(({ format, source }) => source.dataStore !== undefined && format !== "qcow2"),
		message: () => "'dataStore' is only supported for images of format 'qcow2'",
	},
	{
		broken: (disk) =>
			imageChain(disk).some(({ source: { dataStore: store } }) => store && (store.format?.type ?? "raw") !== "raw"),
		message: () => "only format 'raw' is supported for the 'dataStore' of an image",
	},
	{
		broken: (disk) => disk.target.dpofua !== undefined && !isScsi(disk),
		message: () => "'dpofua' is only supported for disks on bus 'scsi'",
	},
	{
		broken: (disk) => disk.model?.startsWith("usb-") === true && diskBus(disk) !== "usb",
		message: (disk) => `disk model '${disk.model}' is only supported for disks on bus 'usb'`,
	},
	{
		broken: (disk, { caps }) => disk.model === "usb-bot" && !caps.has("usb-bot"),
		message: () => "This QEMU doesn't support '-device usb-bot'",
	},
	{
		broken: (disk, { caps }) => diskBus(disk) === "nvme" && !caps.has("nvme-ns"),
		message: () => "NVMe disks are not supported with this QEMU binary",
	},
	{
		broken: (disk) => diskBus(disk) === "nvme" && disk.device !== "disk",
		message: (disk) => `disk device='${disk.device}' is not supported for bus='nvme'`,
	},
	{
		broken: ({ driver }) => driver.discard_no_unref !== undefined && driver.type !== "qcow2",
		message: () => "'discard_no_unref' only works with qcow2 disk format",
	},
	{
		broken: ({ driver }, { def }) =>
			driver.iothread !== undefined && !def.iothreadids.some(({ id }) => id === driver.iothread),
		message: ({ driver }) => `Disk iothread '${driver.iothread}' not defined in iothreadid`,
	},
];

const THROTTLING: readonly DiskRule[] = [
	{
		broken: ({ throttlefilters: all, iotune }) => all.length > 0 && iotune !== undefined,
		message: (disk) => `block 'throttlefilters' can't be used together with 'iotune' (disk '${diskName(disk)}')`,
	},
	{
		broken: (disk) => disk.throttlefilters.length > 0 && isRemovable(disk),
		message: (disk) => `throttle filters are not supported with removable disk '${diskName(disk)}'`,
	},
	{
		broken: ({ throttlefilters: all, type, target }) => all.length > 0 && (type === "vhostuser" || target.bus === "sd"),
		message: (disk) => `throttle filters are not supported with disk '${diskName(disk)}'`,
	},
	{
		broken: (disk, { def }) => missingGroup(disk, def) !== undefined,
		message: (disk) => `throttle groups of disk '${diskName(disk)}' must all be among <throttlegroups>`,
	},
	{
		broken: ({ iotune }) => iotune?.group_name !== undefined && !hasLimits(iotune),
		message: () => "group_name can be configured only together with settings",
	},
	{
		broken: (disk, { def }) => def.devices.disks.some((other) => hasOtherLimits(disk, other)),
		message: (disk) => `different iotunes for disk ${diskName(disk)} and others of its group`,
	},
	{
		code: "ARGUMENT_UNSUPPORTED",
		broken: ({ iotune = {} }) =>
			Object.entries(iotune).some(([limit, value]) => !limit.endsWith("_length") && Number(value) > MAX_LIMIT),
		message: () => `block I/O throttle limit must be no more than ${MAX_LIMIT} using QEMU`,
	},
];

const NAMES: readonly DiskRule[] = [
	{
		broken: ({ shareable, readonly, driver }) => shareable === true && readonly !== true && driver.type !== "raw",
		message: (disk) => `shared access for disk '${diskName(disk)}' requires use of supported storage format`,
	},
	{
		broken: ({ driver }) => driver.name !== undefined && driver.name !== "qemu",
		message: (disk) => `unsupported driver name '${disk.driver.name}' for disk '${diskName(disk)}'`,
	},
	{
		broken: (disk) => parseDiskName(diskName(disk)) === undefined,
		message: (disk) => `invalid disk target '${diskName(disk)}'`,
	},
	{
		broken: (disk) => parseDiskName(diskName(disk))?.partition !== 0,
		message: (disk) => `invalid disk target '${diskName(disk)}', partitions can't appear in disk targets`,
	},
];

function missingGroup({ throttlefilters: all }: DiskDef, { throttlegroups }: DomainDef): string | undefined {
	return all.find(({ group }) => !throttlegroups.some(({ group_name }) => group_name === group))?.group;
}

/** QEMU's limit of every throttle (10^15). */
const MAX_LIMIT = 1_000_000_000_000_000;

function hasOtherLimits(disk: DiskDef, other: DiskDef): boolean {
	const { iotune: mine } = disk;
	const { iotune: theirs } = other;
	if (disk === other || mine?.group_name === undefined || mine.group_name !== theirs?.group_name) return false;
	const names = new Set([...Object.keys(mine), ...Object.keys(theirs)]) as Set<keyof typeof mine>;
	return [...names].some((limit) => (mine[limit] ?? 0) !== (theirs[limit] ?? 0));
}

/** What a disk that throws its changes away must be. */
const TRANSIENT: readonly DiskRule[] = [
	{ broken: isEmptyDisk, message: (disk) => `transient disk '${diskName(disk)}' must not be empty` },
	{
		broken: ({ readonly }) => readonly === true,
		message: (disk) => `transient disk '${diskName(disk)}' must not be read-only`,
	},
	{
		broken: ({ type }) => type !== "file",
		message: (disk) => `transient disk supported only with 'file' type (${diskName(disk)})`,
	},
	{
		broken: ({ device }) => device !== "disk",
		message: (disk) => `transient disk supported only with 'disk' device (${diskName(disk)})`,
	},
	{
		broken: (disk) => disk.transient?.shareBacking === true && !isOnBus("usb", "virtio", "scsi")(disk),
		message: (disk) => `disk bus '${diskBus(disk)}' doesn't support transient disk backing image sharing`,
	},
];

/** Throws where QEMU cannot have the disk (libvirt's qemuValidateDomainDeviceDefDisk). */
export function checkDisk(disk: DiskDef, context: DefineContext): void {
	checkDiskRules(QEMU, disk, context);
	checkDiskRules(THROTTLING, disk, context);
	if (disk.transient) checkDiskRules(TRANSIENT, disk, context);
	checkDiskRules(NAMES, disk, context);
	checkImagesForQemu(disk, context);
	if (disk.type !== "vhostuser") return;
	if (!context.caps.has("vhost-user-blk"))
		throw new VirtError("CONFIG_UNSUPPORTED", "vhostuser disk is not supported with this QEMU binary");
	requireSharedMemory("vhostuser", context);
}
