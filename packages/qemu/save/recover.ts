// After the daemon went away while a guest was being saved or dumped: the guest goes on, and nothing half-written counts.

import { rmSync } from "node:fs";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { startCpus, stopCpus } from "../lifecycle/stop-operations.ts";
import { giveUpCopies } from "../migration/disks-out.ts";
import { leaveUnattended } from "../migration/leave.ts";
import { arrived, GONE_OVER, hasGoneOver } from "../migration/postcopy.ts";
import { resumeGuest } from "./hold-still.ts";
import { managedSaveFile } from "./managed-save.ts";

/** QEMU's states of a migration that is under way. */
const UNDER_WAY: ReadonlySet<string> = new Set([
	"setup",
	"active",
	"device",
	"pre-switchover",
	"cancelling",
	"wait-unplug",
]);

/** What a guest stands still for, by the reason that it is paused for; it goes on when that has come to nothing. */
const WORK_OF: Readonly<Record<string, string>> = {
	save: "it was being saved",
	dump: "it was being dumped",
	snapshot: "a snapshot of it was being taken",
};

/** Why the guest is paused; "" where it is not. */
const interruption = ({ state }: QemuDomain): string => (state.state === "paused" ? state.reason : "");

/** Ends what QEMU still writes for a daemon that is gone, and lets the guest go on where it stood still for that. */
export async function recoverInterruptedSave(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	discardStaleImage(driver, domain);
	const { state } = domain;
	if (state.state === "running" || state.state === "paused") await recoverMigration(driver, domain, run);
	const reason = interruption(domain);
	const work = WORK_OF[reason];
	if (work === undefined) return;
	driver.log.info(`'${domain.name}' goes on: the daemon went away while ${work}`);
	const { status = "none" } = await run.monitor.execute("query-migrate");
	if (UNDER_WAY.has(status)) await run.monitor.execute("migrate_cancel");
	await resumeGuest(driver, domain, run, reason === "save" ? "save-canceled" : "unpaused");
}

/**
 * A guest that was being sent to another host stays here: QEMU does not switch over without a daemon. One that was sent whole
 * stands still, since it may run over there; who led the migration knows.
 */
async function recoverMigration(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	const { state } = domain;
	if (run.moving === "postcopy") return recoverArrival(driver, domain, run);
	await giveUpCopies(run);
	if (run.moving === "answering") return holdArrived(driver, domain, run);
	const stopped = state.state === "paused" && state.reason === "migration";
	const saving = WORK_OF[interruption(domain)] !== undefined;
	const { status = "none" } = await run.monitor.execute("query-migrate");
	if (saving || (!stopped && run.moving === undefined && !UNDER_WAY.has(status))) return;
	if (run.moving === "sent" && (GONE_OVER.has(status) || hasGoneOver(domain)))
		return recoverPostcopy(driver, domain, run, status);
	if (run.moving === "sent" && status === "completed") {
		driver.log.warn(`'${domain.name}' was sent to another host: whether it runs there, only who led that knows`);
		return;
	}
	run.moving = undefined;
	driver.log.info(`'${domain.name}' stays here: the daemon went away while it was being sent`);
	run.runningReason = "migration-canceled";
	if (UNDER_WAY.has(status)) await run.monitor.execute("migrate_cancel");
	if (stopped) await resumeGuest(driver, domain, run, "migration-canceled");
}

/** A guest that has gone over in post-copy stands still here until its memory is over there too; then it has left. */
function recoverPostcopy(driver: Driver, domain: QemuDomain, run: Run, status: string): void {
	domain.setState({ state: "paused", reason: status === "postcopy-paused" ? "postcopy-failed" : "postcopy" });
	if (status === "completed") void leaveUnattended(driver, domain, run);
}

/** A guest that came over in post-copy runs here, since it can nowhere else. */
async function recoverArrival(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	const { status = "none" } = await run.monitor.execute("query-migrate");
	const { state } = domain;
	if (state.state === "paused" && state.reason !== "user" && state.reason !== "ioerror")
		await startCpus(run, "postcopy");
	if (status === "completed") return arrived(driver, domain, run);
	const reason = status === "postcopy-paused" ? "postcopy-failed" : "postcopy";
	if (domain.stateName === "running") domain.setState({ state: "running", reason });
}

/** Whether the client heard that the guest arrived is not known: it stands still, so that it does not run in two places. */
async function holdArrived(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	run.moving = undefined;
	driver.log.warn(`'${domain.name}' came from another host: resume it only if it does not run there`);
	if (domain.state.state !== "running") return;
	await stopCpus(run, "migration");
	domain.setState({ state: "paused", reason: "migration" });
}

/**
 * Removes the managed save of a guest that runs: complete or not, and whether it was being written or started from, a later
 * start from it would bring the guest's memory back as it was then, with disks that have changed since.
 */
function discardStaleImage(driver: Driver, { name }: QemuDomain): void {
	rmSync(managedSaveFile(driver, name), { force: true });
}
