// Waits for a block job to end or to be ready, showing how far it is.

import type { Domain } from "@virtkit/client/sdk/domain";
import { type CliContext, CommandError, orFail, SilentFailure } from "../context.ts";

/** How a job came to its end (virConnectDomainEventBlockJobStatus). */
export const BLOCK_JOB_STATUS = { completed: 0, failed: 1, canceled: 2, ready: 3 } as const;
const ABORT_ASYNC = 1;
const POLL_MS = 500;

/** `label: [ 42 %]` in the place of the one before, on standard error, so that output stays what was asked for. */
export function showProgress(context: CliContext, label: string, remaining: bigint, total: bigint): void {
	const done = total === 0n ? 0 : 100 - Math.floor(Number((remaining * 100n) / total));
	const percent = remaining === 0n ? 100 : Math.min(99, done);
	context.terminal.err(`\r${label}: [${String(percent).padStart(3)} %]`);
}

export interface BlockWait {
	/** The disk's target, or its source. */
	readonly disk: string;
	/** What the progress is called. */
	readonly label: string;
	readonly verbose: boolean;
	readonly async: boolean;
	/** Seconds, after which the job is aborted. */
	readonly timeout: number | undefined;
}

/**
 * Starts a job and waits until it ended or is ready; aborts it when interrupted or when the time is up.
 *
 * The result is how it ended. Events are listened to before the job starts: a quick one is over before any question.
 */
export async function runBlockJob(
	context: CliContext,
	domain: Domain,
	wait: BlockWait,
	start: () => Promise<unknown>,
): Promise<number> {
	const connection = await context.connection;
	await using events = await connection.openEvents({ kinds: ["block-job", "block-job-legacy"], domain });
	await start();
	const { promise: interrupted, resolve: interrupt } = Promise.withResolvers<"stop">();
	const onSignal = (): void => interrupt("stop");
	process.once("SIGINT", onSignal);
	const timer = wait.timeout === undefined ? undefined : setTimeout(onSignal, wait.timeout * 1000);
	const ended = (async (): Promise<number> => {
		for await (const event of events) {
			const named = event.kind === "block-job" ? event.target : event.kind === "block-job-legacy" ? event.path : "";
			if (named === wait.disk && "status" in event) return event.status;
		}
		return BLOCK_JOB_STATUS.failed;
	})();
	try {
		for (;;) {
			const pause = new Promise<"look">((resolve) => setTimeout(() => resolve("look"), POLL_MS));
			const next = await Promise.race([ended, interrupted, pause]);
			if (next === "stop") return await abort(domain, wait);
			if (next !== "look") return finish(context, wait, next);
			await look(context, domain, wait);
		}
	} finally {
		clearTimeout(timer);
		process.off("SIGINT", onSignal);
	}
}

function finish(context: CliContext, { verbose, label }: BlockWait, status: number): number {
	if (verbose && (status === BLOCK_JOB_STATUS.completed || status === BLOCK_JOB_STATUS.ready))
		showProgress(context, label, 0n, 1n);
	return status;
}

async function look(context: CliContext, domain: Domain, { disk, label, verbose }: BlockWait): Promise<void> {
	if (!verbose) return;
	const ask = domain.call("DOMAIN_GET_BLOCK_JOB_INFO", { path: disk, flags: 0 });
	const { found, cur, end } = await orFail(`failed to query job for disk ${disk}`, ask);
	if (found && end > 0n) showProgress(context, label, end - cur, end);
}

async function abort(domain: Domain, { disk, async }: BlockWait): Promise<number> {
	const call = domain.call("DOMAIN_BLOCK_JOB_ABORT", { path: disk, flags: async ? ABORT_ASYNC : 0 });
	await orFail(`failed to abort job for disk '${disk}'`, call);
	return BLOCK_JOB_STATUS.canceled;
}

/** Tells of a job that did not come to its end, and fails. */
export function failUnlessDone(context: CliContext, what: string, status: number): void {
	if (status === BLOCK_JOB_STATUS.completed || status === BLOCK_JOB_STATUS.ready) return;
	context.sayInline(`\n${what} ${status === BLOCK_JOB_STATUS.canceled ? "aborted" : "failed"}`);
	throw new SilentFailure();
}

/** What waiting needs of a command's options. Throws in virsh's words. */
export function checkWaiting(
	args: { readonly verbose: boolean; readonly async: boolean; readonly timeout?: number | undefined },
	blocking: boolean,
	enders: string,
): void {
	const { timeout } = args;
	if (timeout !== undefined && (timeout <= 0 || timeout > 2147483))
		throw new CommandError(`Numeric value '${timeout}' for <timeout> option is malformed or out of range`);
	if (blocking || timeout !== undefined) return;
	for (const one of ["verbose", "async"] as const)
		if (args[one])
			throw new CommandError(`--${one} requires at least one of --timeout, --wait, --pivot, or --${enders}`);
}
