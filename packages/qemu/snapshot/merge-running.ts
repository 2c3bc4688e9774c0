// Merges images of a running guest: QEMU commits all of them, and when each is ready the guest goes on without them.

import { setTimeout as delay } from "node:timers/promises";
import { VirtError } from "@virtkit/base/errors";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import { finishJob } from "../block/finish.ts";
import { type BlockJob, jobOfDisk } from "../block/job.ts";
import { ABORT, endBlockJob } from "../block/operations.ts";
import { COMMIT, commit } from "../block/pull-and-commit.ts";
import { jobName, neededDisk } from "../block/start-job.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import type { Merge } from "./merge.ts";

const LOOK_MS = 20;

/** A commit under way, and whether QEMU has said that it is over. */
interface Commit {
	readonly merge: Merge;
	job: BlockJob | undefined;
	concluded: boolean;
}

/** Begins the commit of one disk; one that a former daemon began goes on. */
async function begin(driver: Driver, domain: QemuDomain, run: Run, merge: Merge): Promise<Commit> {
	const path = merge.part.name;
	const disk = neededDisk(run, path);
	const under: Commit = { merge, job: jobOfDisk(run, disk), concluded: false };
	const conclude = (): void => {
		under.concluded = true;
	};
	// Heard of before it begins: a small one is over at once.
	run.blockJobWaits.set(under.job?.name ?? jobName("commit", disk), conclude);
	if (under.job === undefined) {
		const isActive = sourcePath(disk.source) === merge.overlay;
		const request = {
			path,
			base: sourcePath(merge.base.source),
			top: isActive ? undefined : merge.overlay,
			bandwidth: 0n,
		};
		try {
			await commit(driver, domain, request, COMMIT.delete | (isActive ? COMMIT.active : 0));
		} catch (error) {
			run.blockJobWaits.delete(jobName("commit", disk));
			throw error;
		}
		under.job = jobOfDisk(run, disk);
	}
	return under;
}

async function untilReady(run: Run, under: Commit): Promise<void> {
	while (!under.concluded && under.job?.state === "running" && !run.monitor.loss) await delay(LOOK_MS);
	if (run.monitor.loss) throw run.monitor.loss;
}

async function finish(driver: Driver, domain: QemuDomain, run: Run, { merge, job, concluded }: Commit): Promise<void> {
	if (job === undefined) return;
	const { name } = merge.part;
	if (!concluded && job.type === "active-commit") return endBlockJob(driver, domain, name, ABORT.pivot);
	run.blockJobWaits.delete(job.name);
	const failure = await finishJob(driver, domain, run, job);
	if (failure !== undefined)
		throw new VirtError("INTERNAL_ERROR", `block commit failed while deleting disk '${name}' snapshot: '${failure}'`);
}

/** See the opening sentence. Where one fails, those that are not through are given up. */
export async function mergeRunning(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	merges: readonly Merge[],
): Promise<void> {
	const commits: Commit[] = [];
	try {
		for (const merge of merges) commits.push(await begin(driver, domain, run, merge));
		for (const under of commits) await untilReady(run, under);
		for (const under of commits) await finish(driver, domain, run, under);
	} catch (error) {
		for (const { job, concluded, merge } of commits) {
			if (job === undefined || run.monitor.loss || !run.blockJobs.has(job.name)) continue;
			run.blockJobWaits.delete(job.name);
			if (concluded) await finishJob(driver, domain, run, job);
			else await endBlockJob(driver, domain, merge.part.name, 0).catch(() => undefined);
		}
		throw error;
	}
}
