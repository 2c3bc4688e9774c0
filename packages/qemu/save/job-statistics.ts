// Statistics of jobs as typed parameters: QEMU's figures of a migration or a memory dump under libvirt's names.

import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { MigrationInfo, QueryDumpRet } from "@virtkit/qapi/schema.gen";
import { type DiskFigures, type DomainJob, JOB_OPERATION } from "./domain-job.ts";

type Ram = NonNullable<MigrationInfo["ram"]>;

/** QEMU counts a guest's memory per second in Mbit. */
const BYTES_IN_MBIT = (1000 * 1000) / 8;

/** Figures of the memory, in the order in which libvirt lists them. */
const MEMORY: readonly (readonly [field: string, value: (ram: Ram) => number | undefined])[] = [
	["memory_total", ({ total }) => total],
	["memory_processed", ({ transferred }) => transferred],
	["memory_remaining", ({ remaining }) => remaining],
	["memory_bps", ({ mbps }) => Math.floor(mbps * BYTES_IN_MBIT) || undefined],
	["memory_constant", ({ duplicate }) => duplicate],
	["memory_normal", ({ normal }) => normal],
	["memory_normal_bytes", (ram) => ram["normal-bytes"]],
	["memory_dirty_rate", (ram) => ram["dirty-pages-rate"]],
	["memory_iteration", (ram) => ram["dirty-sync-count"]],
	["memory_postcopy_requests", (ram) => ram["postcopy-requests"]],
	["memory_page_size", (ram) => ram["page-size"] || undefined],
];

const NOTHING: Partial<Ram> = { total: 0, transferred: 0, remaining: 0, mbps: 0 };

const figure = (field: string, value: number | undefined): TypedParam[] =>
	value === undefined ? [] : [param.ullong(field, BigInt(value))];

const beginning = (job: DomainJob): TypedParam[] => [
	param.int("operation", JOB_OPERATION[job.operation]),
	param.ullong("time_elapsed", job.elapsed),
];

/** What is known of a job that migrates, and of disks that go along. */
export function migrationParams(job: DomainJob, info: MigrationInfo, disks?: DiskFigures): TypedParam[] {
	const { total, processed } = disks ?? { total: 0, processed: 0 };
	const ram = { ...NOTHING, ...info.ram } as Ram;
	return [
		...beginning(job),
		...figure("downtime", info.downtime),
		...figure("setup_time", info["setup-time"]),
		...figure("data_total", ram.total + total),
		...figure("data_processed", ram.transferred + processed),
		...figure("data_remaining", ram.remaining + total - processed),
		...MEMORY.flatMap(([field, value]) => figure(field, value(ram))),
		...figure("disk_total", disks && total),
		...figure("disk_processed", disks && processed),
		...figure("disk_remaining", disks && total - processed),
	];
}

/** What is known of a job that dumps memory alone. */
export function memoryDumpParams(job: DomainJob, { total, completed }: QueryDumpRet): TypedParam[] {
	return [
		...beginning(job),
		...figure("memory_total", total),
		...figure("memory_processed", completed),
		...figure("memory_remaining", total - completed),
	];
}
