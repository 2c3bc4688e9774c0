// What of a disk's images cannot be had: formats, encryption and network options that do not go together.

import { type ErrorCode, VirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import type { StorageProtocol } from "@virtkit/model/domain/disk-source";
import { type DiskImage, imageChain, topImage } from "./disk-image.ts";
import type { DefineContext } from "./entry.ts";

interface ImageRule {
	readonly code?: ErrorCode;
	broken(image: DiskImage, context: DefineContext): boolean;
	message(image: DiskImage): string;
}

const speaks =
	(...protocols: readonly StorageProtocol[]) =>
	({ type, source }: DiskImage): boolean =>
		type === "network" && protocols.includes(source.protocol as StorageProtocol);

/** Protocols that know users. */
const knowsUsers = speaks("iscsi", "http", "https", "ftp", "ftps", "ssh", "rbd");

/** Usage types of secrets (virSecretUsageType). */
const USAGES = ["none", "volume", "ceph", "iscsi", "tls", "vtpm"];

const COMMON: readonly ImageRule[] = [
	{
		broken: (image) => image.type === "network" && image.auth !== undefined && !knowsUsers(image),
		message: ({ source }) => `authentication is not supported for protocol '${source.protocol}'`,
	},
	{
		broken: ({ type, auth }) => type === "network" && auth !== undefined && !USAGES.includes(auth.secret.type ?? ""),
		message: ({ auth }) => `unknown secret type '${auth?.secret.type ?? "<null>"}'`,
	},
	{
		broken: (image) =>
			image.auth !== undefined &&
			((speaks("iscsi")(image) && image.auth.secret.type !== "iscsi") ||
				(speaks("rbd")(image) && image.auth.secret.type !== "ceph")),
		message: ({ auth }) => `invalid secret type '${auth?.secret.type}'`,
	},
	{
		broken: ({ encryption }) => encryption?.format === "luks" && encryption.cipher !== undefined,
		message: () => "supplying <cipher> for domain disk definition is unnecessary",
	},
];

/** What a disk that passes SCSI commands through must be. */
const LUN: readonly ImageRule[] = [
	{
		broken: (image) => image.type === "network" && !speaks("iscsi")(image),
		message: ({ source }) => `disk device='lun' is not supported for protocol='${source.protocol}'`,
	},
	{
		broken: ({ type }) => type !== "network" && type !== "block" && type !== "volume",
		message: () => "disk device='lun' is only valid for block type disk source",
	},
	{
		broken: ({ format }) => format !== undefined && format !== "raw",
		message: () => "disk device 'lun' must use 'raw' format",
	},
	{
		broken: ({ source }) => (source.slices?.slice.length ?? 0) > 0,
		message: () => "disk device 'lun' doesn't support storage slice",
	},
	{
		broken: ({ encryption }) => encryption !== undefined && encryption.format !== "default",
		message: () => "disk device 'lun' doesn't support encryption",
	},
];

const QEMU: readonly ImageRule[] = [
	{ broken: ({ format }) => format === "cow", message: () => "'cow' storage format is not supported" },
	{
		broken: ({ format }) => format === "dir",
		message: () => "'directory' storage format is not directly supported by QEMU, use 'dir' disk type instead",
	},
	{
		broken: ({ format }) => format === "iso",
		message: () => "storage format 'iso' is not directly supported by QEMU, use 'raw' instead",
	},
	{
		broken: ({ format, type }) => format === "fat" && type !== "volume" && type !== "dir",
		message: () => "storage format 'fat' is supported only with 'dir' storage type",
	},
	{
		broken: ({ format, type }) => type === "dir" && format !== undefined && format !== "fat",
		message: () => "storage type 'dir' requires use of storage format 'fat'",
	},
	{
		broken: ({ type, readonly }) => type === "dir" && !readonly,
		message: () => "virtual FAT storage can't be accessed in read-write mode",
	},
	{
		broken: ({ source }, { caps }) => source.reservations !== undefined && !caps.has("pr-manager-helper"),
		message: () => "reservations not supported with this QEMU binary",
	},
	{
		broken: speaks("tftp"),
		message: () => "'tftp' protocol is not supported with this QEMU binary",
	},
	{
		broken: (image) => speaks("nfs")(image) && image.source.host.length !== 1,
		message: () => "'nfs' protocol requires the usage of exactly one host",
	},
	{
		broken: (image) => speaks("nfs")(image) && image.source.host[0]?.transport !== undefined,
		message: () => "'nfs' host must use TCP protocol",
	},
	{
		broken: (image) => speaks("nfs")(image) && image.source.host[0]?.port !== undefined,
		message: () => "port cannot be specified in 'nfs' protocol host",
	},
	{
		broken: ({ format, cacheSize = 0 }) => cacheSize > 0 && format !== "qcow2",
		message: () => "metadata cache max size control is supported only with qcow2 images",
	},
	{
		broken: ({ encryption }) => encryption?.format === "default" || encryption?.format === "qcow",
		message: () => "old qcow/qcow2 encryption is not supported",
	},
	{
		broken: ({ encryption, format }) =>
			encryption?.engine === "qemu" && encryption.format === "luks" && format !== "qcow2" && format !== "raw",
		message: () => "encryption is supported only with 'raw' and 'qcow2' image format",
	},
	{
		broken: ({ encryption }) => encryption?.engine === "qemu" && encryption.format === "luks2",
		message: () => "luks2 is currently not supported by the qemu encryption engine",
	},
	{
		broken: ({ encryption }, { caps }) =>
			encryption?.engine === "librbd" && !caps.hasSchema("blockdev-add/arg-type/+rbd/encrypt"),
		message: () => "librbd encryption is not supported by this QEMU binary",
	},
	{
		broken: ({ encryption, type }) => encryption?.engine === "librbd" && type !== "network",
		message: () => "librbd encryption is supported only with RBD backed disks",
	},
	{
		broken: (image) => image.source.tlsHostname !== undefined && !speaks("nbd")(image),
		message: () => "'tlsHostname' field is supported only with NBD disks",
	},
	{
		broken: ({ source }, { caps }) =>
			source.tlsHostname !== undefined && !caps.hasSchema("blockdev-add/arg-type/+nbd/tls-hostname"),
		message: () => "'tlsHostname' field is not supported by this QEMU",
	},
];

function check(rules: readonly ImageRule[], image: DiskImage, context: DefineContext): void {
	for (const { code = "CONFIG_UNSUPPORTED", broken, message } of rules)
		if (broken(image, context)) throw new VirtError(code, message(image));
}

/** Throws where an image of the disk cannot be had whatever runs the guest. */
export function checkImages(disk: DiskDef, context: DefineContext): void {
	for (const image of imageChain(disk)) check(COMMON, image, context);
}

/** Throws where the disk's image cannot pass SCSI commands through. */
export function checkLun(disk: DiskDef, context: DefineContext): void {
	check(LUN, topImage(disk), context);
}

/** Throws where QEMU cannot serve an image of the disk (libvirt's qemuDomainValidateStorageSource). */
export function checkImagesForQemu(disk: DiskDef, context: DefineContext): void {
	for (const image of imageChain(disk)) check(QEMU, image, context);
}
