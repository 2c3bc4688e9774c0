// Events that move a guest between its states: it stops, goes on, shuts down, is reset, sleeps and wakes.

import type { Lifecycle } from "@virtkit/core/events";
import type { PausedReason, RunningReason } from "../domain/run.ts";
import { shutDownOrReboot } from "../lifecycle/fake-reboot.ts";
import { saveStatus } from "../lifecycle/status-file.ts";
import type { EventHandlers, EventSource } from "./handler.ts";

type Suspended = Extract<Lifecycle, { event: "suspended" }>["detail"];

/** The event's detail for each reason to pause; `paused` for those that are not here. */
const SUSPENDED: Partial<Record<PausedReason, Suspended>> = {
	migration: "migrated",
	ioerror: "ioerror",
	watchdog: "watchdog",
	"from-snapshot": "from-snapshot",
	postcopy: "postcopy",
	"postcopy-failed": "postcopy-failed",
	"api-error": "api-error",
};

type Resumed = Extract<Lifecycle, { event: "resumed" }>["detail"];

/** The event's detail for each reason to run; `unpaused` for those that are not here. */
const RESUMED: Partial<Record<RunningReason, Resumed>> = {
	restored: "from-snapshot",
	"from-snapshot": "from-snapshot",
	migrated: "migrated",
	"migration-canceled": "migrated",
	postcopy: "postcopy",
	"postcopy-failed": "postcopy-failed",
};

/** The detail of a suspended event for a reason to pause. */
export const suspendedDetail = (reason: PausedReason): Suspended => SUSPENDED[reason] ?? "paused";

export const lifecycleEvents: EventHandlers = {
	STOP({ driver, domain, run }) {
		const reason = run.pausedReason;
		run.pausedReason = "unknown";
		// A shutdown that is half of a reboot pauses too; nobody is to see it.
		if (domain.stateName !== "running" || run.pausedShutdown || run.beingDestroyed) return;
		domain.setState({ state: "paused", reason });
		driver.lifecycle(domain.ref, { event: "suspended", detail: suspendedDetail(reason) });
		saveStatus(driver, domain);
	},

	RESUME({ driver, domain, run }) {
		const reason = run.runningReason;
		run.runningReason = "unpaused";
		if (domain.stateName === "running") return;
		domain.setState({ state: "running", reason });
		driver.lifecycle(domain.ref, { event: "resumed", detail: RESUMED[reason] ?? "unpaused" });
		saveStatus(driver, domain);
	},

	SHUTDOWN({ driver, domain, run }, { guest }) {
		if (domain.stateName === "shutdown") return;
		const reboots = run.fakeReboot || run.live.def.on_poweroff === "restart";
		// QEMU tells of its own end too, when it is ended on purpose: nothing comes after that.
		if (run.beingDestroyed && reboots) return;
		if (reboots) run.pausedShutdown = true;
		else {
			domain.setState({ state: "shutdown", reason: "unknown" });
			driver.lifecycle(domain.ref, { event: "shutdown", detail: guest ? "guest" : "host" });
			saveStatus(driver, domain);
		}
		if (!run.beingDestroyed) shutDownOrReboot(driver, domain, run);
	},

	RESET({ driver, domain, run }) {
		if (domain.state.state === "paused" && domain.state.reason === "starting-up") return;
		driver.emit("reboot", domain.ref, {});
		run.fakeReboot = false;
		saveStatus(driver, domain);
	},

	MIGRATION_PASS({ driver, domain }, { pass }) {
		// Also told of what is saved: QEMU migrates that to a file. Not of migrations that somebody else began.
		if (domain.lock.asyncJob !== undefined) driver.emit("migration-iteration", domain.ref, { iteration: pass });
	},

	SUSPEND: (source) => sleep(source, "memory"),
	SUSPEND_DISK: (source) => sleep(source, "disk"),

	WAKEUP({ driver, domain }) {
		driver.emit("pmwakeup", domain.ref, { reason: 0 });
		if (domain.stateName !== "pmsuspended") return;
		domain.setState({ state: "running", reason: "wakeup" });
		driver.lifecycle(domain.ref, { event: "started", detail: "wakeup" });
		saveStatus(driver, domain);
	},
};

function sleep({ driver, domain }: EventSource, where: "memory" | "disk"): void {
	driver.emit(where === "memory" ? "pmsuspend" : "pmsuspend-disk", domain.ref, { reason: 0 });
	if (domain.stateName !== "running") return;
	domain.setState({ state: "pmsuspended", reason: "unknown" });
	driver.lifecycle(domain.ref, { event: "pmsuspended", detail: where });
	saveStatus(driver, domain);
}
