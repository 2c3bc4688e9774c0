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
import { type CopyRequest, DiskCopies } from "./disks-out.ts";
import { bytesOf, migrationSpeed } from "./limits.ts";
import { GONE_OVER } from "./postcopy.ts";
import type { Route } from "./route.ts";
import { giveCertificates, type MigrationTls } from "./tls.ts";
import { type Tuning, tune } from "./tuning.ts";

const ENDS: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);
export interface SendRequest {
	readonly route: Route;
	/** MiB a second; 0 for what is set for the domain. */
	readonly bandwidth: bigint;
	readonly tuning: Tuning;
	/** Whom the destination's certificate must be for; undefined where nothing is encrypted. */
	readonly tls: string | undefined;
	/** Disks that go along. */
	readonly copies?: CopyRequest | undefined;
}

/**
 * Sends the guest; it stands still when this is done, with all of its memory over there, or, in post-copy, with it going
 * there; and goes on as it was where this fails.
 */
export async function sendGuest(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	job: DomainJob,
	{ route, bandwidth, tuning, tls, copies }: SendRequest,
): Promise<void> {
	const { monitor } = run;
	const ran = domain.stateName === "running";
	const rate = bytesOf(bandwidth === 0n ? migrationSpeed(domain) : bandwidth);
	await using undo = new AsyncDisposableStack();
	const certificates =
		tls === undefined ? undefined : undo.use(await giveCertificates(monitor, driver.settings, "client", tls));
	const values = { ...tuning.values, ...certificates?.values, "max-bandwidth": rate };
	undo.use(await tune(monitor, { ...tuning, values }));
	try {
		await using disks = copies && (await beginCopies(run, job, { ...copies, tls: encryption(certificates, tls) }));
		job.disks = disks;
		const uri = await route(monitor, job.aborted).catch((error: unknown) => {
			throw job.aborted.aborted ? job.abortedError() : error;
		});
		run.pausedReason = "migration";
		const info = await send(domain, run, job, uri, disks);
		checkStillThere(domain, run);
		// What has gone over stays as it is tuned to the end, which is the end of QEMU too.
		if (GONE_OVER.has(info.status ?? "")) return void undo.move();
		const params = migrationParams(job, info, await disks?.figures());
		keepCompleted(domain, params);
		driver.emit("job-completed", domain.ref, { params });
	} catch (error) {
		run.pausedReason = "unknown";
		run.moving = undefined;
		saveStatus(driver, domain);
		if (ran) await resumeGuest(driver, domain, run, "migration-canceled");
		throw error;
	}
}

/** What a node of QEMU's needs for an encrypted connection to `host`. */
const encryption = (certificates: MigrationTls | undefined, host: string | undefined) =>
	certificates && { "tls-creds": certificates.values["tls-creds"], "tls-hostname": host };

async function beginCopies(run: Run, job: DomainJob, request: CopyRequest): Promise<DiskCopies> {
	try {
		return await DiskCopies.begin(run, request, job.aborted);
	} catch (error) {
		throw job.aborted.aborted ? job.abortedError() : error;
	}
}

/** Has QEMU give up the send, which is about to switch over, and throws `error` then. */
async function abandonSend(monitor: QmpClient, ended: Promise<unknown>, error: unknown): Promise<never> {
	await monitor.execute("migrate_cancel").catch(() => undefined);
	await ended;
	throw error;
}

async function send(
	domain: QemuDomain,
	run: Run,
	job: DomainJob,
	uri: string,
	disks: DiskCopies | undefined,
): Promise<MigrationInfo> {
	const { monitor } = run;
	const switching = monitor.waitForEvent(
		"MIGRATION",
		({ data }) => data.status === "pre-switchover" || ENDS.has(data.status),
	);
	const ended = monitor.waitForEvent(
		"MIGRATION",
		({ data }) => ENDS.has(data.status) || data.status === "postcopy-active",
	);
	for (const promise of [switching, ended]) promise.catch(() => undefined);
	return underJob(monitor, job, uri, async () => {
		if ((await switching).data.status === "pre-switchover" && !job.aborted.aborted) {
			await disks?.finish().catch((error) => abandonSend(monitor, ended, error));
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
	if (status === "completed" || status === "postcopy-active") return info;
	if (status === "cancelled" || job.aborted.aborted) throw job.abortedError();
	throw new VirtError("OPERATION_FAILED", `migration out job: ${info["error-desc"] ?? "unexpectedly failed"}`);
}
