// One answer that is being waited for, with its deadline and abort signal.

import { VirtError } from "@virtkit/base/errors";

/** How long and under whose control to wait for one answer. */
export interface CallOptions {
	/** Milliseconds from the call to its answer; Infinity waits for ever. */
	readonly deadlineMs?: number | undefined;
	readonly signal?: AbortSignal | undefined;
}

/** A promise that settles once: by an answer, a failure, its deadline or its signal. */
export class Pending<T> {
	readonly promise: Promise<T>;
	readonly #resolve: (value: T) => void;
	readonly #reject: (reason: VirtError) => void;
	readonly #timer: NodeJS.Timeout | undefined;
	readonly #unlisten: (() => void) | undefined;
	settled = false;

	/** `what` completes "… was aborted" and "… within 5 ms": the thing that does not happen, for the messages. */
	constructor(what: string, { deadlineMs = Number.POSITIVE_INFINITY, signal }: CallOptions) {
		const { promise, resolve, reject } = Promise.withResolvers<T>();
		this.promise = promise;
		this.#resolve = resolve;
		this.#reject = reject;
		if (Number.isFinite(deadlineMs))
			this.#timer = setTimeout(
				() => this.reject(new VirtError("OPERATION_TIMEOUT", `${what} within ${deadlineMs} ms`)),
				deadlineMs,
			);
		if (signal === undefined) return;
		const abort = () =>
			this.reject(new VirtError("OPERATION_ABORTED", `${what} before it was aborted`, { cause: signal.reason }));
		signal.addEventListener("abort", abort);
		this.#unlisten = () => signal.removeEventListener("abort", abort);
		if (signal.aborted) abort();
	}

	resolve(value: T): void {
		if (this.#settle()) this.#resolve(value);
	}

	reject(reason: VirtError): void {
		if (this.#settle()) this.#reject(reason);
	}

	#settle(): boolean {
		if (this.settled) return false;
		this.settled = true;
		clearTimeout(this.#timer);
		this.#unlisten?.();
		return true;
	}
}
