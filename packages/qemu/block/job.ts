// Block jobs of a running guest: what each is about, as it is noted for a daemon that comes after this one.

import { VirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { int, nonEmpty, oneOf, yesNo } from "@virtkit/xml/codec";
import { attr, element } from "@virtkit/xml/schema";
import type { Run } from "../domain/run.ts";

/** virDomainBlockJobType. */
export const JOB_TYPE = { pull: 1, copy: 2, commit: 3, "active-commit": 4, backup: 5 } as const;
/** virConnectDomainEventBlockJobStatus. */
export const JOB_STATUS = { completed: 0, failed: 1, cancelled: 2, ready: 3 } as const;

const types = Object.keys(JOB_TYPE) as (keyof typeof JOB_TYPE)[];

/** The status file's <blockjob>. */
export const blockJobElement = element({
	name: attr(nonEmpty, { required: true, doc: "QEMU's id of the job." }),
	type: attr(oneOf(...types), { required: true, doc: "What it does." }),
	disk: attr(nonEmpty, { required: true, doc: "Target of the disk." }),
	state: attr(oneOf("running", "ready", "aborting", "pivoting"), { required: true, doc: "How far it is." }),
	base: attr(int, { doc: "Number of the image that stays at the bottom of what it does." }),
	top: attr(int, { doc: "Number of the image that goes first." }),
	topParent: attr(int, { doc: "Number of the image above that one." }),
	delete: attr(yesNo, { doc: "Files of images that go are removed." }),
	shallow: attr(yesNo, { doc: "The copy has the images below the disk's own." }),
});

/** A job under way. */
export interface BlockJob {
	readonly name: string;
	readonly type: keyof typeof JOB_TYPE;
	/** Target of the disk. */
	readonly disk: string;
	state: "running" | "ready" | "aborting" | "pivoting";
	/** Numbers of images, see the status file's element. */
	readonly base?: number | undefined;
	readonly top?: number | undefined;
	readonly topParent?: number | undefined;
	readonly delete?: boolean | undefined;
	readonly shallow?: boolean | undefined;
}

/** The job of that disk. */
export function jobOfDisk(run: Run, { target }: DiskDef): BlockJob | undefined {
	for (const job of run.blockJobs.values()) if (job.disk === target.dev) return job;
	return undefined;
}

/** The job of that disk. Throws INVALID_ARG where it has none. */
export function neededJob(run: Run, disk: DiskDef): BlockJob {
	const job = jobOfDisk(run, disk);
	if (job) return job;
	throw new VirtError("INVALID_ARG", `disk ${disk.target.dev} does not have an active block job`);
}

/** The disk that a job is about; undefined where it was taken out. */
export const diskOfJob = (run: Run, job: BlockJob): DiskDef | undefined =>
	run.live.def.devices.disks.find(({ target }) => target.dev === job.disk);
