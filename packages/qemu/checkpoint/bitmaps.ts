// Bitmaps in a running guest's images: which there are, whether one is whole over a chain of images, and what is done with them.

import { VirtError } from "@virtkit/base/errors";
import type { BlockDeviceInfoDirtyBitmaps } from "@virtkit/qapi/schema.gen";
import { type DiskImage, formatNode } from "../devices/disk-image.ts";
import type { Run } from "../domain/run.ts";

/** One of those that QEMU carries out together, or none of them. */
export interface Action {
	readonly type: string;
	readonly data: Readonly<Record<string, unknown>>;
}

/** Carries all of them out, or none. Throws QEMU's refusal. */
export async function transact(run: Run, actions: readonly Action[]): Promise<void> {
	if (actions.length > 0) await run.monitor.executeUntyped("transaction", { actions });
}

/** The bitmaps of each image, by the node of its format. */
export type Bitmaps = ReadonlyMap<string, readonly BlockDeviceInfoDirtyBitmaps[]>;

export async function bitmapsOf(run: Run): Promise<Bitmaps> {
	const nodes = await run.monitor.execute("query-named-block-nodes", { flat: true });
	return new Map(nodes.map((node) => [node["node-name"] ?? "", node["dirty-bitmaps"] ?? []]));
}

/** The image's bitmap of that name. */
export const bitmapIn = (bitmaps: Bitmaps, image: DiskImage, name: string): BlockDeviceInfoDirtyBitmaps | undefined =>
	bitmaps.get(formatNode(image))?.find((bitmap) => bitmap.name === name);

/**
 * Whether the bitmap tells all that changed since it began: it is in the top image and in those right below it without a
 * gap, and in each of them stored, recording and consistent.
 */
export function isWhole(chain: readonly DiskImage[], name: string, bitmaps: Bitmaps): boolean {
	const found = chain.map((image) => bitmapIn(bitmaps, image, name));
	const end = found.indexOf(undefined);
	const parts = end < 0 ? found : found.slice(0, end);
	if (parts.length === 0 || found.slice(parts.length).some((bitmap) => bitmap !== undefined)) return false;
	return parts.every((bitmap) => bitmap?.persistent && bitmap.recording && !bitmap.inconsistent);
}

/** Throws CHECKPOINT_INCONSISTENT where the bitmap is not whole. */
export function checkWhole(chain: readonly DiskImage[], name: string, disk: string, bitmaps: Bitmaps): void {
	if (isWhole(chain, name, bitmaps)) return;
	throw new VirtError("CHECKPOINT_INCONSISTENT", `missing or broken bitmap '${name}' for disk '${disk}'`);
}

export const addBitmap = (image: DiskImage, name: string, options: Readonly<Record<string, unknown>>): Action => ({
	type: "block-dirty-bitmap-add",
	data: { node: formatNode(image), name, ...options },
});

export const removeBitmap = (image: DiskImage, name: string): Action => ({
	type: "block-dirty-bitmap-remove",
	data: { node: formatNode(image), name },
});

/** Makes bitmap `as` of `target`: all that bitmap `name` tells over the chain. It records nothing further and is not stored. */
export function mergeInto(
	target: DiskImage,
	as: string,
	chain: readonly DiskImage[],
	name: string,
	bitmaps: Bitmaps,
): Action[] {
	const found = chain.filter((image) => bitmapIn(bitmaps, image, name) !== undefined);
	const top = found[0];
	const granularity = top && bitmapIn(bitmaps, top, name)?.granularity;
	return [
		addBitmap(target, as, { persistent: false, disabled: true, granularity }),
		{
			type: "block-dirty-bitmap-merge",
			data: {
				node: formatNode(target),
				target: as,
				bitmaps: found.map((image) => ({ node: formatNode(image), name })),
			},
		},
	];
}
