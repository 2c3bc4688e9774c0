// What holds of a disk under any hypervisor: options that contradict each other, names and strings.

import { VirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { checkImages, checkLun } from "./disk-check-source.ts";
import { checkVhostUserDisk } from "./disk-check-vhost-user.ts";
import { isEmptyDisk, topImage } from "./disk-image.ts";
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
import type { DefineContext } from "./entry.ts";
import { refuseVirtioOptions } from "./virtio.ts";

const isVirtio = isOnBus("virtio");
const PRINTABLE = /^[\x20-\x7e]*$/;
const WWN = /^(?:0x)?[0-9a-fA-F]{16}$/;
const HARD_DISK_NAME = /^(?:nvme|hd|sd|vd|xvd|ubd)/;

/** Limits that cannot stand together: the sum and its parts. */
const EXCLUSIVE = ["bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max"] as const;

function exclusiveLimit({ iotune = {} }: DiskDef): string | undefined {
	return EXCLUSIVE.find((limit) => iotune[`total_${limit}`] && (iotune[`read_${limit}`] || iotune[`write_${limit}`]));
}

const SGIO: readonly DiskRule[] = [
	{
		broken: ({ sgio }) => sgio === "unfiltered",
		message: () => "unfiltered sgio is no longer supported",
	},
];

/** What only disks that pass SCSI commands through may have, and what only virtio disks may. */
const OPTIONS: readonly DiskRule[] = [
	{
		broken: (disk) => !isLun(disk) && disk.source?.reservations !== undefined,
		message: () => "<reservations/> allowed only for lun devices",
	},
	{
		broken: (disk) => !isLun(disk) && disk.rawio !== undefined,
		message: () => "rawio can be used only with device='lun'",
	},
	{
		broken: (disk) => !isLun(disk) && disk.sgio !== undefined,
		message: () => "sgio can be used only with device='lun'",
	},
	{
		code: "XML_ERROR",
		broken: (disk) => exclusiveLimit(disk) !== undefined,
		message: (disk) => `total and read/write ${exclusiveLimit(disk)} cannot be set at the same time`,
	},
	{
		broken: (disk) => isOnDriveBus(disk) && disk.address !== undefined && disk.address.type !== "drive",
		message: (disk) =>
			`Invalid address type '${disk.address?.type}' for the disk '${diskName(disk)}' with the bus type '${diskBus(disk)}'`,
	},
	{
		broken: (disk) => !isVirtio(disk) && disk.model !== undefined,
		message: (disk) => `disk model '${disk.model}' not supported for bus '${diskBus(disk)}'`,
	},
	...(["queues", "event_idx", "ioeventfd"] as const).map(
		(option): DiskRule => ({
			broken: (disk) => !isVirtio(disk) && disk.driver[option] !== undefined,
			message: () => `${option} of a disk's driver is only supported for virtio bus`,
		}),
	),
];

const NVME: readonly DiskRule[] = [
	{
		broken: ({ type, source }) => type === "nvme" && source?.namespace === 0,
		message: () => "NVMe namespace can't be zero",
	},
];

const IDENTITY: readonly DiskRule[] = [
	{
		broken: (disk) => !isRemovable(disk) && disk.target.tray !== undefined,
		message: () => "tray is only valid for cdrom and floppy",
	},
	{
		code: "XML_ERROR",
		broken: ({ vendor = "" }) => !PRINTABLE.test(vendor),
		message: () => "disk vendor is not printable string",
	},
	{ broken: ({ vendor = "" }) => vendor.length > 8, message: () => "disk vendor is more than 8 characters" },
	{
		code: "XML_ERROR",
		broken: ({ product = "" }) => !PRINTABLE.test(product),
		message: () => "disk product is not printable string",
	},
	{ broken: ({ product = "" }) => product.length > 16, message: () => "disk product is more than 16 characters" },
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => (disk.device === "floppy") !== (diskBus(disk) === "fdc"),
		message: (disk) => `Invalid bus type '${diskBus(disk)}' for ${disk.device === "floppy" ? "floppy disk" : "disk"}`,
	},
	{
		code: "XML_ERROR",
		broken: (disk) => disk.target.removable !== undefined && diskBus(disk) !== "usb",
		message: () => "removable is only valid for usb disks",
	},
	{
		code: "XML_ERROR",
		broken: ({ source, type }) =>
			source?.startupPolicy !== undefined && (type === "network" || type === "nvme" || type === "vhostuser"),
		message: ({ source, type }) =>
			`disk startupPolicy '${source?.startupPolicy}' is not allowed for disk of '${type}' type`,
	},
	{
		code: "XML_ERROR",
		broken: (disk) => disk.source?.startupPolicy === "requisite" && !isRemovable(disk),
		message: () => "disk startupPolicy 'requisite' is allowed only for cdrom or floppy",
	},
	{
		code: "INTERNAL_ERROR",
		broken: ({ wwn }) => wwn !== undefined && !WWN.test(wwn),
		message: ({ wwn }) => `Malformed wwn: ${wwn}`,
	},
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => (disk.device === "disk" || isLun(disk)) && !HARD_DISK_NAME.test(diskName(disk)),
		message: (disk) => `Invalid harddisk device name: ${diskName(disk)}`,
	},
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => disk.device === "floppy" && !diskName(disk).startsWith("fd"),
		message: (disk) => `Invalid floppy device name: ${diskName(disk)}`,
	},
	{
		code: "NO_SOURCE",
		broken: (disk) => disk.device === "disk" && isEmptyDisk(disk),
		message: diskName,
	},
];

/** Throws where a disk cannot be had whatever runs the guest (libvirt's virDomainDiskDefValidate). */
export function checkDiskCommon(disk: DiskDef, context: DefineContext): void {
	if (disk.target.dev === undefined) throw new VirtError("NO_TARGET", sourceName(disk));
	checkImages(disk, context);
	checkDiskRules(SGIO, disk, context);
	if (isLun(disk)) checkLun(disk, context);
	checkDiskRules(OPTIONS, disk, context);
	if (!isVirtio(disk)) refuseVirtioOptions(disk.driver);
	checkDiskRules(NVME, disk, context);
	if (disk.type === "vhostuser") checkVhostUserDisk(disk);
	checkDiskRules(IDENTITY, disk, context);
}

function sourceName(disk: DiskDef): string {
	const { source } = topImage(disk);
	return (
		source.file ?? source.dev ?? source.dir ?? source.name ?? `pool = '${source.pool}', volume = '${source.volume}'`
	);
}
