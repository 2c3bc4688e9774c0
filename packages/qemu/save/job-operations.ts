// Watching and aborting the long job of a domain.

import { VirtError } from "@virtkit/base/errors";
import type { AsyncJobKind } from "@virtkit/base/job-lock";
import type { JobStats } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import { completedJob, currentJob } from "./domain-job.ts";
import { memoryDumpParams, migrationParams } from "./job-statistics.ts";

/** virDomainJobType. */
const JOB_TYPE = { none: 0, unbounded: 2, completed: 3 } as const;
/** virDomainGetJobStatsFlags. */
const STATS_FLAG = { completed: 1, keepCompleted: 2 } as const;

const NO_JOB: JobStats = { type: JOB_TYPE.none, params: [] };

/** What is known of the job under way, or of the last one that succeeded. */
export async function jobStats(domain: QemuDomain, flags: number): Promise<JobStats> {
	if (flags & STATS_FLAG.completed) {
		const params = completedJob(domain, (flags & STATS_FLAG.keepCompleted) !== 0);
		return params === undefined ? NO_JOB : { type: JOB_TYPE.completed, params };
	}
	const run = domain.activeRun();
	const job = currentJob(domain);
	if (job === undefined || !run.connected) return NO_JOB;
	const params =
		job.statistics === "migration"
			? migrationParams(job, await run.monitor.execute("query-migrate"))
			: memoryDumpParams(job, await run.monitor.execute("query-dump"));
	return { type: JOB_TYPE.unbounded, params };
}

/** Jobs that cannot be aborted, and why. */
const UNABORTABLE: Partial<Record<AsyncJobKind, string>> = {
	"migration-in": "cannot abort incoming migration; use virDomainDestroy instead",
	start: "cannot abort VM start; use virDomainDestroy instead",
};

/** Ends the job under way; what it was doing is undone by who does it. */
export function abortJob(domain: QemuDomain): void {
	const kind = domain.lock.asyncJob;
	const job = currentJob(domain);
	const refusal = kind === undefined ? "no job is active on the domain" : UNABORTABLE[kind];
	if (refusal !== undefined) throw new VirtError("OPERATION_INVALID", refusal);
	if (job?.statistics === "memory-dump") throw new VirtError("OPERATION_INVALID", "cannot abort memory-only dump");
	job?.abort();
}
