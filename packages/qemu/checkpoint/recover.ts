// What becomes of a checkpoint that was being made when the daemon was killed: it is there where its bitmaps are.

import { imageChain } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { bitmapIn, bitmapsOf } from "./bitmaps.ts";
import { checkpoints } from "./metadata.ts";

/** See the opening sentence. The guest may be gone: then its bitmaps, which had not been stored, are too. */
export async function recoverCheckpoint(driver: Driver, domain: QemuDomain, run: Run, isAlive: boolean): Promise<void> {
	const name = run.pendingCheckpoint;
	if (name === undefined) return;
	run.pendingCheckpoint = undefined;
	const tree = checkpoints.of(driver, domain);
	const checkpoint = tree.byName(name);
	if (checkpoint === undefined) return;
	if (!isAlive) return tree.forget(checkpoint);
	const bitmaps = await bitmapsOf(run);
	const isMade = run.live.def.devices.disks.some((disk) =>
		imageChain(disk).some((image) => bitmapIn(bitmaps, image, name) !== undefined),
	);
	await (isMade ? tree.saveAsCurrent(checkpoint) : tree.forget(checkpoint));
}
