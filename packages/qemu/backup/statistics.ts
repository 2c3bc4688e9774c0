// How far a backup is, as typed parameters under libvirt's names.

import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { BackupDef } from "@virtkit/model/backup/backup";
import type { Run } from "../domain/run.ts";
import { type DomainJob, JOB_OPERATION } from "../save/domain-job.ts";

/** Bytes copied, of so many. */
export interface Progress {
	readonly done: number;
	readonly total: number;
}

/** What is known of a backup; `more` is what its jobs under way have to add, `success` how it ended. */
export function backupParams(job: DomainJob, def: BackupDef, more: Progress, success?: boolean): TypedParam[] {
	const done = (def.done ?? 0n) + BigInt(more.done);
	const total = (def.total ?? 0n) + BigInt(more.total);
	return [
		param.int("operation", JOB_OPERATION.backup),
		param.ullong("time_elapsed", job.elapsed),
		...(done > 0n || total > 0n ? figures(def.mode, done, total) : []),
		...(success === undefined ? [] : [param.boolean("success", success)]),
		...(def.failure === undefined ? [] : [param.string("errmsg", def.failure)]),
	];
}

function figures(mode: BackupDef["mode"], done: bigint, total: bigint): TypedParam[] {
	if (mode === "pull") return [param.ullong("disk_temp_used", done), param.ullong("disk_temp_total", total)];
	return [
		param.ullong("disk_total", total),
		param.ullong("disk_processed", done),
		param.ullong("disk_remaining", total - done),
	];
}

/** What the jobs of the backup under way say now. */
export async function progressOf(run: Run): Promise<Progress> {
	const names = new Set([...run.blockJobs.values()].filter(({ type }) => type === "backup").map(({ name }) => name));
	const jobs = (await run.monitor.execute("query-jobs")).filter(({ id }) => names.has(id));
	return {
		done: jobs.reduce((sum, job) => sum + job["current-progress"], 0),
		total: jobs.reduce((sum, job) => sum + job["total-progress"], 0),
	};
}
