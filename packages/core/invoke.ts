// Carries out one domain operation under its row's rules: access, flags, job, legality. Every front-end comes through here.

import { VirtError } from "@virtkit/base/errors";
import type { JobKind } from "@virtkit/base/job-lock";
import type { CallContext, DomainHandle, DomainOperationName, DomainOperations } from "./domain-operations.ts";
import type { Hypervisor } from "./hypervisor.ts";
import { DOMAIN_OPERATIONS, NOT_RUNNING, type OperationRow } from "./operations.ts";

type Operations = DomainOperations<DomainHandle>;

/** Each operation's own arguments: those between the domain and the flags. */
export type OperationArguments = {
	[N in DomainOperationName]: Parameters<Operations[N]> extends [DomainHandle, ...infer Own, number, CallContext]
		? Own
		: never;
};

/** What each operation comes to. */
export type OperationResults = {
	[N in DomainOperationName]: Awaited<ReturnType<Operations[N]>>;
};

/** Refuses flags outside `allowed`, as libvirt words it. */
export function checkFlags(api: string, flags: number, allowed: number): void {
	const unknown = (flags & ~allowed) >>> 0;
	if (unknown !== 0)
		throw new VirtError("INVALID_ARG", `unsupported flags (0x${unknown.toString(16)}) in function ${api}`);
}

/** Refuses a change on a read-only connection. */
export function checkWritable(api: string, context: CallContext): void {
	if (context.readOnly) throw new VirtError("OPERATION_DENIED", `read only access prevents ${api}`);
}

/** Refuses an operation that the domain's state does not allow. */
export function checkLegal(row: OperationRow, domain: DomainHandle): void {
	const legal = row.legal[domain.stateName];
	if (legal === true) return;
	// That a domain does not run is said by libvirt's code for all drivers, everything else by the driver's own.
	throw new VirtError("OPERATION_INVALID", legal, { domain: legal === NOT_RUNNING ? "DOMAIN" : "QEMU" });
}

/**
 * Runs operation `name` on `domain`.
 *
 * `flags` is checked against the operation's row; `own` are the operation's arguments between the domain and the flags.
 * Operations without a job that answer at once are answered at once, without a promise.
 */
export function invoke<N extends DomainOperationName>(
	hypervisor: Hypervisor,
	name: N,
	domain: DomainHandle,
	flags: number,
	context: CallContext,
	...own: OperationArguments[N]
): OperationResults[N] | Promise<OperationResults[N]> {
	const row = DOMAIN_OPERATIONS[name];
	const operation = hypervisor.operations[name] as Implementation<N> | undefined;
	if (!operation) throw new VirtError("NO_SUPPORT", row.api);
	if (row.writes) checkWritable(row.api, context);
	checkFlags(row.api, flags, row.flags);
	if (row.job === "none") {
		checkLegal(row, domain);
		return operation(domain, ...own, flags, context);
	}
	return underJob(row, domain, context, () => operation(domain, ...own, flags, context));
}

type Implementation<N extends DomainOperationName> = (
	domain: DomainHandle,
	...rest: [...OperationArguments[N], number, CallContext]
) => OperationResults[N] | Promise<OperationResults[N]>;

async function underJob<T>(
	row: OperationRow,
	domain: DomainHandle,
	context: CallContext,
	run: () => T | Promise<T>,
): Promise<T> {
	using _job =
		typeof row.job === "object"
			? await domain.lock.beginAsync(row.job.async, row.api, {
					signal: context.signal,
				})
			: await domain.lock.begin(row.job as JobKind, row.api, {
					signal: context.signal,
				});
	checkLegal(row, domain);
	return await run();
}
