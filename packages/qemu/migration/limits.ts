// Limits of migrations that are set beforehand or while one goes on: its speed, the guest's longest standstill, the cache of pages.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { MigrateSetParametersArg } from "@virtkit/qapi/schema.gen";
import type { QemuDomain } from "../domain/domain.ts";

const MIB = 1024n ** 2n;
/** MiB a second that stand for no limit: more does not fit QEMU's number of bytes. */
export const NO_SPEED_LIMIT = (2n ** 63n - 1n) / MIB;
/** The same after the guest has gone over. */
export const NO_POSTCOPY_LIMIT = (2n ** 64n - 1n) / MIB;

/** VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY */
const POSTCOPY = 1;

/** Speeds that were set, in MiB a second. */
const SPEEDS = new WeakMap<QemuDomain, bigint>();

/** How fast the domain's migrations may go unless they are told: MiB a second. */
export const migrationSpeed = (domain: QemuDomain): bigint => SPEEDS.get(domain) ?? NO_SPEED_LIMIT;

/** Bytes a second as QEMU takes them: no more than every reader of JSON tells exactly. */
export function bytesOf(speed: bigint, limit = NO_SPEED_LIMIT): number {
	if (speed > limit) throw new VirtError("OVERFLOW", `bandwidth must be less than ${limit + 1n}`);
	return Math.min(Number(speed * MIB), Number.MAX_SAFE_INTEGER);
}

async function read(domain: QemuDomain, name: keyof MigrateSetParametersArg, what: string): Promise<bigint> {
	const value = (await domain.activeRun().monitor.execute("query-migrate-parameters"))[name];
	if (typeof value !== "number") throw new VirtError("OPERATION_INVALID", `${what} is not supported by QEMU binary`);
	return BigInt(value);
}

const write = (domain: QemuDomain, values: MigrateSetParametersArg): Promise<unknown> =>
	domain.activeRun().monitor.execute("migrate-set-parameters", values);

async function setSpeed(domain: QemuDomain, speed: bigint, flags: number): Promise<void> {
	if (flags & POSTCOPY) {
		await write(domain, { "max-postcopy-bandwidth": bytesOf(speed, NO_POSTCOPY_LIMIT) });
		return;
	}
	const bytes = bytesOf(speed);
	if (domain.run) await write(domain, { "max-bandwidth": bytes });
	SPEEDS.set(domain, speed);
}

export function limitOperations(): Pick<
	DomainOperations<QemuDomain>,
	| "migrateSetMaxDowntime"
	| "migrateMaxDowntime"
	| "migrateSetMaxSpeed"
	| "migrateMaxSpeed"
	| "migrateSetCompressionCache"
	| "migrateCompressionCache"
> {
	return {
		migrateSetMaxDowntime: async (domain, downtime) => {
			await write(domain, { "downtime-limit": Number(downtime) });
		},
		migrateMaxDowntime: (domain) => read(domain, "downtime-limit", "Querying migration downtime"),
		migrateSetMaxSpeed: setSpeed,
		migrateMaxSpeed: async (domain, flags) =>
			flags & POSTCOPY
				? (await read(domain, "max-postcopy-bandwidth", "querying maximum post-copy migration speed")) / MIB
				: migrationSpeed(domain),
		migrateSetCompressionCache: async (domain, size) => {
			await write(domain, { "xbzrle-cache-size": Number(size) });
		},
		migrateCompressionCache: (domain) => read(domain, "xbzrle-cache-size", "Compressed migration"),
	};
}
