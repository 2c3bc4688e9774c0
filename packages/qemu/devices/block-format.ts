// The format layer of an image as a block node: what its bytes mean, how they are cached, what lies below.

import { VirtError } from "@virtkit/base/errors";
import type { ImageFormat } from "@virtkit/model/domain/disk-source";
import type { JsonObject } from "../command-line/command-line.ts";
import {
	type CacheMode,
	type DiskImage,
	dataImage,
	formatNode,
	needsSliceLayer,
	sliceNode,
	storageNode,
} from "./disk-image.ts";
import { encryptionSecret } from "./disk-secrets.ts";

/** QEMU's three switches behind each cache mode (qemu-options.hx, -drive cache=). */
export const CACHE_MODES: Readonly<
	Record<CacheMode, { readonly writeback: boolean; readonly direct: boolean; readonly noFlush: boolean }>
> = {
	default: { writeback: true, direct: false, noFlush: false },
	none: { writeback: true, direct: true, noFlush: false },
	writethrough: { writeback: false, direct: false, noFlush: false },
	writeback: { writeback: true, direct: false, noFlush: false },
	directsync: { writeback: false, direct: true, noFlush: false },
	unsafe: { writeback: true, direct: false, noFlush: true },
};

/** The cache options of a node; whether writes are flushed at once is the device's matter. */
export function cacheProps(mode: CacheMode | undefined): JsonObject | undefined {
	if (mode === undefined) return undefined;
	const { direct, noFlush } = CACHE_MODES[mode];
	return { direct, "no-flush": noFlush };
}

/** Zeroes become discards only where discards are allowed. */
export function effectiveDetectZeroes(discard: string | undefined, detect: string | undefined): string | undefined {
	return detect === "unmap" && discard !== "unmap" ? "on" : detect;
}

/** QEMU's drivers of formats that have no options of their own. */
const PLAIN: Partial<Record<ImageFormat, string>> = {
	ploop: "parallels",
	vhd: "vhdx",
	bochs: "bochs",
	cloop: "cloop",
	dmg: "dmg",
	vdi: "vdi",
	vpc: "vpc",
	qed: "qed",
	vmdk: "vmdk",
};

/** Formats that can have an image below. */
const BACKED: ReadonlySet<string | undefined> = new Set(["cow", "qcow", "qcow2", "qed", "vmdk"]);

function driverProps(image: DiskImage): JsonObject {
	const { format, encryption, source, cacheSize } = image;
	switch (format) {
		case "raw":
		case "fat": {
			if (encryption?.format === "luks" && encryption.engine !== "librbd") {
				if (encryption.secret.length === 0)
					throw new VirtError("INTERNAL_ERROR", "missing secret info for 'luks' driver");
				return { driver: "luks", "key-secret": encryptionSecret(image) };
			}
			const slice = source.slices?.slice[0];
			return { driver: "raw", offset: slice?.offset, size: slice?.size };
		}
		case "qcow":
			return { driver: "qcow", encrypt: encryptProps(image) };
		case "qcow2":
			return {
				driver: "qcow2",
				encrypt: encryptProps(image),
				"cache-size": cacheSize,
				"discard-no-unref": image.options.discard_no_unref,
			};
		default: {
			const driver = format && PLAIN[format];
			if (!driver) throw new VirtError("INTERNAL_ERROR", `mishandled storage format '${format}'`);
			return { driver };
		}
	}
}

function encryptProps(image: DiskImage): JsonObject | undefined {
	const { encryption } = image;
	if (!encryption || encryption.engine === "librbd" || encryption.secret.length === 0) return undefined;
	if (encryption.format === "luks2")
		throw new VirtError("CONFIG_UNSUPPORTED", "luks2 is currently not supported by the qemu encryption engine");
	return {
		format: encryption.format === "qcow" ? "aes" : encryption.format,
		"key-secret": encryptionSecret(image),
	};
}

/** The format layer of `image` as QEMU's blockdev-add takes it. */
export function formatProps(image: DiskImage): JsonObject {
	const { options, readonly } = image;
	return {
		"node-name": formatNode(image),
		"read-only": readonly,
		discard: options.discard,
		"detect-zeroes": effectiveDetectZeroes(options.discard, options.detect_zeroes),
		cache: cacheProps(options.cache),
		...driverProps(image),
		"data-file": dataNode(image),
		file: needsSliceLayer(image) ? sliceNode(image) : storageNode(image),
		backing: backingNode(image),
	};
}

function dataNode(image: DiskImage): string | undefined {
	const data = dataImage(image);
	return data && storageNode(data);
}

function backingNode({ format, backing }: DiskImage): string | null | undefined {
	if (backing === undefined) return undefined;
	if (BACKED.has(format)) return backing === null ? null : formatNode(backing);
	if (backing !== null)
		throw new VirtError("CONFIG_UNSUPPORTED", `storage format '${format}' does not support backing store`);
	return undefined;
}

/** The layer that cuts the part in use out of the storage; undefined where none is needed. */
export function sliceProps(image: DiskImage): JsonObject | undefined {
	const slice = image.source.slices?.slice[0];
	if (!slice || !needsSliceLayer(image)) return undefined;
	return {
		driver: "raw",
		"node-name": sliceNode(image),
		offset: slice.offset,
		size: slice.size,
		file: storageNode(image),
		"auto-read-only": true,
		discard: "unmap",
		cache: cacheProps(image.options.cache),
	};
}
