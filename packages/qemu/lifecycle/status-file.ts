// Keeps a running guest's status file in step with it: written before anything of the guest exists, removed after everything is gone.

import { unlinkSync } from "node:fs";
import { writeFileAtomically, writeFileAtomicallySync } from "@virtkit/host/atomic-file";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import { formatStatus, statusOf } from "../domain/status.ts";
import type { Driver } from "../driver-context.ts";

/** Writes of one run that are under way or wanted. */
interface Writing {
	wanted: boolean;
	current: Promise<void>;
}

const WRITING = new WeakMap<Run, Writing>();

/** Makes the status file of a run that begins; nothing else of it may exist before. */
export function createStatusFile(domain: QemuDomain, run: Run): void {
	writeFileAtomicallySync(run.statusFile, formatStatus(statusOf(domain, run, false)));
	run.resources.defer("the status file", () => removeStatusFile(run));
}

/** Takes over the status file of a run that a former daemon began. */
export function adoptStatusFile(run: Run): void {
	run.resources.defer("the status file", () => removeStatusFile(run));
}

async function removeStatusFile(run: Run): Promise<void> {
	const writing = WRITING.get(run);
	if (writing) writing.wanted = false;
	await writing?.current;
	try {
		unlinkSync(run.statusFile);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
	}
}

/** Writes the run's status as it is now, before it returns; or as it is about to be, where `state` says so. */
export async function saveStatusNow(domain: QemuDomain, run: Run, state = domain.state): Promise<void> {
	const writing = WRITING.get(run);
	if (writing) writing.wanted = false;
	await writing?.current;
	await writeFileAtomically(run.statusFile, formatStatus({ ...statusOf(domain, run, true), ...state }));
}

/** Has the run's status written soon; several wishes become one write. */
export function saveStatus(driver: Driver, domain: QemuDomain): void {
	const { run } = domain;
	if (run === undefined || run.phase === "ending" || run.phase === "ended") return;
	const known = WRITING.get(run);
	if (known) {
		known.wanted = true;
		return;
	}
	const writing: Writing = { wanted: true, current: Promise.resolve() };
	WRITING.set(run, writing);
	writing.current = writeWhileWanted(driver, domain, run, writing).finally(() => WRITING.delete(run));
}

async function writeWhileWanted(driver: Driver, domain: QemuDomain, run: Run, writing: Writing): Promise<void> {
	// A turn later, so that all changes of this one are in it.
	await new Promise<void>((resolve) => setImmediate(resolve));
	while (writing.wanted && domain.run === run) {
		writing.wanted = false;
		try {
			await writeFileAtomically(run.statusFile, formatStatus(statusOf(domain, run, true)));
		} catch (error) {
			driver.log.error(`cannot save the status of '${domain.name}'`, { error });
		}
	}
}
