// Ends backups: disk by disk as QEMU is done with each, then as a whole; what is of no use to anybody goes.

import { unlinkSync } from "node:fs";
import { isErrno } from "@virtkit/host/system-error";
import { isQmpError } from "@virtkit/qmp/qmp-error";
import type { BlockJob } from "../block/job.ts";
import { closeImages } from "../block/nodes.ts";
import { removeBitmap, transact } from "../checkpoint/bitmaps.ts";
import { topImage } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { liveContext } from "../hotplug/removal.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { keepCompleted } from "../save/domain-job.ts";
import { type ActiveBackup, type BackupPart, backupParts, storePath } from "./backup.ts";
import { stopServer } from "./server.ts";
import { backupParams, type Progress } from "./statistics.ts";

/** How a backup, or the copy of one of its disks, came to its end. */
export type BackupEnd = "completed" | "failed" | "cancelled";

/** virDomainJobType. */
const JOB_TYPE: Readonly<Record<BackupEnd, number>> = { completed: 3, failed: 4, cancelled: 5 };

/** What QEMU says of a job that is over. */
export interface Outcome extends Progress {
	readonly error: string | undefined;
}

/**
 * Takes in that QEMU is done with one disk. The caller holds the domain's lock. The disk's part is noted as done before QEMU
 * forgets the job, so that a daemon killed in between does not take it for one that never began.
 */
export async function settleBackupJob(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	job: BlockJob,
	outcome: Outcome,
): Promise<BackupEnd> {
	const end = endOf(job, outcome);
	const { backup } = run;
	if (backup === undefined) return end;
	const { def } = backup;
	const part = backupParts(def, run).find(({ own }) => own.name === job.disk);
	def.done = (def.done ?? 0n) + BigInt(outcome.done);
	def.total = (def.total ?? 0n) + BigInt(outcome.total);
	def.failure ??= outcome.error;
	if (part) part.own.state = end === "completed" ? "complete" : end;
	await saveStatusNow(domain, run);
	await run.monitor.execute("job-dismiss", { id: job.name }).catch((error) => {
		// Of one that never began, or that a former daemon had dismissed, QEMU knows nothing.
		if (!isQmpError(error)) throw error;
	});
	await stopServer(driver, run, def);
	if (part) await closePart(driver, domain, run, part);
	run.blockJobs.delete(job.name);
	const states = def.disks.map(({ state }) => state);
	if (!states.includes("running") && !states.includes("cancelling")) await endBackup(driver, domain, run, backup);
	else if (states.includes("failed") || states.includes("cancelled")) await cancelBackup(driver, domain, run);
	return end;
}

const endOf = ({ state }: BlockJob, { error }: Outcome): BackupEnd =>
	error === undefined ? "completed" : state === "aborting" ? "cancelled" : "failed";

/** Takes what the copy of a disk was written to, and the bitmap that it went by, out of QEMU. */
export async function closePart(driver: Driver, domain: QemuDomain, run: Run, part: BackupPart): Promise<void> {
	await closeImages([part.image], liveContext(driver, domain, run));
	const { bitmap } = part.own;
	if (bitmap === undefined) return;
	await transact(run, [removeBitmap(topImage(part.disk), bitmap)]).catch((error) =>
		driver.log.warn(`bitmap '${bitmap}' of disk '${part.own.name}' of '${domain.name}' stays`, { error }),
	);
}

/** Has QEMU end what it still copies; the rest follows when it has. Without any the backup is over. */
export async function cancelBackup(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	const { backup } = run;
	if (backup === undefined) return;
	let isBusy = false;
	for (const own of backup.def.disks) {
		const job = [...run.blockJobs.values()].find(({ type, disk }) => type === "backup" && disk === own.name);
		if (!job || (own.state !== "running" && own.state !== "cancelling")) continue;
		isBusy = true;
		if (own.state === "cancelling") continue;
		await run.monitor.execute("block-job-cancel", { device: job.name, force: true });
		own.state = "cancelling";
		job.state = "aborting";
	}
	if (isBusy) await saveStatusNow(domain, run);
	else await endBackup(driver, domain, run, backup);
}

/** All of it is over. */
async function endBackup(driver: Driver, domain: QemuDomain, run: Run, backup: ActiveBackup): Promise<void> {
	const states = backup.def.disks.map(({ state }) => state);
	const isPush = backup.def.mode === "push";
	close(
		driver,
		domain,
		run,
		backup,
		states.includes("failed") ? "failed" : states.includes("cancelled") && isPush ? "cancelled" : "completed",
	);
	await saveStatusNow(domain, run);
}

function close(driver: Driver, domain: QemuDomain, run: Run, backup: ActiveBackup, end: BackupEnd): void {
	const { def, job, release } = backup;
	if (!def.reuse && (def.mode === "pull" || end !== "completed"))
		for (const own of def.disks) if (own.backup && own.type === "file") removeStore(driver, storePath(own));
	const params = backupParams(job, def, { done: 0, total: 0 }, end === "completed");
	job.close();
	keepCompleted(domain, params, JOB_TYPE[end]);
	run.backup = undefined;
	driver.emit("job-completed", domain.ref, { params });
	release();
}

function removeStore(driver: Driver, path: string | undefined): void {
	if (path === undefined) return;
	try {
		unlinkSync(path);
	} catch (error) {
		if (!isErrno(error, "ENOENT")) driver.log.warn(`cannot remove '${path}' of a backup that is over`, { error });
	}
}

/** A backup ends with its guest: what was not copied by then never will be. */
export function endWithRun(driver: Driver, domain: QemuDomain, run: Run, backup: ActiveBackup): void {
	run.resources.defer("the backup", () => {
		if (run.backup === backup) close(driver, domain, run, backup, "cancelled");
	});
}
