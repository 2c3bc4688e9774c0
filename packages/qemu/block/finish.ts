// What follows when QEMU has ended a block job: the guest's chain of images, its stored definition, files, and who waits.

import { unlinkSync } from "node:fs";
import { toVirtError } from "@virtkit/base/errors";
import type { BackingStoreDef } from "@virtkit/model/domain/backing-store";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import { type Outcome, settleBackupJob } from "../backup/end.ts";
import { changeConfig } from "../config/impact.ts";
import { type DiskImage, imageChain, isEmptyDisk, topImage } from "../devices/disk-image.ts";
import type { LiveContext } from "../devices/entry.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { localPath } from "../facts/image-size.ts";
import { liveContext } from "../hotplug/removal.ts";
import { lendFiles } from "../lifecycle/ownership.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { carryAfterCommit } from "./carry-bitmaps.ts";
import { type BlockJob, diskOfJob, JOB_STATUS, JOB_TYPE } from "./job.ts";
import { imagesBetween, installTop, layerAt, mirrorImages, setBelow } from "./layers.ts";
import { closeImages } from "./nodes.ts";

/** Tells that the job has come to that. The disk is named by its image as it is now, after what the job did to it. */
export function tellJob(
	driver: Driver,
	domain: QemuDomain,
	job: BlockJob,
	disk: DiskDef | undefined,
	status: keyof typeof JOB_STATUS,
): void {
	driver.emit("block-job", domain.ref, {
		path: disk && !isEmptyDisk(disk) ? localPath(topImage(disk)) : undefined,
		target: job.disk,
		type: JOB_TYPE[job.type],
		status: JOB_STATUS[status],
	});
}

/** What a successful job does to the disk; returns the images that are no longer its. */
type Settle = (disk: DiskDef, job: BlockJob) => DiskImage[];

const SETTLE: Readonly<Record<Exclude<BlockJob["type"], "backup">, Settle>> = {
	pull: (disk, { base }) => {
		const [, ...gone] = imagesBetween(disk, disk.source?.index, base);
		setBelow(disk, undefined, base === undefined ? {} : layerAt(disk, base));
		return gone;
	},
	commit: (disk, { base, top, topParent }) => {
		const gone = imagesBetween(disk, top, base);
		setBelow(disk, topParent, layerAt(disk, base ?? 0));
		return gone;
	},
	"active-commit": (disk, { base }) => {
		const gone = imagesBetween(disk, disk.source?.index, base);
		installTop(disk, layerAt(disk, base ?? 0));
		delete disk.mirror;
		return gone;
	},
	copy: (disk, { shallow }) => {
		const { mirror, backingStore } = disk;
		const [own, ...below] = imageChain(disk);
		if (!mirror || !own) return [];
		installTop(disk, { ...mirror, index: mirror.source?.index, backingStore: shallow ? backingStore : {} });
		delete disk.mirror;
		return shallow ? [own] : [own, ...below];
	},
};

/** The images of a copy that is given up. */
function dropMirror(disk: DiskDef): DiskImage[] {
	const images = mirrorImages(disk);
	delete disk.mirror;
	return images;
}

/** Ends a job that QEMU has concluded. The caller holds the domain's lock. Returns QEMU's error, if it failed. */
export async function finishJob(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	job: BlockJob,
): Promise<string | undefined> {
	if (!run.blockJobs.has(job.name)) return undefined;
	const { monitor } = run;
	const told = (await monitor.execute("query-jobs")).find(({ id }) => id === job.name);
	const error = told?.error;
	if (job.type === "backup") {
		const [done, total] = [told?.["current-progress"] ?? 0, told?.["total-progress"] ?? 0];
		await finishBackupJob(driver, domain, run, job, { error, done, total });
		return error;
	}
	await monitor.execute("job-dismiss", { id: job.name });
	const disk = diskOfJob(run, job);
	run.blockJobs.delete(job.name);
	const isAborted = job.state === "aborting";
	const changes = error === undefined && !isAborted && (job.type !== "copy" || job.state === "pivoting");
	if (disk) await settleDisk(disk, job, changes, liveContext(driver, domain, run));
	run.live.changed();
	lendFiles(driver, run, run.live.def);
	await saveStatusNow(domain, run);
	tellJob(driver, domain, job, disk, isAborted ? "cancelled" : error === undefined ? "completed" : "failed");
	return error;
}

/** One disk of a backup is done; the guest's disk stays as it is. */
async function finishBackupJob(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	job: BlockJob,
	outcome: Outcome,
): Promise<void> {
	const disk = diskOfJob(run, job);
	const end = await settleBackupJob(driver, domain, run, job, outcome);
	lendFiles(driver, run, run.live.def);
	tellJob(driver, domain, job, disk, end);
}

async function settleDisk(disk: DiskDef, job: BlockJob, changes: boolean, context: LiveContext): Promise<void> {
	const { driver, domain } = context;
	const before = sourcePath(disk.source);
	if (changes && job.type === "commit") await carryAfterCommit(disk, job, context);
	const gone = changes && job.type !== "backup" ? SETTLE[job.type](disk, job) : dropMirror(disk);
	await closeImages(gone, context);
	if (!changes) return;
	if (job.delete) for (const image of gone) removeFile(driver, image);
	await followInConfig(disk, before, context).catch((error) =>
		driver.log.warn(`the stored definition of '${domain.name}' does not follow: ${toVirtError(error).message}`, {
			error,
		}),
	);
}

function removeFile(driver: Driver, { type, source }: DiskImage): void {
	if (type !== "file" || source.file === undefined) return;
	try {
		unlinkSync(source.file);
	} catch (error) {
		driver.log.warn(`cannot remove the image '${source.file}'`, { error });
	}
}

/** The stored definition's disk, where it was the same, gets the image that the guest has now; what lies below is looked for anew. */
async function followInConfig(
	disk: DiskDef,
	before: string | undefined,
	{ driver, domain }: LiveContext,
): Promise<void> {
	if (!domain.persistent) return;
	const same = (other: DiskDef): boolean => other.target.dev === disk.target.dev && sourcePath(other.source) === before;
	const stored = domain.config.def.devices.disks.find(same);
	if (!stored || (stored.backingStore === undefined && sourcePath(disk.source) === before)) return;
	await changeConfig(driver, domain, (def) => {
		const own = def.devices.disks.find(same);
		if (!own) return;
		own.type = disk.type;
		own.source = { ...structuredClone(disk.source ?? { host: [], seclabels: [] }), index: undefined };
		own.driver.type = disk.driver.type;
		if (own.backingStore) own.backingStore = withoutNumbers(disk.backingStore);
		else delete own.backingStore;
	});
}

/** A chain that was given in the stored definition stays given there, without what only the running guest has. */
function withoutNumbers(layer: BackingStoreDef | undefined): BackingStoreDef | undefined {
	if (layer === undefined) return undefined;
	const { index: _, ...own } = layer;
	return { ...structuredClone(own), backingStore: withoutNumbers(layer.backingStore) };
}
