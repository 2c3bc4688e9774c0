// Has QEMU send a guest to another host. Only the daemon lets it switch over: a QEMU whose daemon is gone keeps its guest.

import { VirtError } from "@virtkit/base/errors";
import type { MigrationInfo } from "@virtkit/qapi/schema.gen";
import type { QmpClient } from "@virtkit/qmp/client";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { saveStatus, saveStatusNow } from "../lifecycle/status-file.ts";
import { type DomainJob, keepCompleted } from "../save/domain-job.ts";
import { checkStillThere, resumeGuest } from "../save/hold-still.ts";
import { migrationParams } from "../save/job-statistics.ts";
import { underJob } from "../save/migrate-to-file.ts";

const ENDS: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);
const UNLIMITED = Number.MAX_SAFE_INTEGER;
const MIB = 1024 ** 2;

/** Capabilities of a send: taken back after it, since a save knows nothing of a pause before the end. */
const capabilities = (state: boolean) => ({
	capabilities: [
		{ capability: "events" as const, state: true },
		{ capability: "pause-before-switchover" as const, state },
	],
});

export interface SendRequest {
	/** `tcp:HOST:PORT`. */
	readonly uri: string;
	/** MiB a second; 0 without limit. */
	readonly bandwidth: bigint;
}

/** Sends the guest; it stands still when this is done, and goes on as it was where this fails. */
export async function sendGuest(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	job: DomainJob,
	{ uri, bandwidth }: SendRequest,
): Promise<void> {
	const { monitor } = run;
	const ran = domain.stateName === "running";
	const rate = bandwidth === 0n ? UNLIMITED : Number(bandwidth) * MIB;
	if (rate > UNLIMITED) throw new VirtError("OVERFLOW", `bandwidth must be less than ${UNLIMITED / MIB} MiB/s`);
	const { "max-bandwidth": before } = await monitor.execute("query-migrate-parameters");
	await monitor.execute("migrate-set-capabilities", capabilities(true));
	try {
		await monitor.execute("migrate-set-parameters", { "max-bandwidth": rate });
		run.pausedReason = "migration";
		const info = await send(domain, run, job, uri);
		checkStillThere(domain, run);
		const params = migrationParams(job, info);
		keepCompleted(domain, params);
		driver.emit("job-completed", domain.ref, { params });
	} catch (error) {
		run.pausedReason = "unknown";
		run.moving = undefined;
		saveStatus(driver, domain);
		if (ran) await resumeGuest(driver, domain, run, "migration-canceled");
		throw error;
	} finally {
		await Promise.allSettled([
			monitor.execute("migrate-set-capabilities", capabilities(false)),
			monitor.execute("migrate-set-parameters", { "max-bandwidth": before }),
		]);
	}
}

async function send(domain: QemuDomain, run: Run, job: DomainJob, uri: string): Promise<MigrationInfo> {
	const { monitor } = run;
	const switching = monitor.waitForEvent(
		"MIGRATION",
		({ data }) => data.status === "pre-switchover" || ENDS.has(data.status),
	);
	const ended = monitor.waitForEvent("MIGRATION", ({ data }) => ENDS.has(data.status));
	for (const promise of [switching, ended]) promise.catch(() => undefined);
	return underJob(monitor, job, uri, async () => {
		if ((await switching).data.status === "pre-switchover" && !job.aborted.aborted) {
			// Noted first: from here on the other host may have the guest.
			run.moving = "sent";
			await saveStatusNow(domain, run);
			// Where it has just been cancelled there is nothing to continue: how it ended is what counts.
			await monitor.execute("migrate-continue", { state: "pre-switchover" }).catch(() => undefined);
		}
		return outcome(monitor, job, (await ended).data.status);
	});
}

async function outcome(monitor: QmpClient, job: DomainJob, status: string): Promise<MigrationInfo> {
	const info = await monitor.execute("query-migrate");
	if (status === "completed") return info;
	if (status === "cancelled" || job.aborted.aborted) throw job.abortedError();
	throw new VirtError("OPERATION_FAILED", `migration out job: ${info["error-desc"] ?? "unexpectedly failed"}`);
}
