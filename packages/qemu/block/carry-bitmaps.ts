// Bitmaps of checkpoints stay whole when images go: what those tell is told by the image that the guest goes on with.

import type { DiskDef } from "@virtkit/model/domain/disk";
import { type Action, addBitmap, type Bitmaps, bitmapIn, bitmapsOf, isWhole, transact } from "../checkpoint/bitmaps.ts";
import { type DiskImage, formatNode, imageChain } from "../devices/disk-image.ts";
import type { LiveContext } from "../devices/entry.ts";
import type { Run } from "../domain/run.ts";
import type { BlockJob } from "./job.ts";
import { imagesBetween, mirrorImages } from "./layers.ts";
import { lendForWriting } from "./nodes.ts";
import { whileWritable } from "./reopen.ts";

/** What has `target` tell all that the images `gone` of the disk do. */
function carry(disk: DiskDef, gone: readonly DiskImage[], target: DiskImage, bitmaps: Bitmaps): Action[] {
	// Only such an image stores bitmaps.
	if (target.format !== "qcow2") return [];
	const chain = imageChain(disk);
	const [top] = chain;
	const names = (top && bitmaps.get(formatNode(top))) ?? [];
	return names.flatMap(({ name, granularity }) => {
		if (name === undefined || !isWhole(chain, name, bitmaps)) return [];
		const found = gone.filter((image) => bitmapIn(bitmaps, image, name) !== undefined);
		if (found.length === 0) return [];
		const isThere = bitmapIn(bitmaps, target, name) !== undefined;
		return [
			...(isThere ? [] : [addBitmap(target, name, { persistent: true, disabled: false, granularity })]),
			{
				type: "block-dirty-bitmap-merge",
				data: {
					node: formatNode(target),
					target: name,
					bitmaps: found.map((image) => ({ node: formatNode(image), name })),
				},
			},
		];
	});
}

/** Before the guest goes on with a copy or a base: what the guest writes from here on is written there too, and recorded. */
export async function carryAtPivot(run: Run, disk: DiskDef, job: BlockJob): Promise<void> {
	const chain = imageChain(disk);
	const target = job.type === "copy" ? mirrorImages(disk)[0] : chain.find(({ id }) => id === job.base);
	if (target === undefined) return;
	const own = chain.slice(0, 1);
	const gone = job.type === "copy" ? (job.shallow ? own : chain) : imagesBetween(disk, chain[0]?.id, job.base);
	await transact(run, carry(disk, gone, target, await bitmapsOf(run)));
}

/** After images were committed into one that is only read again: before they go. */
export async function carryAfterCommit(disk: DiskDef, job: BlockJob, context: LiveContext): Promise<void> {
	const { run } = context;
	const base = imageChain(disk).find(({ id }) => id === job.base);
	if (base === undefined) return;
	const actions = carry(disk, imagesBetween(disk, job.top, job.base), base, await bitmapsOf(run));
	if (actions.length === 0) return;
	lendForWriting(disk, [base], context);
	await whileWritable([base], context, () => transact(run, actions));
}
