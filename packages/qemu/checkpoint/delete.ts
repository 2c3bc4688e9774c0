// Deletes checkpoints: their bitmaps go out of the images, or nothing but what is kept of them goes.

import { VirtError } from "@virtkit/base/errors";
import type { CheckpointDef } from "@virtkit/model/checkpoint/checkpoint";
import { lendForWriting } from "../block/nodes.ts";
import { whileWritable } from "../block/reopen.ts";
import { type DiskImage, imageChain } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { liveContext } from "../hotplug/removal.ts";
import { lendFiles } from "../lifecycle/ownership.ts";
import { type Action, bitmapIn, bitmapsOf, removeBitmap, transact } from "./bitmaps.ts";
import { checkpoints, neededCheckpoint } from "./metadata.ts";

/** virDomainCheckpointDeleteFlags. */
const DELETE = { children: 1, metadataOnly: 2, childrenOnly: 4 } as const;

/** Deletes the checkpoint of that name, those below it, or both. */
export async function deleteCheckpoint(driver: Driver, domain: QemuDomain, name: string, flags: number): Promise<void> {
	if (flags & DELETE.children && flags & DELETE.childrenOnly)
		throw new VirtError(
			"INVALID_ARG",
			"Flags 'VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN' and 'VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY' are mutually exclusive in virDomainCheckpointDelete",
			{ domain: "DOMAIN_CHECKPOINT" },
		);
	const metadataOnly = (flags & DELETE.metadataOnly) !== 0;
	if (!metadataOnly && domain.run === undefined)
		throw new VirtError("OPERATION_UNSUPPORTED", "cannot delete checkpoint for inactive domain");
	const checkpoint = neededCheckpoint(driver, domain, name);
	const tree = checkpoints.of(driver, domain);
	const below = flags & (DELETE.children | DELETE.childrenOnly) ? tree.descendantsOf(checkpoint) : [];
	const all = flags & DELETE.childrenOnly ? below : [checkpoint, ...below];
	// From the leaves up: whenever this is cut off, what is left is a tree.
	for (const one of all.toReversed()) {
		if (!metadataOnly) await removeBitmaps(driver, domain, one);
		await tree.forget(one);
	}
}

async function removeBitmaps(driver: Driver, domain: QemuDomain, { name, disks }: CheckpointDef): Promise<void> {
	const run = domain.activeRun();
	const context = liveContext(driver, domain, run);
	const bitmaps = await bitmapsOf(run);
	const actions: Action[] = [];
	const below: DiskImage[] = [];
	for (const { name: target, checkpoint, bitmap } of disks) {
		const disk = run.live.def.devices.disks.find((one) => one.target.dev === target);
		// It may have been taken out since.
		if (checkpoint !== "bitmap" || !disk) continue;
		if (bitmap === undefined)
			throw new VirtError("INVALID_ARG", `missing bitmap name for disk '${target}' of checkpoint '${name}'`);
		const [top, ...rest] = imageChain(disk).filter((image) => bitmapIn(bitmaps, image, bitmap));
		if (top === undefined)
			throw new VirtError("INTERNAL_ERROR", `bitmap '${bitmap}' not found in backing chain of '${target}'`);
		const own = imageChain(disk)[0]?.id;
		for (const image of [top, ...rest]) {
			actions.push(removeBitmap(image, bitmap));
			if (image.id !== own) below.push(image);
		}
		if (below.length > 0) lendForWriting(disk, below, context);
	}
	await whileWritable(below, context, () => transact(run, actions));
	if (below.length > 0) lendFiles(driver, run, run.live.def);
}
