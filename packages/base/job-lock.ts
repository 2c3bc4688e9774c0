// One job at a time per domain, with libvirt's rules: queries and changes wait for each other; a long asynchronous job lets chosen kinds through.

import { VirtError } from "./errors.ts";

/** What a job may do to its domain. `destroy` and `abort` pass while an asynchronous job holds the domain. */
export type JobKind = "query" | "modify" | "destroy" | "suspend" | "abort" | "migration-op";

/** Long jobs, as virsh domjobinfo names their operation. */
export type AsyncJobKind =
	| "start"
	| "save"
	| "restore"
	| "dump"
	| "migration-in"
	| "migration-out"
	| "snapshot"
	| "backup";

/** Kinds that pass while an asynchronous job runs: libvirt's default mask, and what a job may add to it. */
const PASSES_ASYNC: ReadonlySet<JobKind> = new Set(["destroy", "abort", "query"]);

/** libvirt waits this long for the lock before it gives up (QEMU_JOB_WAIT_TIME). */
export const JOB_WAIT_MS = 30_000;

interface Request {
	readonly kind: JobKind;
	readonly async: boolean;
	/** Marks the lock as taken by this request. */
	readonly take: () => void;
}

interface Waiter extends Request {
	readonly grant: () => void;
}

/** The job lock of one domain. */
export class JobLock {
	#holder: { kind: JobKind; what: string } | undefined;
	#async: { kind: AsyncJobKind; what: string; passes: ReadonlySet<JobKind> } | undefined;
	#waiting: Waiter[] = [];

	/** The asynchronous job that runs, for domjobinfo and for the legality of others. */
	get asyncJob(): AsyncJobKind | undefined {
		return this.#async?.kind;
	}

	/** True while nothing holds the lock and nobody waits: the common case, for callers that want to skip the wait. */
	get free(): boolean {
		return !this.#holder && !this.#async && this.#waiting.length === 0;
	}

	/**
	 * Waits for the domain and takes it for a short job; dispose gives it back.
	 * Throws OPERATION_TIMEOUT after `waitMs`, naming the holder, or the signal's reason when aborted.
	 */
	async begin(
		kind: JobKind,
		what: string,
		options: { signal?: AbortSignal; waitMs?: number } = {},
	): Promise<Disposable> {
		const take = (): void => {
			this.#holder = { kind, what };
		};
		if (this.#admits(kind, false)) take();
		else await this.#wait({ kind, async: false, take }, what, options);
		return this.#release(() => {
			this.#holder = undefined;
		});
	}

	/** Waits for the domain and takes it for a long job, during which short jobs of the kinds `passes` may run. */
	async beginAsync(
		kind: AsyncJobKind,
		what: string,
		options: {
			signal?: AbortSignal;
			waitMs?: number;
			passes?: readonly JobKind[];
		} = {},
	): Promise<Disposable> {
		const take = (): void => {
			this.#async = {
				kind,
				what,
				passes: new Set([...PASSES_ASYNC, ...(options.passes ?? [])]),
			};
		};
		if (this.#admits("modify", true)) take();
		else await this.#wait({ kind: "modify", async: true, take }, what, options);
		return this.#release(() => {
			this.#async = undefined;
		});
	}

	#admits(kind: JobKind, async: boolean): boolean {
		if (async) return !this.#holder && !this.#async;
		if (this.#async && !this.#async.passes.has(kind)) return false;
		return !this.#holder || (kind === "abort" && this.#async !== undefined);
	}

	#release(clear: () => void): Disposable {
		let done = false;
		return {
			[Symbol.dispose]: () => {
				if (done) return;
				done = true;
				clear();
				this.#wake();
			},
		};
	}

	#wake(): void {
		for (const waiter of [...this.#waiting]) {
			if (!this.#admits(waiter.kind, waiter.async)) continue;
			this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
			// Taken here and not in the waiter's continuation, so that nobody slips in between.
			waiter.take();
			waiter.grant();
		}
	}

	#wait(request: Request, what: string, options: { signal?: AbortSignal; waitMs?: number }): Promise<void> {
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		const holder = this.#async?.what ?? this.#holder?.what ?? "another job";
		const waiter: Waiter = { ...request, grant: () => finish(resolve) };
		const finish = (settle: () => void): void => {
			clearTimeout(timer);
			options.signal?.removeEventListener("abort", onAbort);
			settle();
		};
		const giveUp = (error: unknown): void => {
			this.#waiting = this.#waiting.filter((other) => other !== waiter);
			finish(() => reject(error));
		};
		const onAbort = (): void => giveUp(options.signal?.reason);
		const timer = setTimeout(
			() =>
				giveUp(new VirtError("OPERATION_TIMEOUT", `cannot acquire state change lock (held by ${holder}) for ${what}`)),
			options.waitMs ?? JOB_WAIT_MS,
		);
		timer.unref();
		if (options.signal?.aborted) onAbort();
		else options.signal?.addEventListener("abort", onAbort, { once: true });
		this.#waiting.push(waiter);
		return promise;
	}
}
