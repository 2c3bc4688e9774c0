// Long jobs of domains as clients watch and abort them: saving, dumping, restoring.

import { VirtError } from "@virtkit/base/errors";
import type { TypedParam } from "@virtkit/core/typed-params";
import type { QemuDomain } from "../domain/domain.ts";

/** virDomainJobOperation. */
export const JOB_OPERATION = {
	start: 1,
	save: 2,
	restore: 3,
	"migration-in": 4,
	"migration-out": 5,
	snapshot: 6,
	"snapshot-revert": 7,
	dump: 8,
	backup: 9,
	"snapshot-delete": 10,
} as const;
export type JobOperation = keyof typeof JOB_OPERATION;

/** How messages call the jobs. */
const NAMES: Readonly<Record<JobOperation, string>> = {
	start: "start",
	save: "domain save",
	restore: "start",
	"migration-in": "migration in",
	"migration-out": "migration out",
	snapshot: "snapshot",
	"snapshot-revert": "snapshot revert",
	"snapshot-delete": "snapshot delete",
	dump: "domain core dump",
	backup: "backup",
};

/** What QEMU counts for the job: its migration, its dump of memory alone, its copies of disks. */
export type JobStatistics = "migration" | "memory-dump" | "backup";

/** Bytes of disks. */
export interface DiskFigures {
	readonly total: number;
	readonly processed: number;
}

/** A job under way. */
export class DomainJob {
	readonly operation: JobOperation;
	statistics: JobStatistics = "migration";
	/** The guest may go over before all of its memory has. */
	postcopy = false;
	/** Tells how far disks are that are copied meanwhile. */
	disks: { figures(): Promise<DiskFigures> } | undefined;
	readonly #started: number;
	readonly #abort = new AbortController();

	/** `since`: when it began, in milliseconds since 1970, where that was before. */
	constructor(operation: JobOperation, since = Date.now()) {
		this.operation = operation;
		this.#started = performance.now() - Math.max(0, Date.now() - since);
	}

	/** How messages call it. */
	get name(): string {
		return NAMES[this.operation];
	}

	/** Milliseconds since it began. */
	get elapsed(): bigint {
		return BigInt(Math.floor(performance.now() - this.#started));
	}

	/** Aborts when a client asked for that. */
	get aborted(): AbortSignal {
		return this.#abort.signal;
	}

	abort(): void {
		this.#abort.abort();
	}

	/** The error of a job that its client ended. */
	abortedError(): VirtError {
		return new VirtError("OPERATION_ABORTED", `job '${this.name}' canceled by client`);
	}
}

/** What is known of a job that is over. */
export interface CompletedJob {
	/** virDomainJobType. */
	readonly type: number;
	readonly params: readonly TypedParam[];
}

/** virDomainJobType of a job that succeeded. */
const COMPLETED = 3;

interface Jobs {
	current?: DomainJob | undefined;
	completed?: CompletedJob | undefined;
}

const JOBS = new WeakMap<QemuDomain, Jobs>();

function jobsOf(domain: QemuDomain): Jobs {
	let jobs = JOBS.get(domain);
	if (jobs === undefined) JOBS.set(domain, (jobs = {}));
	return jobs;
}

/** The job under way. */
export const currentJob = (domain: QemuDomain): DomainJob | undefined => JOBS.get(domain)?.current;

/** Does `work` as the domain's job; the caller holds the domain's lock. */
export async function asJob<T>(
	domain: QemuDomain,
	operation: JobOperation,
	work: (job: DomainJob) => Promise<T>,
): Promise<T> {
	const jobs = jobsOf(domain);
	const job = new DomainJob(operation);
	jobs.current = job;
	jobs.completed = undefined;
	try {
		return await work(job);
	} finally {
		jobs.current = undefined;
	}
}

/** The job goes on after the work that began it. Disposing what is answered ends it. */
export function goOn(domain: QemuDomain, job: DomainJob): Disposable {
	const jobs = jobsOf(domain);
	jobs.current = job;
	return {
		[Symbol.dispose]: () => {
			if (jobs.current === job) jobs.current = undefined;
		},
	};
}

/** A job that goes on when the call that began it has returned. */
export interface OpenJob extends DomainJob {
	/** It is over. */
	close(): void;
}

/** Begins such a job; `since` is when it began, in milliseconds since 1970. */
export function openJob(
	domain: QemuDomain,
	operation: JobOperation,
	statistics: JobStatistics,
	since: number,
): OpenJob {
	const jobs = jobsOf(domain);
	const job = Object.assign(new DomainJob(operation, since), {
		close: () => {
			if (jobs.current === job) jobs.current = undefined;
		},
	});
	job.statistics = statistics;
	jobs.current = job;
	jobs.completed = undefined;
	return job;
}

/** Keeps what is known of the job that is just over, by virDomainJobType. */
export function keepCompleted(domain: QemuDomain, params: readonly TypedParam[], type = COMPLETED): void {
	jobsOf(domain).completed = { type, params };
}

/** What is known of the last job that is over; told once unless `keep`. */
export function completedJob(domain: QemuDomain, keep: boolean): CompletedJob | undefined {
	const jobs = JOBS.get(domain);
	if (jobs === undefined || jobs.current !== undefined) return undefined;
	const { completed } = jobs;
	if (!keep) jobs.completed = undefined;
	return completed;
}
