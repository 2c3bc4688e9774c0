// Watching and aborting the long job of a domain.

import { VirtError } from "@virtkit/base/errors";
import type { AsyncJobKind } from "@virtkit/base/job-lock";
import type { JobStats } from "@virtkit/core/domain-operations";
import type { TypedParam } from "@virtkit/core/typed-params";
import { cancelBackup } from "../backup/end.ts";
import { backupParams, progressOf } from "../backup/statistics.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { hasGoneOver } from "../migration/postcopy.ts";
import { completedJob, currentJob, type DomainJob, type JobStatistics } from "./domain-job.ts";
import { memoryDumpParams, migrationParams } from "./job-statistics.ts";

/** virDomainJobType. */
const JOB_TYPE = { none: 0, unbounded: 2 } as const;
/** virDomainGetJobStatsFlags. */
const STATS_FLAG = { completed: 1, keepCompleted: 2 } as const;

/** VIR_DOMAIN_ABORT_JOB_POSTCOPY */
const ABORT_POSTCOPY = 1;

const NO_JOB: JobStats = { type: JOB_TYPE.none, params: [] };

/** What is known of the job under way, or of the last one that succeeded. */
export async function jobStats(domain: QemuDomain, flags: number): Promise<JobStats> {
	if (flags & STATS_FLAG.completed) {
		return completedJob(domain, (flags & STATS_FLAG.keepCompleted) !== 0) ?? NO_JOB;
	}
	const run = domain.activeRun();
	const job = currentJob(domain);
	if (job === undefined || !run.connected) return NO_JOB;
	return { type: JOB_TYPE.unbounded, params: await STATISTICS[job.statistics](job, run) };
}

/** What is known of the job under way, by what QEMU counts for it. */
const STATISTICS: Readonly<Record<JobStatistics, (job: DomainJob, run: Run) => TypedParam[] | Promise<TypedParam[]>>> =
	{
		migration: async (job, { monitor }) =>
			migrationParams(job, await monitor.execute("query-migrate"), await job.disks?.figures()),
		"memory-dump": async (job, { monitor }) => memoryDumpParams(job, await monitor.execute("query-dump")),
		backup: async (job, run) => (run.backup ? backupParams(job, run.backup.def, await progressOf(run)) : []),
	};

/** Jobs that cannot be aborted, and why. */
const UNABORTABLE: Partial<Record<AsyncJobKind, string>> = {
	"migration-in": "cannot abort incoming migration; use virDomainDestroy instead",
	start: "cannot abort VM start; use virDomainDestroy instead",
};

/** A post-copy cannot be taken back, but paused, until it is resumed. */
async function pausePostcopy(domain: QemuDomain, flags: number): Promise<void> {
	if (!(flags & ABORT_POSTCOPY)) throw new VirtError("OPERATION_INVALID", "cannot abort migration in post-copy mode");
	await domain.activeRun().monitor.execute("migrate-pause");
}

/** Ends the job under way; what it was doing is undone by who does it. */
export async function abortJob(driver: Driver, domain: QemuDomain, flags: number): Promise<void> {
	if (hasGoneOver(domain)) return pausePostcopy(domain, flags);
	if (flags & ABORT_POSTCOPY)
		throw new VirtError("OPERATION_INVALID", "current job is not outgoing migration in post-copy mode");
	const kind = domain.lock.asyncJob;
	const job = currentJob(domain);
	const refusal = kind === undefined ? "no job is active on the domain" : UNABORTABLE[kind];
	if (refusal !== undefined) throw new VirtError("OPERATION_INVALID", refusal);
	if (job?.statistics === "memory-dump") throw new VirtError("OPERATION_INVALID", "cannot abort memory-only dump");
	if (kind === "backup") await cancelBackup(driver, domain, domain.activeRun());
	else job?.abort();
}
