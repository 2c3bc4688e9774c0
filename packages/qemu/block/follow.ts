// Follows block jobs as QEMU tells of them, and finds them again after the daemon was away.

import { toVirtError } from "@virtkit/base/errors";
import { continueBackup, settleLostJob } from "../backup/recover.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import type { EventHandlers, EventSource } from "../events/handler.ts";
import { saveStatus } from "../lifecycle/status-file.ts";
import { finishJob, tellJob } from "./finish.ts";
import { type BlockJob, diskOfJob } from "./job.ts";

export const blockJobEvents: EventHandlers = {
	JOB_STATUS_CHANGE(source, { id, status }) {
		const job = source.run.blockJobs.get(id);
		if (job) jobChanged(source, job, status);
	},
};

type Where = Pick<EventSource, "driver" | "domain" | "run">;

function jobChanged(where: Where, job: BlockJob, status: string): void {
	const { driver, domain, run } = where;
	if (status === "ready" && job.state === "running") {
		job.state = "ready";
		const disk = diskOfJob(run, job);
		if (disk?.mirror) disk.mirror.ready = "yes";
		run.live.changed();
		saveStatus(driver, domain);
		tellJob(driver, domain, job, disk, "ready");
	}
	if (status !== "concluded") return;
	const waiting = run.blockJobWaits.get(job.name);
	if (waiting) return waiting();
	void finishLater(where, job);
}

async function finishLater({ driver, domain, run }: Where, job: BlockJob): Promise<void> {
	try {
		using _job = await domain.lock.begin("modify", `the end of block job '${job.name}'`);
		if (domain.run === run && !run.monitor.loss) await finishJob(driver, domain, run, job);
	} catch (error) {
		driver.log.error(`the end of block job '${job.name}' of '${domain.name}': ${toVirtError(error).message}`, {
			error,
		});
	}
}

/** Brings the jobs of a guest taken over up to date. The caller holds its lock. */
export async function refreshJobs(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	if (run.blockJobs.size === 0 && run.backup === undefined) return;
	const known = new Map((await run.monitor.execute("query-jobs")).map(({ id, status }) => [id, status]));
	for (const job of [...run.blockJobs.values()]) {
		const status = known.get(job.name);
		// Noted, but the daemon was killed before QEMU heard of it.
		if (status === undefined && job.type === "backup") await settleLostJob(driver, domain, run, job);
		else if (status === undefined) {
			run.blockJobs.delete(job.name);
			delete diskOfJob(run, job)?.mirror;
		} else if (status === "concluded") await finishJob(driver, domain, run, job);
		else jobChanged({ driver, domain, run }, job, status);
	}
	await continueBackup(driver, run);
}
