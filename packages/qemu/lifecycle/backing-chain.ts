// Looks at the images of a guest's disks before it starts: that they are there, and which ones lie below them.

import { statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import { errnoOf, errnoText } from "@virtkit/host/system-error";
import type { BackingStoreDef } from "@virtkit/model/domain/backing-store";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { IMAGE_FORMATS, type ImageFormat } from "@virtkit/model/domain/disk-source";
import { diskAlias } from "../devices/disk-alias.ts";
import { imageChain, isEmptyDisk } from "../devices/disk-image.ts";
import type { Definition } from "../domain/definition.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { ImageDescriptors } from "../domain/fd-groups.ts";
import { sourcePathOf } from "../domain/find-device.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { localPath } from "../facts/image-size.ts";
import { backingOfHead, formatOfHead, readImageHead } from "./image-header.ts";

/** Images below one disk at most (libvirt's QEMU_DOMAIN_STORAGE_SOURCE_CHAIN_MAX_DEPTH). */
const MAX_DEPTH = 200;

/** Formats whose images may lie on others. */
const LAYERED: ReadonlySet<ImageFormat | undefined> = new Set(["qcow", "qcow2", "qed"]);

/** QEMU's pseudo-protocols, which are no paths. */
const PROTOCOL = /^[a-z0-9.+-]+:/i;

/** virConnectDomainEventDiskChangeReason. */
const CHANGE = { missing: 0, dropped: 1 } as const;

/** Images that are opened already, by their sources. */
type PassedImages = ReadonlyMap<object, ImageDescriptors>;

/**
 * Completes the chains of the run's disks. A disk that may be missing and is loses its medium, or goes altogether.
 *
 * Throws SYSTEM_ERROR naming the file that cannot be had.
 */
export function settleImages(driver: Driver, domain: QemuDomain, run: Run, passed: PassedImages): void {
	const { devices } = run.live.def;
	devices.disks = devices.disks.filter((disk) => {
		try {
			settleChain(disk, passed);
			return true;
		} catch (error) {
			if (disk.source?.startupPolicy !== "optional") throw error;
			return dropMissing(driver, domain, run.live, disk);
		}
	});
}

/** False where the whole disk is to go. */
function dropMissing(driver: Driver, domain: QemuDomain, def: Definition, disk: DiskDef): boolean {
	const removable = disk.device === "cdrom" || disk.device === "floppy";
	driver.emit("disk-change", domain.ref, {
		oldPath: sourcePathOf(disk),
		newPath: undefined,
		// Devices get their names after their images are looked at.
		device: disk.alias ?? diskAlias(disk, def),
		reason: removable ? CHANGE.missing : CHANGE.dropped,
	});
	if (removable) delete disk.source;
	return removable;
}

/** Completes the chain of one disk. Throws SYSTEM_ERROR naming the file that cannot be had. */
export function settleChain(disk: DiskDef, passed: PassedImages = new Map()): void {
	if (isEmptyDisk(disk)) return;
	const chain = imageChain(disk);
	const top = localPath(chain[0] ?? never());
	for (const image of chain) {
		const path = localPath(image);
		if (path !== undefined) checkExists(path, top);
	}
	const last = chain.at(-1) ?? never();
	const opened = passed.get(last.source)?.fds[0];
	const path = opened === undefined ? localPath(last) : last.source.file;
	if (path === undefined || last.backing !== undefined) return;
	const below = findBelow(path, last.format ?? "raw", chain.length, opened);
	if (below) attachBelow(disk, below);
}

function never(): never {
	throw new VirtError("INTERNAL_ERROR", "a chain of images has at least one");
}

function checkExists(path: string, top: string | undefined): void {
	try {
		statSync(path);
	} catch (error) {
		const what =
			path === top || top === undefined
				? `Cannot access storage file '${path}'`
				: `Cannot access backing file '${path}' of storage file '${top}'`;
		const errno = errnoOf(error) ?? 0;
		throw new VirtError("SYSTEM_ERROR", `${what}: ${errnoText(errno)}`, {
			domain: "STORAGE",
			int1: errno,
			cause: error,
		});
	}
}

/** The chain below the image at `path`, down to its end; undefined where QEMU alone knows what lies there. */
function findBelow(path: string, format: ImageFormat, depth: number, opened?: number): BackingStoreDef | undefined {
	if (!LAYERED.has(format)) return {};
	if (depth > MAX_DEPTH)
		throw new VirtError("INTERNAL_ERROR", `backing store for ${path} is self-referential or too deeply nested`);
	const named = backingOfHead(readImageHead(path, opened), format);
	if (named === undefined) return {};
	if (PROTOCOL.test(named.name) && !named.name.startsWith("file:")) return undefined;
	const name = named.name.replace(/^file:/, "");
	const file = isAbsolute(name) ? name : join(dirname(path), name);
	checkExists(file, path);
	const belowFormat = formatOfBacking(named.format, file, named.name, path);
	const type = statSync(file).isBlockDevice() ? "block" : "file";
	const below = findBelow(file, belowFormat, depth + 1);
	return {
		type,
		detected: true,
		format: { type: belowFormat },
		source: { host: [], seclabels: [], ...(type === "block" ? { dev: file } : { file }) },
		...(below ? { backingStore: below } : {}),
	};
}

/** The format that the image above names; else the one the image shows, unless it has images below it that nobody vouches for. */
function formatOfBacking(named: string | undefined, file: string, name: string, above: string): ImageFormat {
	const known = IMAGE_FORMATS.find((format) => format === named);
	if (known !== undefined) return known;
	const head = readImageHead(file);
	const shown = formatOfHead(head);
	if (backingOfHead(head, shown) === undefined) return shown;
	throw new VirtError(
		"OPERATION_INVALID",
		`format of backing image '${name}' of image '${above}' was not specified in the image metadata (name it with 'qemu-img rebase -F FORMAT')`,
		{ domain: "STORAGE" },
	);
}

function attachBelow(disk: DiskDef, below: BackingStoreDef): void {
	if (!disk.backingStore) {
		disk.backingStore = below;
		return;
	}
	let last = disk.backingStore;
	while (last.backingStore?.type !== undefined) last = last.backingStore;
	last.backingStore = below;
}
