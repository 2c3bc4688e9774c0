// Carries out one domain operation under its row's rules: access, flags, job, legality. Every front-end comes through here.

import { VirtError } from "@virtkit/base/errors";
import type {
	CallContext,
	DomainHandle,
	DomainOperationName,
	DomainOperations,
} from "./domain-operations.ts";
import type { Hypervisor } from "./hypervisor.ts";
import { DOMAIN_OPERATIONS, type OperationRow } from "./operations.ts";

type Operation<N extends DomainOperationName> =
	DomainOperations<DomainHandle>[N];
type Rest<N extends DomainOperationName> =
	Parameters<Operation<N>> extends [DomainHandle, ...infer R] ? R : never;
type Result<N extends DomainOperationName> = ReturnType<Operation<N>>;

/** Refuses flags outside `allowed`, as libvirt words it. */
export function checkFlags(api: string, flags: number, allowed: number): void {
	const unknown = (flags & ~allowed) >>> 0;
	if (unknown !== 0)
		throw new VirtError(
			"INVALID_ARG",
			`unsupported flags (0x${unknown.toString(16)}) in function ${api}`,
		);
}

/** Refuses a change on a read-only connection. */
export function checkWritable(api: string, context: CallContext): void {
	if (context.readOnly)
		throw new VirtError("OPERATION_DENIED", `read only access prevents ${api}`);
}

/** Refuses an operation that the domain's state does not allow. */
export function checkLegal(row: OperationRow, domain: DomainHandle): void {
	const legal = row.legal[domain.stateName];
	if (legal !== true) throw new VirtError("OPERATION_INVALID", legal);
}

/**
 * Runs operation `name` on `domain`.
 *
 * `flags` is checked against the operation's row; `rest` are the operation's own arguments after the domain.
 * Operations without a job that answer at once are answered at once, without a promise.
 */
export function invoke<N extends DomainOperationName>(
	hypervisor: Hypervisor,
	name: N,
	domain: DomainHandle,
	flags: number,
	context: CallContext,
	...rest: Rest<N>
): Result<N> | Promise<Awaited<Result<N>>> {
	const row = DOMAIN_OPERATIONS[name];
	const operation = hypervisor.operations[name] as
		| ((domain: DomainHandle, ...rest: Rest<N>) => Result<N>)
		| undefined;
	if (!operation) throw new VirtError("NO_SUPPORT", row.api);
	if (row.writes) checkWritable(row.api, context);
	checkFlags(row.api, flags, row.flags);
	if (row.job === "none") {
		checkLegal(row, domain);
		return operation(domain, ...rest);
	}
	return underJob(row, domain, context, () =>
		operation(domain, ...rest),
	) as Promise<Awaited<Result<N>>>;
}

async function underJob<T>(
	row: OperationRow,
	domain: DomainHandle,
	context: CallContext,
	run: () => T,
): Promise<Awaited<T>> {
	using _job =
		typeof row.job === "object"
			? await domain.lock.beginAsync(row.job.async, row.api, {
					signal: context.signal,
				})
			: await domain.lock.begin(
					row.job as Exclude<OperationRow["job"], object | "none">,
					row.api,
					{ signal: context.signal },
				);
	checkLegal(row, domain);
	return await run();
}
