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
};

/** What QEMU counts for the job: its migration, or its dump of memory alone. */
export type JobStatistics = "migration" | "memory-dump";

/** A job under way. */
export class DomainJob {
	readonly operation: JobOperation;
	statistics: JobStatistics = "migration";
	readonly #started = performance.now();
	readonly #abort = new AbortController();

	constructor(operation: JobOperation) {
		this.operation = operation;
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

interface Jobs {
	current?: DomainJob | undefined;
	completed?: readonly TypedParam[] | undefined;
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

/** Keeps what is known of the job that has just succeeded. */
export function keepCompleted(domain: QemuDomain, params: readonly TypedParam[]): void {
	jobsOf(domain).completed = params;
}

/** What is known of the last job that succeeded; told once unless `keep`. */
export function completedJob(domain: QemuDomain, keep: boolean): readonly TypedParam[] | undefined {
	const jobs = JOBS.get(domain);
	if (jobs === undefined || jobs.current !== undefined) return undefined;
	const { completed } = jobs;
	if (!keep) jobs.completed = undefined;
	return completed;
}
