// What of a disk cannot be had: combinations of device, bus and options that contradict each other or that QEMU lacks.

import { type ErrorCode, VirtError } from "@virtkit/base/errors";
import type { AddressType } from "@virtkit/model/domain/address";
import type { DiskBus, DiskDef } from "@virtkit/model/domain/disk";
import { parseDiskName } from "@virtkit/model/domain/disk-name";
import { checkImageSources } from "./disk-check-source.ts";
import { checkVhostUserDisk } from "./disk-check-vhost-user.ts";
import { isEmptyDisk, topImage } from "./disk-image.ts";
import { hasLimits } from "./disk-throttle.ts";
import type { DefineContext } from "./entry.ts";
import { refuseVirtioOptions } from "./virtio.ts";

interface DiskRule {
	readonly code?: ErrorCode;
	broken(disk: DiskDef, context: DefineContext): boolean;
	message(disk: DiskDef): string;
}

const bus = ({ target }: DiskDef): DiskBus => target.bus as DiskBus;
const name = ({ target }: DiskDef): string => target.dev ?? "";
const isLun = ({ device }: DiskDef): boolean => device === "lun";
const isRemovable = ({ device }: DiskDef): boolean => device === "cdrom" || device === "floppy";
const on =
	(...buses: readonly DiskBus[]) =>
	(disk: DiskDef): boolean =>
		buses.includes(bus(disk));
const isIde = on("ide");
const isScsi = on("scsi");
const isVirtio = on("virtio");

/** Buses whose disks have drive addresses. */
const onDriveBus = on("ide", "fdc", "scsi", "sata");

const hasGeometry = ({ geometry: g }: DiskDef): boolean => !!g && g.cyls > 0 && g.heads > 0 && g.secs > 0;
const SERIAL = /^[A-Za-z0-9\-_ .+]*$/;
const PRINTABLE = /^[\x20-\x7e]*$/;
const WWN = /^(?:0x)?[0-9a-fA-F]{16}$/;

const HARD_DISK_NAME = /^(?:hd|sd|vd|xvd|ubd)/;

/** Limits that cannot stand together: the sum and its parts. */
const EXCLUSIVE = ["bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max"] as const;

function exclusiveLimit({ iotune = {} }: DiskDef): string | undefined {
	return EXCLUSIVE.find((limit) => iotune[`total_${limit}`] && (iotune[`read_${limit}`] || iotune[`write_${limit}`]));
}

/** What holds of a disk under any hypervisor. */
const COMMON: readonly DiskRule[] = [
	{
		broken: ({ sgio }) => sgio === "unfiltered",
		message: () => "unfiltered sgio is no longer supported",
	},
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
		broken: (disk) => onDriveBus(disk) && disk.address !== undefined && disk.address.type !== "drive",
		message: (disk) =>
			`Invalid address type '${disk.address?.type}' for the disk '${name(disk)}' with the bus type '${bus(disk)}'`,
	},
	{
		broken: (disk) => !isVirtio(disk) && disk.model !== undefined,
		message: (disk) => `disk model '${disk.model}' not supported for bus '${bus(disk)}'`,
	},
	...(["queues", "event_idx", "ioeventfd"] as const).map(
		(option): DiskRule => ({
			broken: (disk) => !isVirtio(disk) && disk.driver[option] !== undefined,
			message: () => `${option} of a disk's driver is only supported for virtio bus`,
		}),
	),
	{
		broken: ({ type, source }) => type === "nvme" && source?.namespace === 0,
		message: () => "NVMe namespace can't be zero",
	},
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
		broken: (disk) => (disk.device === "floppy") !== (bus(disk) === "fdc"),
		message: (disk) => `Invalid bus type '${bus(disk)}' for ${disk.device === "floppy" ? "floppy disk" : "disk"}`,
	},
	{
		code: "XML_ERROR",
		broken: (disk) => disk.target.removable !== undefined && bus(disk) !== "usb",
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
		broken: (disk) => (disk.device === "disk" || isLun(disk)) && !HARD_DISK_NAME.test(name(disk)),
		message: (disk) => `Invalid harddisk device name: ${name(disk)}`,
	},
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => disk.device === "floppy" && !name(disk).startsWith("fd"),
		message: (disk) => `Invalid floppy device name: ${name(disk)}`,
	},
	{
		code: "NO_SOURCE",
		broken: (disk) => disk.device === "disk" && isEmptyDisk(disk),
		message: name,
	},
];

/** What holds of a disk under QEMU. */
const QEMU: readonly DiskRule[] = [
	{
		broken: (disk) => hasGeometry(disk) && on("usb", "sd")(disk),
		message: (disk) => `CHS geometry can not be set for '${bus(disk)}' bus`,
	},
	{
		broken: (disk) => hasGeometry(disk) && disk.geometry?.trans !== undefined && !isIde(disk),
		message: (disk) => `CHS translation mode can only be set for 'ide' bus not '${bus(disk)}'`,
	},
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => disk.serial !== undefined && bus(disk) === "sd",
		message: (disk) => `Serial property not supported for drive bus '${bus(disk)}'`,
	},
	{
		broken: (disk) => disk.device === "cdrom" && on("virtio", "sd")(disk),
		message: (disk) => `disk type of '${name(disk)}' does not support ejectable media`,
	},
	{
		broken: (disk) => disk.driver.copy_on_read === true && disk.readonly === true,
		message: (disk) => `copy_on_read is not compatible with read-only disk '${name(disk)}'`,
	},
	{
		broken: (disk) => disk.driver.copy_on_read === true && isRemovable(disk),
		message: (disk) => `copy_on_read is not supported with removable disk '${name(disk)}'`,
	},
	{
		broken: (disk) => disk.wwn !== undefined && !on("ide", "scsi")(disk),
		message: () => "Only ide and scsi disk support wwn",
	},
	{
		broken: (disk) => (disk.vendor ?? disk.product) !== undefined && !isScsi(disk),
		message: () => "Only scsi disk supports vendor and product",
	},
	{
		broken: (disk) => isLun(disk) && !on("virtio", "scsi")(disk),
		message: (disk) => `disk device='lun' is not supported for bus='${bus(disk)}'`,
	},
	{
		broken: (disk, { caps }) => isLun(disk) && isScsi(disk) && !caps.has("scsi-block"),
		message: () => "This QEMU doesn't support scsi-block for lun passthrough",
	},
	{
		broken: (disk) => isLun(disk) && disk.driver.copy_on_read === true,
		message: (disk) => `copy_on_read is not compatible with 'lun' disk '${name(disk)}'`,
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
		broken: (disk) => disk.target.rotation_rate !== undefined && !on("scsi", "ide", "sata")(disk),
		message: () => "rotation rate is only valid for SCSI/IDE/SATA bus",
	},
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => disk.target.rotation_rate !== undefined && disk.device !== "disk",
		message: () => "rotation rate is only valid for disk device",
	},
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => onDriveBus(disk) && disk.address?.type !== "drive",
		message: (disk) => `unexpected address type for ${bus(disk)} disk`,
	},
	{
		broken: (disk, { caps }) =>
			isVirtio(disk) && disk.driver.queue_size !== undefined && !caps.has("virtio-blk-device", "queue-size"),
		message: () => "queue-size property isn't supported by this QEMU binary",
	},
	{
		broken: (disk, { caps }) => bus(disk) === "usb" && !caps.has("usb-storage"),
		message: () => "This QEMU doesn't support '-device usb-storage'",
	},
	{
		code: "INTERNAL_ERROR",
		broken: (disk) => bus(disk) === "usb" && disk.address !== undefined && disk.address.type !== "usb",
		message: () => "unexpected address type for usb disk",
	},
	{
		broken: (disk) => isVirtio(disk) && !VIRTIO_ADDRESSES.has(disk.address?.type),
		message: (disk) => `virtio disk cannot have an address of type '${disk.address?.type}'`,
	},
	{
		broken: (disk) => disk.readonly === true && disk.device === "disk" && on("ide", "sata")(disk),
		message: (disk) => `readonly ${bus(disk)} disks are not supported`,
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
		message: (disk) => `IOThreads not available for bus ${bus(disk)} target ${name(disk)}`,
	},
	{
		broken: ({ driver }, { def }) =>
			driver.iothread !== undefined && !def.iothreadids.some(({ id }) => id === driver.iothread),
		message: ({ driver }) => `Disk iothread '${driver.iothread}' not defined in iothreadid`,
	},
	{
		broken: ({ iotune }) => iotune?.group_name !== undefined && !hasLimits(iotune),
		message: () => "group_name can be configured only together with settings",
	},
	{
		broken: (disk, { def }) => def.devices.disks.some((other) => hasOtherLimits(disk, other)),
		message: (disk) => `different iotunes for disk ${name(disk)} and others of its group`,
	},
	{
		code: "ARGUMENT_UNSUPPORTED",
		broken: ({ iotune = {} }) =>
			Object.entries(iotune).some(([limit, value]) => !limit.endsWith("_length") && Number(value) > MAX_LIMIT),
		message: () => `block I/O throttle limit must be no more than ${MAX_LIMIT} using QEMU`,
	},
	{
		broken: ({ shareable, readonly, driver }) =>
			shareable === true && readonly !== true && driver.type !== undefined && driver.type !== "raw",
		message: (disk) => `shared access for disk '${name(disk)}' requires use of supported storage format`,
	},
	{
		broken: ({ driver }) => driver.name !== undefined && driver.name !== "qemu",
		message: (disk) => `unsupported driver name '${disk.driver.name}' for disk '${name(disk)}'`,
	},
	{
		broken: (disk) => parseDiskName(name(disk)) === undefined,
		message: (disk) => `invalid disk target '${name(disk)}'`,
	},
	{
		broken: (disk) => parseDiskName(name(disk))?.partition !== 0,
		message: (disk) => `invalid disk target '${name(disk)}', partitions can't appear in disk targets`,
	},
];

const VIRTIO_ADDRESSES: ReadonlySet<AddressType | undefined> = new Set([undefined, "pci", "ccw", "virtio-mmio"]);
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
	{ broken: isEmptyDisk, message: (disk) => `transient disk '${name(disk)}' must not be empty` },
	{
		broken: ({ readonly }) => readonly === true,
		message: (disk) => `transient disk '${name(disk)}' must not be read-only`,
	},
	{
		broken: ({ type }) => type !== "file",
		message: (disk) => `transient disk supported only with 'file' type (${name(disk)})`,
	},
	{
		broken: ({ device }) => device !== "disk",
		message: (disk) => `transient disk supported only with 'disk' device (${name(disk)})`,
	},
	{
		broken: (disk) => disk.transient?.shareBacking === true && !on("usb", "virtio", "scsi")(disk),
		message: (disk) => `disk bus '${bus(disk)}' doesn't support transient disk backing image sharing`,
	},
];

/** Drive addresses: buses that exist once, and SCSI controllers with one bus. */
const DRIVE: readonly DiskRule[] = [
	driveRule("scsi", "bus", "INTERNAL_ERROR", "SCSI controller only supports 1 bus"),
	driveRule("ide", "controller", "INTERNAL_ERROR", "Only 1 IDE controller is supported"),
	driveRule("ide", "target", "CONFIG_UNSUPPORTED", "target must be 0 for ide controller"),
	driveRule("fdc", "controller", "INTERNAL_ERROR", "Only 1 fdc controller is supported"),
	driveRule("fdc", "bus", "INTERNAL_ERROR", "Only 1 fdc bus is supported"),
	driveRule("fdc", "target", "CONFIG_UNSUPPORTED", "target must be 0 for controller fdc"),
	driveRule("sata", "bus", "CONFIG_UNSUPPORTED", "bus must be 0 for sata controller"),
	driveRule("sata", "target", "CONFIG_UNSUPPORTED", "target must be 0 for sata controller"),
	{
		broken: (disk, { def }) => {
			if (!isScsi(disk) || disk.address?.type !== "drive" || disk.address.target === 0) return false;
			const { controller } = disk.address;
			return def.devices.controllers.some(
				({ type, index, model }) => type === "scsi" && index === controller && model === "lsilogic",
			);
		},
		message: () => "target must be 0 for controller model 'lsilogic'",
	},
];

function driveRule(on: DiskBus, part: "controller" | "bus" | "target", code: ErrorCode, message: string): DiskRule {
	return {
		code,
		broken: (disk) => bus(disk) === on && disk.address?.type === "drive" && disk.address[part] !== 0,
		message: () => message,
	};
}

function checkRules(rules: readonly DiskRule[], disk: DiskDef, context: DefineContext): void {
	for (const { code = "CONFIG_UNSUPPORTED", broken, message } of rules)
		if (broken(disk, context)) throw new VirtError(code, message(disk));
}

/** Throws where the disk cannot be had. */
export function checkDisk(disk: DiskDef, context: DefineContext): void {
	if (disk.target.dev === undefined) throw new VirtError("NO_TARGET", sourceName(disk));
	checkImageSources(disk, context);
	checkRules(COMMON, disk, context);
	if (!isVirtio(disk)) refuseVirtioOptions(disk.driver);
	if (disk.type === "vhostuser") checkVhostUserDisk(disk, context);
	checkRules(DRIVE, disk, context);
	checkRules(QEMU, disk, context);
	if (disk.transient) checkRules(TRANSIENT, disk, context);
}

function sourceName(disk: DiskDef): string {
	const { source } = topImage(disk);
	return (
		source.file ?? source.dev ?? source.dir ?? source.name ?? `pool = '${source.pool}', volume = '${source.volume}'`
	);
}
