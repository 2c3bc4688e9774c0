// The images of a disk as layers that jobs take out and put in, each known by its number.

import { basename, dirname, resolve } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { BackingStoreDef } from "@virtkit/model/domain/backing-store";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import { type DiskImage, imageChain } from "../devices/disk-image.ts";

/** Makes `layer` the disk's own image, with what lies below it. */
export function installTop(disk: DiskDef, layer: BackingStoreDef): void {
	const { type = "file", index, format, source, backingStore } = layer;
	disk.type = type;
	disk.source = { host: [], seclabels: [], ...source, index };
	disk.driver.type = format?.type;
	if (backingStore) disk.backingStore = backingStore;
	else delete disk.backingStore;
	delete disk.auth;
	delete disk.encryption;
}

/** The layer of that number below the disk's own image. Throws INTERNAL_ERROR where there is none. */
export function layerAt(disk: DiskDef, id: number): BackingStoreDef {
	for (let below = disk.backingStore; below; below = below.backingStore) if (below.index === id) return below;
	throw new VirtError("INTERNAL_ERROR", `disk '${disk.target.dev}' has no image of number ${id}`);
}

/** Has `below` lie under image `id`; an empty one ends the chain. */
export function setBelow(disk: DiskDef, id: number | undefined, below: BackingStoreDef): void {
	if (id === undefined || disk.source?.index === id) disk.backingStore = below;
	else layerAt(disk, id).backingStore = below;
}

/** The images from number `from` down to above number `to`; to the bottom where that is undefined. */
export function imagesBetween(disk: DiskDef, from: number | undefined, to: number | undefined): DiskImage[] {
	const chain = imageChain(disk);
	const start = chain.findIndex(({ id }) => id === from);
	const end = to === undefined ? chain.length : chain.findIndex(({ id }) => id === to);
	return start < 0 || end < 0 ? [] : chain.slice(start, end);
}

/** The images that the disk is being copied to, top first; none where they are of its own chain. */
export function mirrorImages(disk: DiskDef): DiskImage[] {
	const { mirror } = disk;
	if (mirror?.job !== "copy" || !mirror.source) return [];
	const copy = {
		...disk,
		type: mirror.type ?? "file",
		source: mirror.source,
		driver: { ...disk.driver, type: mirror.format?.type },
	};
	delete copy.backingStore;
	return imageChain(copy as DiskDef);
}

/** An image with the one above it. */
export interface Found {
	readonly image: DiskImage;
	readonly parent: DiskImage | undefined;
}

/**
 * The image that a client names: by `vda[3]`, by its path, by a path relative to the image above; the bottom one where
 * `name` is undefined. Only images below `under`, where that is given.
 *
 * Throws INVALID_ARG in libvirt's words (virStorageSourceChainLookup).
 */
export function findImage(disk: DiskDef, name: string | undefined, under?: DiskImage): Found {
	const target = disk.target.dev ?? "";
	const chain = imageChain(disk);
	const [, dev, number] = /^([^[\]]*)\[(\d+)\]$/.exec(name ?? "") ?? [];
	const id = Number(number ?? 0);
	if (dev !== undefined && id !== 0 && dev !== target)
		throw new VirtError("INVALID_ARG", `requested target '${dev}' does not match target '${target}'`);
	const first = under ? chain.indexOf(chain.find((image) => image.id === under.id) ?? under) + 1 : 0;
	const at = chain.findIndex(
		(image, index) =>
			index >= first &&
			(name === undefined ? !image.backing : id ? image.id === id : isNamed(image, chain[index - 1], name)),
	);
	const image = chain[at];
	if (image) return { image, parent: chain[at - 1] };
	throw new VirtError("INVALID_ARG", notFound(name, id, target, under));
}

function isNamed({ source }: DiskImage, parent: DiskImage | undefined, name: string): boolean {
	const path = sourcePath(source);
	if (path === name) return true;
	const above = parent && sourcePath(parent.source);
	return (
		path !== undefined &&
		above !== undefined &&
		!name.startsWith("/") &&
		basename(path) === basename(name) &&
		resolve(dirname(above), name) === path
	);
}

function notFound(name: string | undefined, id: number, target: string, under: DiskImage | undefined): string {
	if (id) return `could not find backing store index '${id}' in chain for '${target}'`;
	if (name === undefined) return `could not find base image in chain for '${target}'`;
	const beneath = under ? ` beneath '${sourcePath(under.source)}'` : "";
	return `could not find image '${name}'${beneath} in chain for '${target}'`;
}
