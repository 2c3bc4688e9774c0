// Has a guest stand still for as long as its state is read, and go on afterwards.

import { toVirtError, VirtError } from "@virtkit/base/errors";
import type { QemuDomain } from "../domain/domain.ts";
import type { PausedReason, Run, RunningReason } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { endProcess, endRun } from "../lifecycle/end.ts";
import { saveStatus, saveStatusNow } from "../lifecycle/status-file.ts";
import { startCpus, stopCpus } from "../lifecycle/stop-operations.ts";

/** Throws INTERNAL_ERROR where the domain has lost its guest while something was done with it. */
export function checkStillThere(domain: QemuDomain, run: Run): void {
	if (domain.run !== run || run.phase !== "up") throw new VirtError("INTERNAL_ERROR", "guest unexpectedly quit");
}

/** Stops the guest where it runs; true where it did. A daemon that takes over from this one knows to let it go on. */
export async function stopGuest(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	reason: Extract<PausedReason, "save" | "dump" | "snapshot">,
): Promise<boolean> {
	if (domain.stateName !== "running") return false;
	// Noted first: a guest found standing still without a note was paused by its user.
	await saveStatusNow(domain, run, { state: "paused", reason });
	try {
		await stopCpus(run, reason);
	} finally {
		saveStatus(driver, domain);
	}
	checkStillThere(domain, run);
	return true;
}

/** Has the guest go on; that it cannot is told and logged, since something else has failed already. */
export async function resumeGuest(driver: Driver, domain: QemuDomain, run: Run, reason: RunningReason): Promise<void> {
	if (domain.run !== run || run.phase !== "up" || run.monitor.loss) return;
	try {
		await startCpus(run, reason);
	} catch (error) {
		driver.log.warn(`cannot let '${domain.name}' go on: ${toVirtError(error).message}`, { error });
		driver.lifecycle(domain.ref, { event: "suspended", detail: "api-error" });
	}
}

/** Ends a guest whose state is in a file. QEMU is not listened to any more: that it shuts down on request is nobody's news. */
export async function endStillGuest(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	reason: "saved" | "crashed" | "migrated" | "from-snapshot",
): Promise<void> {
	run.beingDestroyed = true;
	run.monitor.close();
	await endProcess(run, false);
	await endRun(driver, domain, run, reason);
}
