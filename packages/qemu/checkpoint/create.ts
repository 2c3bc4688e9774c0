// Makes checkpoints: a bitmap in each disk's image begins to record, at one moment in all of them.

import { VirtError } from "@virtkit/base/errors";
import { type CheckpointDef, parseCheckpoint } from "@virtkit/model/checkpoint/checkpoint";
import { refuseUnfitDisk } from "../block/start-job.ts";
import { imageChain, topImage } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { alignDisks, nameBitmaps } from "./align-disks.ts";
import { type Action, addBitmap, bitmapsOf, checkWhole, transact } from "./bitmaps.ts";
import { checkpoints } from "./metadata.ts";

/** virDomainCheckpointCreateFlags. */
const CREATE = { redefine: 1, validate: 4 } as const;

/** Completes a checkpoint that is about to be made of the running guest; returns what makes it. */
export function prepareCheckpoint(driver: Driver, domain: QemuDomain, run: Run, checkpoint: CheckpointDef): Action[] {
	const tree = checkpoints.of(driver, domain);
	checkpoint.domain = structuredClone(run.live.def);
	alignDisks(checkpoint, checkpoint.domain);
	const { current } = tree;
	if (current) checkpoint.parent = { name: current.name };
	const actions = checkpoint.disks.flatMap(({ name, checkpoint: kind, bitmap }) => {
		const disk = run.live.def.devices.disks.find(({ target }) => target.dev === name);
		if (kind !== "bitmap" || !disk || bitmap === undefined) return [];
		if (bitmap !== checkpoint.name)
			throw new VirtError(
				"CONFIG_UNSUPPORTED",
				`bitmap for disk '${name}' must match checkpoint name '${checkpoint.name}'`,
			);
		const { type } = disk.driver;
		if (type !== "qcow2")
			throw new VirtError("CONFIG_UNSUPPORTED", `checkpoint for disk ${name} unsupported for storage type ${type}`);
		refuseUnfitDisk(disk);
		return [addBitmap(topImage(disk), bitmap, { persistent: true, disabled: false })];
	});
	if (tree.byName(checkpoint.name))
		throw new VirtError("OPERATION_FAILED", `domain moment ${checkpoint.name} already exists`, {
			domain: "DOMAIN_CHECKPOINT",
		});
	return actions;
}

/**
 * Makes the checkpoint with `make`, which has QEMU carry it out. A daemon killed meanwhile is followed by one that asks
 * whether its bitmaps are there: it is noted before anything is done. Where `make` fails there is none.
 */
export async function withCheckpoint(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	checkpoint: CheckpointDef,
	make: () => Promise<void>,
): Promise<void> {
	const tree = checkpoints.of(driver, domain);
	run.pendingCheckpoint = checkpoint.name;
	try {
		await saveStatusNow(domain, run);
		await tree.save(checkpoint);
		try {
			await make();
		} catch (error) {
			await tree.forget(checkpoint);
			throw error;
		}
		await tree.saveAsCurrent(checkpoint);
	} finally {
		run.pendingCheckpoint = undefined;
		await saveStatusNow(domain, run);
	}
}

/** Makes the checkpoint that `xml` describes, or makes it known; comes to its name. */
export async function createCheckpoint(
	driver: Driver,
	domain: QemuDomain,
	xml: string,
	flags: number,
): Promise<string> {
	const redefine = (flags & CREATE.redefine) !== 0;
	if (flags & CREATE.validate && !redefine)
		throw new VirtError(
			"INVALID_ARG",
			"Flag 'VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE' is required by flag 'VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE' in virDomainCheckpointCreateXML",
			{ domain: "DOMAIN_CHECKPOINT" },
		);
	const { run } = domain;
	if (!redefine && run === undefined)
		throw new VirtError("OPERATION_UNSUPPORTED", "cannot create checkpoint for inactive domain");
	const checkpoint = parseCheckpoint(xml, { redefine, now: Math.floor(Date.now() / 1000) });
	if (run === undefined || redefine) await redefineCheckpoint(driver, domain, checkpoint, flags);
	else {
		const actions = prepareCheckpoint(driver, domain, run, checkpoint);
		await withCheckpoint(driver, domain, run, checkpoint, () => transact(run, actions));
	}
	return checkpoint.name;
}

async function redefineCheckpoint(
	driver: Driver,
	domain: QemuDomain,
	checkpoint: CheckpointDef,
	flags: number,
): Promise<void> {
	const tree = checkpoints.of(driver, domain);
	tree.checkPlace(checkpoint);
	const { name, domain: definition } = checkpoint;
	if (definition && definition.uuid !== domain.uuid)
		throw new VirtError("INVALID_ARG", `definition for checkpoint ${name} must use uuid ${domain.uuid}`, {
			domain: "DOMAIN_CHECKPOINT",
		});
	if (definition) alignDisks(checkpoint, definition);
	else nameBitmaps(checkpoint);
	if (flags & CREATE.validate) await validateBitmaps(domain.activeRun(), checkpoint);
	const { current } = tree;
	if (current === undefined || current.name === checkpoint.parent?.name) await tree.saveAsCurrent(checkpoint);
	else await tree.save(checkpoint);
}

/** Throws CHECKPOINT_INCONSISTENT where a disk that is there lacks its bitmap. */
async function validateBitmaps(run: Run, { name, disks }: CheckpointDef): Promise<void> {
	const bitmaps = await bitmapsOf(run);
	for (const { name: target, checkpoint } of disks) {
		const disk = run.live.def.devices.disks.find((one) => one.target.dev === target);
		if (checkpoint === "bitmap" && disk) checkWhole(imageChain(disk), name, target, bitmaps);
	}
}
