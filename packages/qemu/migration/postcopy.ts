// Post-copy: the guest goes on at its destination before all of its memory is there, and takes the rest from its source as it needs it.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { MigrateContinueArgState as MigrationStatus } from "@virtkit/qapi/schema.gen";
import type { QmpClient } from "@virtkit/qmp/client";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import type { EventHandlers, EventSource } from "../events/handler.ts";
import { saveStatus } from "../lifecycle/status-file.ts";
import { currentJob } from "../save/domain-job.ts";
import { leaveUnattended } from "./leave.ts";

/** QEMU's states of a migration whose guest has gone over and whose memory has not. */
export const GONE_OVER: ReadonlySet<string> = new Set(["postcopy-active", "postcopy-paused", "postcopy-recover"]);

/** Whether the guest of this QEMU has gone over, here or from here: the other side cannot go on with it any more. */
export async function isPostcopy(monitor: QmpClient): Promise<boolean> {
	const { status = "none" } = await monitor.execute("query-migrate");
	return GONE_OVER.has(status);
}

/** Whether the guest stands still here for good, since it runs over there. */
export const hasGoneOver = ({ run, state }: QemuDomain): boolean =>
	run?.moving === "sent" &&
	state.state === "paused" &&
	(state.reason === "postcopy" || state.reason === "postcopy-failed");

/** The error of a post-copy that lost its connection. */
export const postcopyFailed = (job: "migration in" | "migration out"): VirtError =>
	new VirtError("OPERATION_FAILED", `job '${job}' failed in post-copy phase`);

type Handler = (source: EventSource) => void;

/** A guest that stands still here, since it runs over there. */
const AT_SOURCE: Partial<Record<MigrationStatus, Handler>> = {
	"postcopy-active": ({ driver, domain }) => pausedFor(driver, domain, "postcopy"),
	"postcopy-paused": ({ driver, domain }) => pausedFor(driver, domain, "postcopy-failed"),
	"postcopy-recover": ({ driver, domain }) => pausedFor(driver, domain, "postcopy"),
	completed: ({ driver, domain, run }) => {
		if (hasGoneOver(domain) && domain.lock.asyncJob === undefined) void leaveUnattended(driver, domain, run);
	},
};

/** A guest that runs here, and has memory over there. */
const AT_DESTINATION: Partial<Record<MigrationStatus, Handler>> = {
	"postcopy-paused": (source) => runsWithout(source, "postcopy-failed"),
	"postcopy-recover": (source) => runsWithout(source, "postcopy"),
	completed: ({ driver, domain, run }) => {
		if (run.phase === "up") arrived(driver, domain, run);
	},
};

export const migrationEvents: EventHandlers = {
	MIGRATION(source, { status }) {
		const { moving } = source.run;
		if (moving === "sent") AT_SOURCE[status]?.(source);
		if (moving === "postcopy") AT_DESTINATION[status]?.(source);
	},

	MIGRATION_PASS({ driver, domain }, { pass }) {
		if (domain.lock.asyncJob !== undefined) driver.emit("migration-iteration", domain.ref, { iteration: pass });
	},
};

/** The guest stands still at its source, for this reason from now on. */
export function pausedFor(driver: Driver, domain: QemuDomain, reason: "postcopy" | "postcopy-failed"): void {
	const { state } = domain;
	if (state.state !== "paused" || state.reason === reason) return;
	domain.setState({ state: "paused", reason });
	driver.lifecycle(domain.ref, { event: "suspended", detail: reason });
	saveStatus(driver, domain);
}

/** The guest runs, or is paused for a reason of its own; its memory stopped coming, or comes again. */
function runsWithout({ driver, domain }: EventSource, reason: "postcopy" | "postcopy-failed"): void {
	const { state } = domain;
	if (state.state === "running") {
		if (state.reason === reason) return;
		domain.setState({ state: "running", reason });
		driver.lifecycle(domain.ref, { event: "resumed", detail: reason });
	} else driver.lifecycle(domain.ref, { event: "suspended", detail: reason });
	saveStatus(driver, domain);
}

/** All memory is here: nothing is needed of the source any more. */
export function arrived(driver: Driver, domain: QemuDomain, run: Run): void {
	if (run.moving !== "postcopy") return;
	run.moving = undefined;
	if (domain.stateName === "running") {
		domain.setState({ state: "running", reason: "migrated" });
		driver.lifecycle(domain.ref, { event: "resumed", detail: "migrated" });
	}
	saveStatus(driver, domain);
}

/** Settles once all memory is there. Throws OPERATION_FAILED where the connection is lost, or the guest. */
export async function untilComplete(run: Run, job: "migration in" | "migration out"): Promise<void> {
	const { monitor } = run;
	const change = monitor.waitForEvent(
		"MIGRATION",
		({ data: { status } }) => status === "completed" || status === "failed" || status === "postcopy-paused",
	);
	change.catch(() => undefined);
	const { status } = await monitor.execute("query-migrate");
	const last = status === "completed" || status === "postcopy-paused" ? status : (await change).data.status;
	if (last !== "completed") throw postcopyFailed(job);
}

export function postcopyOperations(): Pick<DomainOperations<QemuDomain>, "migrateStartPostcopy"> {
	return {
		async migrateStartPostcopy(domain) {
			const { monitor } = domain.activeRun();
			if (domain.lock.asyncJob !== "migration-out")
				throw new VirtError(
					"OPERATION_INVALID",
					"post-copy can only be started while outgoing migration is in progress",
				);
			if (!currentJob(domain)?.postcopy)
				throw new VirtError(
					"OPERATION_INVALID",
					"switching to post-copy requires migration to be started with VIR_MIGRATE_POSTCOPY flag",
				);
			await monitor.execute("migrate-start-postcopy");
		},
	};
}
