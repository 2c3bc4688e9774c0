// The images of a disk as QEMU stacks them: the disk's own on top, then what it is backed by, each with its node names.

import type { BackingStoreDef } from "@virtkit/model/domain/backing-store";
import { type DiskDef, diskAuth, diskEncryption, isEmptySource } from "@virtkit/model/domain/disk";
import type { DiskSourceDef, ImageFormat, StorageType } from "@virtkit/model/domain/disk-source";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { EncryptionDef } from "@virtkit/model/domain/encryption";
import type { AuthDef } from "@virtkit/model/domain/secret-reference";
import type { Run } from "../domain/run.ts";

/** One image, wherever it stands in its chain. */
export interface DiskImage {
	readonly type: StorageType;
	readonly source: DiskSourceDef;
	readonly format: ImageFormat | undefined;
	readonly readonly: boolean;
	/** Number in the running guest, from which the node names come. */
	readonly id: number | undefined;
	/** Id of the SD card it is in: those have no nodes, and objects are named after the card. */
	readonly card?: string | undefined;
	readonly auth: AuthDef | undefined;
	readonly encryption: EncryptionDef | undefined;
	/** Bytes of the metadata cache. */
	readonly cacheSize: number | undefined;
	/** What the disk says of all its images; detect_zeroes of the top one alone. */
	readonly options: ImageOptions;
	/** The image below; null where the document says that there is none, undefined where it does not say. */
	readonly backing: DiskImage | null | undefined;
}

/** Options of the disk that reach its images. */
export interface ImageOptions {
	readonly cache?: CacheMode | undefined;
	readonly io?: string | undefined;
	readonly discard?: string | undefined;
	readonly detect_zeroes?: string | undefined;
	readonly discard_no_unref?: boolean | undefined;
	readonly floppy?: boolean;
}
export type CacheMode = NonNullable<DiskDef["driver"]["cache"]>;

const NO_SOURCE: DiskSourceDef = { host: [], seclabels: [] };

/** The disk's images, top first. */
export function topImage(disk: DiskDef): DiskImage {
	const { driver } = disk;
	const shared = {
		cache: effectiveCache(disk),
		io: driver.io,
		discard: driver.discard,
		floppy: disk.device === "floppy",
	};
	return {
		type: disk.type,
		source: disk.source ?? NO_SOURCE,
		format: driver.type,
		readonly: disk.readonly === true,
		id: disk.source?.index,
		card: disk.target.bus === "sd" ? disk.alias : undefined,
		auth: diskAuth(disk),
		encryption: diskEncryption(disk),
		cacheSize: driver.metadata_cache?.max_size,
		options: { ...shared, detect_zeroes: driver.detect_zeroes, discard_no_unref: driver.discard_no_unref },
		backing: backingImage(disk.backingStore, shared),
	};
}

function backingImage(below: BackingStoreDef | undefined, options: ImageOptions): DiskImage | null | undefined {
	if (!below) return undefined;
	if (below.type === undefined) return null;
	const { source = NO_SOURCE } = below;
	return {
		type: below.type,
		source,
		format: below.format?.type,
		readonly: true,
		id: below.index,
		auth: source.auth,
		encryption: source.encryption,
		cacheSize: below.format?.metadata_cache?.max_size,
		options,
		backing: backingImage(below.backingStore, options),
	};
}

/** The images from the top down. */
export function imageChain(disk: DiskDef): DiskImage[] {
	const chain: DiskImage[] = [];
	for (let image: DiskImage | null | undefined = topImage(disk); image; image = image.backing) chain.push(image);
	return chain;
}

/** The cache mode in effect: images that guests share for writing are not cached by the host. */
export function effectiveCache({ driver, shareable, readonly }: DiskDef): CacheMode | undefined {
	return driver.cache ?? (shareable && !readonly ? "none" : undefined);
}

/** Node of the protocol layer: libvirt-1-storage. */
export const storageNode = ({ id }: DiskImage): string => `libvirt-${id}-storage`;
/** Node of the format layer, which the device or the image above sees: libvirt-1-format. */
export const formatNode = ({ id }: DiskImage): string => `libvirt-${id}-format`;
/** What objects of the protocol layer are named after. */
export const storageOwner = (image: DiskImage): string => image.card ?? storageNode(image);
/** What objects of the format layer are named after. */
export const formatOwner = (image: DiskImage): string => image.card ?? formatNode(image);
/** Node between both where only a part of the storage is used. */
export const sliceNode = ({ id }: DiskImage): string => `libvirt-${id}-slice-sto`;
/** Node above all where what is read is copied into the image. */
export const copyOnReadNode = ({ target }: DiskDef): string => `libvirt-CoR-${target.dev}`;

/** Node that holds the disk to a group's limits: libvirt-3-filter. */
export const filterNode = ({ index }: DiskDef["throttlefilters"][number]): string => `libvirt-${index}-filter`;

/** What lies below the filter of that number. */
export function nodeBelowFilter(disk: DiskDef, number: number): string {
	const below = disk.throttlefilters[number - 1];
	if (below) return filterNode(below);
	return disk.driver.copy_on_read ? copyOnReadNode(disk) : formatNode(topImage(disk));
}

/** The node that the disk's device is plugged into. */
export const topNode = (disk: DiskDef): string => nodeBelowFilter(disk, disk.throttlefilters.length);

/** Whether a part of the storage is cut out by a layer of its own: a raw image's format layer does it by itself. */
export function needsSliceLayer({ source, format, encryption }: DiskImage): boolean {
	if (!source.slices?.slice.length) return false;
	return format !== "raw" || encryption?.format === "luks";
}

/** Whether the disk's images are QEMU block nodes: SD cards are plain -drives, vhost-user disks live in another process. */
export function hasBlockNodes(disk: DiskDef): boolean {
	return disk.target.bus !== "sd" && disk.type !== "vhostuser";
}

/** The image that holds an image's data apart from its metadata, if any. */
export function dataImage(image: DiskImage): DiskImage | undefined {
	const { type = "file", source } = image.source.dataStore ?? {};
	if (source === undefined) return undefined;
	const { cache, io, discard } = image.options;
	return {
		type,
		source,
		format: "raw",
		readonly: image.readonly,
		id: source.index,
		auth: source.auth,
		encryption: source.encryption,
		cacheSize: undefined,
		options: { cache, io, discard },
		backing: undefined,
	};
}

/** All images of the disk from the top down, each before the one that holds its data. */
export function wholeChain(disk: DiskDef): DiskImage[] {
	return imageChain(disk).flatMap((image) => [image, dataImage(image) ?? []].flat());
}

/** What of the disk has a number in the running guest, in the order in which the numbers are given. */
function numbered(disk: DiskDef): { index?: number | undefined }[] {
	const store = (source: DiskSourceDef | undefined) => source?.dataStore?.source ?? [];
	const found: { index?: number | undefined }[] = [disk.source ?? [], store(disk.source)].flat();
	for (let below = disk.backingStore; below?.type !== undefined; below = below.backingStore)
		found.push(below, ...[store(below.source)].flat());
	return [...found, ...disk.throttlefilters];
}

/** Numbers the images of all disks as libvirt does: the last disk first, each from the top down. */
export function numberImages(def: DomainDef): void {
	let id = nextImageNumber(def);
	for (const disk of def.devices.disks.toReversed()) {
		if (!hasBlockNodes(disk)) continue;
		disk.source ??= { host: [], seclabels: [] };
		for (const one of numbered(disk)) one.index ??= id++;
	}
}

/** Numbers the images of a disk that a running guest gets, from the top down; no number is given twice in a run. */
export function numberPluggedImages(run: Pick<Run, "live" | "lastImage">, disk: DiskDef): void {
	let id = Math.max(run.lastImage + 1, nextImageNumber(run.live.def));
	for (const one of numbered(disk)) one.index = id++;
	run.lastImage = id - 1;
}

/** The first number that no image of the guest has. */
export function nextImageNumber({ devices }: DomainDef): number {
	let highest = 0;
	for (const disk of devices.disks) {
		highest = Math.max(highest, ...numbered(disk).map(({ index = 0 }) => index));
		for (let below = disk.backingStore; below; below = below.backingStore)
			highest = Math.max(highest, below.index ?? 0);
	}
	return highest + 1;
}

/** True where the disk has no medium. */
export const isEmptyDisk = ({ source }: DiskDef): boolean => isEmptySource(source);
