// Takes snapshots of a running guest: external ones of disks, with or without memory, and internal ones, which hold both.

import { toVirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import { isExternal, type SnapshotDef } from "@virtkit/model/snapshot/snapshot";
import { filesystemOperations } from "../agent/file-systems.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { announceStop } from "../lifecycle/end.ts";
import { asJob, type DomainJob } from "../save/domain-job.ts";
import { checkStillThere, endStillGuest, resumeGuest, stopGuest } from "../save/hold-still.ts";
import { checkMigratable } from "../save/migrate-to-file.ts";
import { writeSaveImage } from "../save/save.ts";
import { CREATE } from "./flags.ts";
import { saveInternal } from "./internal.ts";
import { putOverlays } from "./overlays.ts";

/** What is wanted beside the snapshot's description. */
export interface TakeOptions {
	readonly flags: number;
	/** The client takes care of some disks itself: the guest is left standing still for that. */
	readonly manual: boolean;
	readonly context: CallContext;
}

/** Takes the snapshot. Where that fails the guest goes on as it was, and nothing is left. */
export async function takeOfRunning(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	snapshot: SnapshotDef,
	options: TakeOptions,
): Promise<void> {
	const halt = (options.flags & CREATE.halt) !== 0;
	const take = isExternal(snapshot) || options.flags & CREATE.diskOnly ? takeExternal : takeInternal;
	await asJob(domain, "snapshot", (job) => take(driver, domain, run, job, snapshot, options));
	if (!halt) return;
	await endStillGuest(driver, domain, run, "from-snapshot");
	announceStop(driver, domain, "from-snapshot");
}

type Take = (
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	job: DomainJob,
	snapshot: SnapshotDef,
	options: TakeOptions,
) => Promise<void>;

const takeInternal: Take = async (driver, domain, run, _job, snapshot, { flags }) => {
	await checkMigratable(run);
	// QEMU would stop the guest itself, but not say when it goes on.
	const ran = await stopGuest(driver, domain, run, "snapshot");
	let kept = false;
	try {
		await saveInternal(run, snapshot);
		kept = (flags & CREATE.halt) !== 0;
	} finally {
		if (ran && !kept) await resumeGuest(driver, domain, run, "unpaused");
	}
};

const takeExternal: Take = async (driver, domain, run, job, snapshot, options) => {
	const { flags, context } = options;
	const frozen = flags & CREATE.quiesce ? await filesystemOperations.fsFreeze(domain, [], 0, context) : 0;
	let done = false;
	try {
		await holdStillFor(driver, domain, run, job, snapshot, options);
		done = true;
	} finally {
		if (frozen > 0 && !(done && flags & CREATE.halt)) await thaw(driver, domain, context, done);
	}
};

/** A guest that cannot be thawed is an error only where nothing else was one. */
async function thaw(driver: Driver, domain: QemuDomain, context: CallContext, report: boolean): Promise<void> {
	try {
		await filesystemOperations.fsThaw(domain, [], 0, context);
	} catch (error) {
		if (report) throw error;
		driver.log.warn(`the file systems of '${domain.name}' stay frozen: ${toVirtError(error).message}`, { error });
	}
}

async function holdStillFor(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	job: DomainJob,
	snapshot: SnapshotDef,
	{ flags, manual }: TakeOptions,
): Promise<void> {
	const memory = snapshot.memory?.snapshot === "external";
	const ran = domain.stateName === "running";
	// Asked before memory is saved: QEMU lets go of bitmaps with that.
	const nodes = await run.monitor.execute("query-named-block-nodes", { flat: true });
	const live = (flags & CREATE.live) !== 0;
	let resume = ran && memory;
	try {
		if (memory || manual) {
			if (!live) await stopGuest(driver, domain, run, "snapshot");
			// QEMU itself stops the guest at the end.
			else run.pausedReason = "snapshot";
		}
		if (memory) {
			await checkMigratable(run);
			const wish = { path: snapshot.memory?.file ?? "", format: "raw", running: ran && !manual } as const;
			await writeSaveImage(driver, domain, run, job, wish);
		}
		await putOverlays(driver, domain, run, snapshot, { reuse: (flags & CREATE.reuse) !== 0, nodes });
		checkStillThere(domain, run);
		if (manual || flags & CREATE.halt) resume = false;
	} catch (error) {
		resume = ran && domain.stateName !== "running";
		throw error;
	} finally {
		run.pausedReason = "unknown";
		if (resume) await resumeGuest(driver, domain, run, "unpaused");
	}
}
