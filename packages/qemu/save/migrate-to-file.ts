// Has QEMU write a guest's whole state where a descriptor stands, by migration, under the eyes of a job that can be aborted.

import { setTimeout as delay } from "node:timers/promises";
import { VirtError } from "@virtkit/base/errors";
import type { MigrationInfo } from "@virtkit/qapi/schema.gen";
import type { QmpClient } from "@virtkit/qmp/client";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { type DomainJob, keepCompleted } from "./domain-job.ts";
import { migrationParams } from "./job-statistics.ts";

/** Name by which QEMU keeps the descriptor until it is used. */
const DESCRIPTOR = "migrate";
/** Bytes a second: a disk needs no limit. The highest number that every JSON reader takes. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

const ENDS: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);

/** Refuses what QEMU says it cannot migrate. */
export async function checkMigratable({ monitor }: Run): Promise<void> {
	const { "blocked-reasons": reasons = [] } = await monitor.execute("query-migrate");
	if (reasons.length > 0) throw new VirtError("OPERATION_INVALID", `cannot migrate domain: ${reasons.join("; ")}`);
}

/** Has QEMU tell of the states its migrations come to. */
export const announceMigration = (monitor: QmpClient) =>
	monitor.execute("migrate-set-capabilities", { capabilities: [{ capability: "events", state: true }] });

/**
 * Writes the guest's state; the guest stands still when this is done. `handedOver` is called once QEMU has the descriptor.
 *
 * Throws OPERATION_ABORTED where a client ended the job, OPERATION_FAILED with what QEMU said where it failed.
 */
export async function migrateToFile(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	job: DomainJob,
	fd: number,
	handedOver = () => {},
): Promise<void> {
	const { monitor } = run;
	const [, before] = await Promise.all([
		announceMigration(monitor),
		monitor.execute("query-migrate-parameters"),
		monitor.execute("migrate-set-parameters", { "max-bandwidth": UNLIMITED }),
	]);
	try {
		await monitor.sendWithFd(fd, "getfd", { fdname: DESCRIPTOR });
		handedOver();
		const info = await migrate(monitor, job);
		const params = migrationParams(job, info);
		keepCompleted(domain, params);
		driver.emit("job-completed", domain.ref, { params });
	} finally {
		if (!monitor.loss)
			await monitor
				.execute("migrate-set-parameters", { "max-bandwidth": before["max-bandwidth"] })
				.catch(() => undefined);
	}
}

async function migrate(monitor: QmpClient, job: DomainJob): Promise<MigrationInfo> {
	const ended = monitor.waitForEvent("MIGRATION", ({ data }) => ENDS.has(data.status));
	ended.catch(() => undefined);
	return underJob(monitor, job, `fd:${DESCRIPTOR}`, async () => outcome(monitor, job, (await ended).data.status));
}

/** Begins a migration to `uri` and does `work` while it goes on; the job's abort cancels it. */
export async function underJob<T>(monitor: QmpClient, job: DomainJob, uri: string, work: () => Promise<T>): Promise<T> {
	if (job.aborted.aborted) throw job.abortedError();
	await monitor.execute("migrate", { uri });
	const cancel = () => void monitor.execute("migrate_cancel").catch(() => undefined);
	if (job.aborted.aborted) cancel();
	job.aborted.addEventListener("abort", cancel);
	try {
		return await work();
	} finally {
		job.aborted.removeEventListener("abort", cancel);
	}
}

async function outcome(monitor: QmpClient, job: DomainJob, status: string): Promise<MigrationInfo> {
	const info = await monitor.execute("query-migrate");
	if (status === "completed") {
		await finalized(monitor);
		return info;
	}
	if (status === "cancelled" || job.aborted.aborted) throw job.abortedError();
	const why = info["error-desc"];
	throw new VirtError(
		"OPERATION_FAILED",
		why === undefined ? `job '${job.name}' unexpectedly failed` : `job '${job.name}' failed: ${why}`,
	);
}

/** QEMU tells the end of a migration a moment before its guest can go on, and tells nothing at that moment. */
async function finalized(monitor: QmpClient): Promise<void> {
	for (let pause = 1; (await monitor.execute("query-status")).status === "finish-migrate"; pause *= 2)
		await delay(pause);
}
