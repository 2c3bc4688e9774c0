// How large an image file is: on the host, and as the guest sees it, without asking a running QEMU.

import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import type { BlockInfo } from "@virtkit/core/domain-operations";
import { systemError } from "@virtkit/host/system-error";
import type { DiskImage } from "../devices/disk-image.ts";

/** Where a format keeps the size that the guest sees. */
interface SizeField {
	/** The header begins with these bytes. */
	readonly magic: string;
	readonly offset: number;
	readonly littleEndian?: boolean;
	/** Bytes of one unit; 1 where absent. */
	readonly unit?: bigint;
}

/** QEMU: docs/interop/qcow2.txt, qed_spec.txt; VMDK 1.1 and VHD (the dynamic disk's copy of the footer). */
const SIZE_FIELDS: Readonly<Record<string, SizeField>> = {
	qcow: { magic: "QFI\xfb", offset: 24 },
	qcow2: { magic: "QFI\xfb", offset: 24 },
	qed: { magic: "QED\0", offset: 48, littleEndian: true },
	vmdk: { magic: "KDMV", offset: 12, littleEndian: true, unit: 512n },
	vpc: { magic: "conectix", offset: 48 },
};

const HEADER_BYTES = 64;

/** The size in a header; undefined where the format has none that we know. */
function sizeInHeader(header: Buffer, format: string): bigint | undefined {
	const field = SIZE_FIELDS[format];
	if (!field || header.toString("latin1", 0, field.magic.length) !== field.magic) return undefined;
	const size = field.littleEndian ? header.readBigUInt64LE(field.offset) : header.readBigUInt64BE(field.offset);
	return size * (field.unit ?? 1n);
}

/** Path of the image on this host; undefined where it is elsewhere, or opened by descriptors that a client passed. */
export function localPath({ type, source }: DiskImage): string | undefined {
	if (source.fdgroup !== undefined) return undefined;
	return type === "file" ? source.file : type === "block" ? source.dev : type === "dir" ? source.dir : undefined;
}

/** Sizes that stay as they are as long as the file does. */
const KNOWN = new Map<string, { readonly mark: string; readonly capacity: bigint | undefined }>();
const KNOWN_MAX = 4096;

function capacityOf(path: string, format: string, stat: Stats): bigint | undefined {
	if (!Object.hasOwn(SIZE_FIELDS, format)) return undefined;
	const mark = `${format} ${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeMs}`;
	const known = KNOWN.get(path);
	if (known?.mark === mark) return known.capacity;
	const capacity = sizeInHeader(readHeader(path), format);
	if (KNOWN.size >= KNOWN_MAX) KNOWN.clear();
	KNOWN.set(path, { mark, capacity });
	return capacity;
}

function readHeader(path: string): Buffer {
	const header = Buffer.alloc(HEADER_BYTES);
	const fd = openSync(path, "r");
	try {
		readSync(fd, header, 0, HEADER_BYTES, 0);
	} finally {
		closeSync(fd);
	}
	return header;
}

/** The size of a device in bytes: that of its end (Linux tells it of block devices through sysfs alone). */
function deviceSize(path: string): bigint {
	const fd = openSync(path, "r");
	try {
		const { rdev } = fstatSync(fd);
		return sizeOfBlockDevice(rdev);
	} finally {
		closeSync(fd);
	}
}

/** glibc's split of a device number (makedev(3)). */
function sizeOfBlockDevice(rdev: number): bigint {
	const number = BigInt(rdev);
	const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
	const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn);
	const fd = openSync(`/sys/dev/block/${major}:${minor}/size`, "r");
	try {
		const text = Buffer.alloc(32);
		return BigInt(text.toString("latin1", 0, readSync(fd, text)).trim()) * 512n;
	} finally {
		closeSync(fd);
	}
}

/** Sizes of an image on this host; undefined where it is elsewhere. Throws SYSTEM_ERROR where it cannot be read. */
export function imageSizes(image: DiskImage): BlockInfo | undefined {
	const path = localPath(image);
	if (path === undefined) return undefined;
	try {
		return sizesOf(path, image);
	} catch (error) {
		throw systemError(`Failed to open file '${path}'`, error);
	}
}

function sizesOf(path: string, { type, format = "raw", encryption }: DiskImage): BlockInfo {
	const stat = statSync(path);
	if (stat.isDirectory()) return { capacity: 0n, allocation: 0n, physical: 0n };
	const physical = stat.isFile() ? BigInt(stat.size) : deviceSize(path);
	const allocation = stat.isFile() ? BigInt(stat.blocks) * 512n : physical;
	const plain = format === "raw" && !encryption;
	const capacity = plain ? physical : (capacityOf(path, format, stat) ?? physical);
	// What of a device a sparse format uses only QEMU knows.
	const unknown = type === "block" && !plain && !stat.isFile();
	return { capacity, allocation: unknown ? 0n : allocation, physical };
}

/** The same, quietly: undefined also where the image cannot be read. */
export function readableSizes(image: DiskImage): BlockInfo | undefined {
	try {
		return imageSizes(image);
	} catch (error) {
		if (error instanceof VirtError) return undefined;
		throw error;
	}
}
