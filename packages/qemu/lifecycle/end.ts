// The end of a run: whatever brought it about, everything of it is taken back once, and the domain is shut off.

import { once } from "node:events";
import { toVirtError } from "@virtkit/base/errors";
import type { STATE_REASON } from "@virtkit/core/domain-state";
import type { Lifecycle } from "@virtkit/core/events";
import { DEFAULT_TERMINATION, isAlive, terminateProcess } from "@virtkit/host/process";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { removeTpmState } from "../helpers/tpm-state.ts";
import { logLine } from "./guest-log.ts";

export type ShutoffReason = keyof (typeof STATE_REASON)["shutoff"];

/** SIGKILL at once: for a process that is of no use any more. */
const KILL = [{ signal: "SIGKILL", deadlineMs: 30_000 }] as const;

/** How long a process that is gone may leave its socket open, in milliseconds. */
const LAST_WORDS_MS = 500;

/** Takes back everything of the run and shuts the domain off. Where somebody is at it already, waits for them. */
export async function endRun(driver: Driver, domain: QemuDomain, run: Run, reason: ShutoffReason): Promise<void> {
	if (run.phase === "ending" || run.phase === "ended") return run.ended;
	run.phase = "ending";
	run.beingDestroyed = true;
	logLine(run, `shutting down, reason=${reason}`);
	try {
		// Before all else: whatever the process holds, its control group for one, cannot be taken back under it.
		await killProcess(run);
		await run.resources[Symbol.asyncDispose]();
		if (!domain.persistent) removeTpmState(driver, domain.uuid, run.live.def);
	} catch (error) {
		driver.log.error(`cleaning up after '${domain.name}': ${toVirtError(error).message}`, { error });
	}
	domain.autodestroy?.[Symbol.dispose]();
	domain.autodestroy = undefined;
	domain.run = undefined;
	driver.domains.releaseId(run.id);
	domain.setState({ state: "shutoff", reason });
	run.markEnded();
}

/** Tells that the guest stopped (`who` where not as it is now), and forgets a domain that is only there while it runs. */
export function announceStop(
	driver: Driver,
	domain: QemuDomain,
	detail: Extract<Lifecycle, { event: "stopped" }>["detail"],
	who = domain.ref,
): void {
	driver.lifecycle(who, { event: "stopped", detail });
	if (!domain.persistent && domain.run === undefined) driver.domains.remove(domain);
}

/** Has the run's process ended when the run is taken back. */
export function ownProcess(run: Run): void {
	run.resources.defer("the process", () => killProcess(run));
}

async function killProcess({ process }: Run): Promise<void> {
	if (process && isAlive(process)) await terminateProcess(process, KILL);
}

/** Ends the process as libvirt does: asks, waits, and kills unless `graceful`. Throws SYSTEM_ERROR where it stays. */
export async function endProcess(run: Run, graceful: boolean): Promise<void> {
	run.beingDestroyed = true;
	if (run.process === undefined) return;
	try {
		await terminateProcess(run.process, graceful ? [{ signal: "SIGTERM", deadlineMs: 15_000 }] : DEFAULT_TERMINATION);
	} catch (error) {
		run.beingDestroyed = false;
		throw error;
	}
	await drainMonitor(run);
}

/** QEMU's last words may still be on their way when it is gone. */
async function drainMonitor(run: Run): Promise<void> {
	if (!run.connected || run.monitor.loss) return;
	await once(run.monitor, "close", { signal: AbortSignal.timeout(LAST_WORDS_MS) }).catch(() => undefined);
}

/**
 * QEMU's monitor is gone though nobody ended QEMU: the guest has shut down, or QEMU crashed.
 *
 * A start that is under way sees it by itself.
 */
export async function onMonitorGone(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	if (run.phase !== "up" || run.beingDestroyed) return;
	run.beingDestroyed = true;
	if (run.process) await terminateProcess(run.process, [...DEFAULT_TERMINATION]);
	using _job = await domain.lock
		.begin("destroy", "end of the monitor")
		.catch(() => ({ [Symbol.dispose]: () => undefined }));
	if (domain.run !== run || run.phase !== "up") return;
	const shutDown = domain.stateName === "shutdown";
	// libvirt tells of an end that came by itself with the number that the guest had.
	const who = domain.ref;
	await endRun(driver, domain, run, shutDown ? "shutdown" : "crashed");
	announceStop(driver, domain, shutDown ? "shutdown" : "failed", who);
}
