// Stopping guests, and everything that moves a running one from state to state.

import { rmSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { agentConnected, shutDownByAgent } from "../agent/agent.ts";
import { consoleLogFile } from "../console/console-log.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { PausedReason, Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { destroyRun } from "./autodestroy.ts";
import { logFileOf } from "./guest-log.ts";
import { saveStatus } from "./status-file.ts";

/** virDomainShutdownFlagValues and virDomainRebootFlagValues. */
const ACPI = 1;
const AGENT = 2;
/** virDomainDestroyFlagsValues. */
const DESTROY_FLAG = { graceful: 1, removeLogs: 2 } as const;

type StopOperations = Pick<
	DomainOperations<QemuDomain>,
	"shutdown" | "reboot" | "reset" | "destroy" | "suspend" | "resume" | "pmWakeup" | "injectNmi"
>;

export function stopOperations(driver: Driver): StopOperations {
	return {
		shutdown: (domain, flags) => {
			const { on_poweroff } = domain.activeRun().live.def;
			return askToEnd(domain, flags, on_poweroff === "restart" || on_poweroff === "rename-restart");
		},
		reboot: (domain, flags) => {
			const { on_reboot } = domain.activeRun().live.def;
			return askToEnd(domain, flags, on_reboot !== "destroy" && on_reboot !== "preserve");
		},
		reset: (domain) => reset(driver, domain),
		destroy: (domain, flags) => destroy(driver, domain, flags),
		suspend: (domain) => suspend(driver, domain),
		resume: (domain) => resume(driver, domain),
		pmWakeup: async (domain) => {
			await domain.activeRun().monitor.execute("system_wakeup");
		},
		injectNmi: async (domain) => {
			await domain.activeRun().monitor.execute("inject-nmi");
		},
	};
}

/** By the agent where the caller wants it or it is there, else by the power button. */
async function askToEnd(domain: QemuDomain, flags: number, reboot: boolean): Promise<void> {
	const run = domain.activeRun();
	const forced = flags === AGENT;
	if (flags & AGENT || (flags === 0 && agentConnected(run))) {
		try {
			run.fakeReboot = false;
			await shutDownByAgent(domain, reboot);
			return;
		} catch (error) {
			if (forced || (flags !== 0 && !(flags & ACPI))) throw error;
			if (domain.run !== run) return;
		}
	}
	run.fakeReboot = reboot;
	await run.monitor.execute("system_powerdown");
}

async function reset(driver: Driver, domain: QemuDomain): Promise<void> {
	const run = domain.activeRun();
	await run.monitor.execute("system_reset");
	run.fakeReboot = false;
	if (domain.stateName === "crashed") domain.setState({ state: "paused", reason: "crashed" });
	saveStatus(driver, domain);
}

async function destroy(driver: Driver, domain: QemuDomain, flags: number): Promise<void> {
	await destroyRun(driver, domain, domain.activeRun(), (flags & DESTROY_FLAG.graceful) !== 0);
	if ((flags & DESTROY_FLAG.removeLogs) === 0) return;
	for (const log of [logFileOf(driver, domain.name), consoleLogFile(driver, domain.name)]) rmSync(log, { force: true });
}

async function suspend(driver: Driver, domain: QemuDomain): Promise<void> {
	const run = domain.activeRun();
	if (domain.stateName !== "paused") await stopCpus(run, suspendReason(domain));
	saveStatus(driver, domain);
}

/** A guest that is paused while it is sent goes on with the migration's end, over there or here, as libvirt has it. */
function suspendReason({ lock }: QemuDomain): PausedReason {
	if (lock.asyncJob === "migration-out") return "migration";
	return lock.asyncJob === "snapshot" ? "snapshot" : "user";
}

async function resume(driver: Driver, domain: QemuDomain): Promise<void> {
	const run = domain.activeRun();
	if (domain.stateName === "paused" || domain.stateName === "crashed") await startCpus(run, "unpaused");
	saveStatus(driver, domain);
}

/** Stops the guest's CPUs; the event that QEMU sends changes the domain's state. */
export async function stopCpus(run: Run, reason: Run["pausedReason"]): Promise<void> {
	run.pausedReason = reason;
	try {
		await run.monitor.execute("stop");
	} finally {
		run.pausedReason = "unknown";
	}
}

/** Lets the guest's CPUs run; the event that QEMU sends changes the domain's state. */
export async function startCpus(run: Run, reason: Run["runningReason"]): Promise<void> {
	if (run.moving === "sent")
		throw new VirtError(
			"OPERATION_INVALID",
			"the guest was sent to another host and may run there: confirm its migration, or destroy it here",
		);
	run.runningReason = reason;
	try {
		await run.monitor.execute("cont");
	} finally {
		run.runningReason = "unpaused";
	}
}
