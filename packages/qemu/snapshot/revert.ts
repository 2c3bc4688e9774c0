// Brings a domain back to a snapshot: its disks, its definition, and its memory where the snapshot has that.

import { existsSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { hasMemory, isExternal, type SnapshotDef } from "@virtkit/model/snapshot/snapshot";
import { storeDefinition } from "../config/impact.ts";
import { completeDomain } from "../defaults/complete.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { PausedReason } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { startRun } from "../lifecycle/start.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { startCpus } from "../lifecycle/stop-operations.ts";
import { asJob } from "../save/domain-job.ts";
import { endStillGuest } from "../save/hold-still.ts";
import { openImage } from "../save/image-file.ts";
import { managedSaveFile } from "../save/managed-save.ts";
import { incomingState } from "../save/restore.ts";
import { discardOverlays, type NewOverlays, planNewOverlays } from "./branch.ts";
import { exclude, REVERT } from "./flags.ts";
import { applyInImages } from "./internal.ts";
import { neededSnapshot, snapshots } from "./metadata.ts";
import { dropPending } from "./pending.ts";

const API = "virDomainRevertToSnapshot";

/** Both definitions of a domain that is back at a snapshot. */
export interface Reverted {
	/** What it runs with. */
	readonly config: DomainDef;
	/** What is stored of it. */
	readonly inactive: DomainDef;
}

function refuseRisky(driver: Driver, domain: QemuDomain, snapshot: SnapshotDef, flags: number): void {
	const starts = (flags & (REVERT.running | REVERT.paused)) !== 0;
	if (!domain.persistent && !hasMemory(snapshot) && !starts)
		throw new VirtError(
			"OPERATION_INVALID",
			"transient domain needs to request run or pause to revert to inactive snapshot",
		);
	if (snapshot.domain === undefined)
		throw new VirtError(
			"SNAPSHOT_REVERT_RISKY",
			`snapshot '${snapshot.name}' lacks domain '${domain.name}' rollback info`,
		);
	if (flags & REVERT.force) return;
	if (existsSync(managedSaveFile(driver, domain.name)) && !hasMemory(snapshot))
		throw new VirtError(
			"SNAPSHOT_REVERT_RISKY",
			"snapshot without memory state, removal of existing managed saved state strongly recommended to avoid corruption",
		);
}

/** The definitions of the snapshot, under the name that the domain has now. */
function definitionsOf(driver: Driver, { name }: QemuDomain, snapshot: SnapshotDef): Promise<Reverted> {
	return driver.host.withEmulators(() => {
		const fresh = (def: DomainDef | undefined): DomainDef => {
			const copy = structuredClone(def as DomainDef);
			copy.name = name;
			completeDomain(copy, driver.host, { fresh: false, unchecked: true });
			return copy;
		};
		return { config: fresh(snapshot.domain), inactive: fresh(snapshot.inactiveDomain ?? snapshot.domain) };
	});
}

/** Brings the domain back to the snapshot of that name. The caller holds its lock. */
export async function revertToSnapshot(
	driver: Driver,
	domain: QemuDomain,
	name: string,
	flags: number,
	_context: CallContext,
): Promise<void> {
	exclude(flags, [REVERT.running, "REVERT_RUNNING"], [REVERT.paused, "REVERT_PAUSED"], API);
	if (domain.run && domain.run.blockJobs.size > 0)
		throw new VirtError("OPERATION_INVALID", "domain has active block job");
	const snapshot = neededSnapshot(driver, domain, name);
	refuseRisky(driver, domain, snapshot, flags);
	const definitions = await definitionsOf(driver, domain, snapshot);
	await asJob(domain, "snapshot-revert", async () => {
		if (isExternal(snapshot)) await revertExternal(driver, domain, snapshot, definitions, flags);
		else if (hasMemory(snapshot)) {
			await refuseBitmaps(domain, snapshot);
			await stopForRevert(driver, domain);
			await startReverted(driver, domain, snapshot, definitions, flags);
		} else {
			await stopForRevert(driver, domain);
			if (!(await applyInImages(driver, "-a", snapshot, definitions.config)))
				throw new VirtError("OPERATION_FAILED", `not all disks could be brought back to snapshot '${name}'`);
			await settleStopped(driver, domain, definitions, flags);
		}
	});
	await snapshots.of(driver, domain).saveAsCurrent(snapshot);
	if (domain.persistent) driver.lifecycle(domain.ref, { event: "defined", detail: "from-snapshot" });
	else if (domain.run === undefined) driver.domains.remove(domain);
}

/** QEMU does not go back to memory inside images that record what is written; said before the guest is ended for it. */
async function refuseBitmaps({ run }: QemuDomain, { name }: SnapshotDef): Promise<void> {
	if (run === undefined) return;
	const nodes = await run.monitor.execute("query-named-block-nodes", { flat: true });
	const recording = nodes.flatMap((node) => node["dirty-bitmaps"] ?? []).find((bitmap) => bitmap.recording);
	if (recording === undefined) return;
	throw new VirtError(
		"OPERATION_UNSUPPORTED",
		`cannot go back to snapshot '${name}' while bitmap '${recording.name}' records what is written: delete its checkpoint first`,
	);
}

async function stopForRevert(driver: Driver, domain: QemuDomain): Promise<void> {
	if (domain.run === undefined) return;
	await endStillGuest(driver, domain, domain.run, "from-snapshot");
	driver.lifecycle(domain.ref, { event: "stopped", detail: "from-snapshot" });
}

/** Starts the guest with its memory as it was: from inside its images, or from a file. */
async function startReverted(
	driver: Driver,
	domain: QemuDomain,
	snapshot: SnapshotDef,
	{ config, inactive }: Reverted,
	flags: number,
): Promise<void> {
	const file = snapshot.memory?.file;
	await using image = file === undefined ? undefined : await openImage(file);
	const runs = (flags & REVERT.running) !== 0 || (snapshot.state === "running" && !(flags & REVERT.paused));
	const paused: PausedReason = runs ? "starting-up" : "from-snapshot";
	const run = await startRun(driver, domain, {
		definition: config,
		paused,
		resetNvram: (flags & REVERT.resetNvram) !== 0,
		...(image ? { incoming: incomingState(image) } : { snapshot: snapshot.name }),
	});
	driver.lifecycle(domain.ref, { event: "started", detail: "from-snapshot" });
	if (domain.persistent) await storeDefinition(driver, domain, inactive);
	if (runs) {
		await startCpus(run, "from-snapshot");
		await saveStatusNow(domain, run);
	} else driver.lifecycle(domain.ref, { event: "suspended", detail: "from-snapshot" });
}

/** The domain does not run, and its disks are as they were; it is started where that is asked for. */
async function settleStopped(
	driver: Driver,
	domain: QemuDomain,
	{ config, inactive }: Reverted,
	flags: number,
): Promise<void> {
	if (domain.persistent) await storeDefinition(driver, domain, inactive);
	if (!(flags & (REVERT.running | REVERT.paused))) return;
	const paused = (flags & REVERT.paused) !== 0;
	await startRun(driver, domain, {
		definition: domain.persistent ? structuredClone(inactive) : config,
		paused: paused ? "user" : undefined,
		resetNvram: (flags & REVERT.resetNvram) !== 0,
	});
	driver.lifecycle(domain.ref, { event: "started", detail: "from-snapshot" });
	if (paused) driver.lifecycle(domain.ref, { event: "suspended", detail: "from-snapshot" });
}

/**
 * The images of the snapshot stay as they are, since others may stand on them: the guest goes on in new ones over them. What it
 * wrote since its current snapshot is thrown away, as libvirt 9.9 and newer do it.
 */
async function revertExternal(
	driver: Driver,
	domain: QemuDomain,
	snapshot: SnapshotDef,
	definitions: Reverted,
	flags: number,
): Promise<void> {
	// Looked at before the guest is ended for it.
	if (snapshot.memory?.file !== undefined) await (await openImage(snapshot.memory.file))[Symbol.asyncDispose]();
	const before = domain.current.def;
	const plan: NewOverlays = planNewOverlays(snapshot, definitions);
	await stopForRevert(driver, domain);
	await plan.make(driver, domain);
	if (hasMemory(snapshot)) await startReverted(driver, domain, snapshot, definitions, flags);
	else await settleStopped(driver, domain, definitions, flags);
	plan.keep();
	await discardOverlays(driver, domain, snapshot, plan.parts, before);
	dropPending(driver, domain);
}
