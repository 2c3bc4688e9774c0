// What the header of an image file says of the image below it.

import { closeSync, openSync, readSync } from "node:fs";
import { systemError } from "@virtkit/host/system-error";
import type { ImageFormat } from "@virtkit/model/domain/disk-source";

/** The image that another one is backed by, as its header names it. */
export interface NamedBacking {
	/** A path, relative ones to the folder of the image; or a pseudo-protocol of QEMU's, such as `json:` or `nbd:`. */
	readonly name: string;
	/** Undefined where the header names none. */
	readonly format: string | undefined;
}

/** Headers lie in the first cluster, of which QEMU makes none larger than 2 MiB; names are below 1024 bytes. */
const HEAD_BYTES = 64 * 1024;

const QCOW2_MAGIC = 0x514649fb;
/** "QED\0". */
const QED_MAGIC = 0x51454400;
/** Header extension with the name of the backing file's format (QEMU: docs/interop/qcow2.txt). */
const BACKING_FORMAT_EXTENSION = 0xe2792aca;
/** The image's backing file is raw (QEMU: docs/interop/qed_spec.txt). */
const QED_RAW_BACKING = 4n;

/** The beginning of the file, or of what is open as `opened`. Throws SYSTEM_ERROR naming the path. */
export function readImageHead(path: string, opened?: number): Buffer {
	try {
		const fd = opened ?? openSync(path, "r");
		try {
			const head = Buffer.alloc(HEAD_BYTES);
			return head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0));
		} finally {
			if (opened === undefined) closeSync(fd);
		}
	} catch (error) {
		throw systemError(`cannot read the header of '${path}'`, error);
	}
}

/** The format that the header shows; raw where it shows none of those that have images below them. */
export function formatOfHead(head: Buffer): ImageFormat {
	if (head.length < 8) return "raw";
	const magic = head.readUInt32BE(0);
	if (magic === QCOW2_MAGIC) return head.readUInt32BE(4) === 1 ? "qcow" : "qcow2";
	return magic === QED_MAGIC ? "qed" : "raw";
}

/** The image below, undefined where there is none. */
export function backingOfHead(head: Buffer, format: ImageFormat): NamedBacking | undefined {
	if (formatOfHead(head) !== format) return undefined;
	if (format === "qcow" || format === "qcow2") return backingOfQcow(head);
	return format === "qed" ? backingOfQed(head) : undefined;
}

function backingOfQcow(head: Buffer): NamedBacking | undefined {
	if (head.length < 20) return undefined;
	const [offset, size] = [Number(head.readBigUInt64BE(8)), head.readUInt32BE(16)];
	if (offset === 0 || offset + size > head.length) return undefined;
	return { name: head.toString("utf8", offset, offset + size), format: backingFormat(head, offset) };
}

/** Looks through the header extensions, which end where the backing file's name begins. */
function backingFormat(head: Buffer, end: number): string | undefined {
	const version = head.readUInt32BE(4);
	let at = version < 3 ? 72 : head.readUInt32BE(100);
	while (at + 8 <= end && at + 8 <= head.length) {
		const [type, length] = [head.readUInt32BE(at), head.readUInt32BE(at + 4)];
		if (type === 0) return undefined;
		if (type === BACKING_FORMAT_EXTENSION) return head.toString("utf8", at + 8, at + 8 + length);
		at += 8 + Math.ceil(length / 8) * 8;
	}
	return undefined;
}

function backingOfQed(head: Buffer): NamedBacking | undefined {
	if (head.length < 64 || (head.readBigUInt64LE(16) & 1n) === 0n) return undefined;
	const [offset, size] = [head.readUInt32LE(56), head.readUInt32LE(60)];
	const raw = (head.readBigUInt64LE(16) & QED_RAW_BACKING) !== 0n;
	return { name: head.toString("utf8", offset, offset + size), format: raw ? "raw" : undefined };
}
