// Keeps a running guest's status file in step with it: written before anything of the guest exists, removed after everything is gone.

import { unlinkSync } from "node:fs";
import type { DomainState } from "@virtkit/core/domain-state";
import { writeFileAtomically, writeFileAtomicallySync } from "@virtkit/host/atomic-file";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import { formatStatus, statusOf } from "../domain/status.ts";
import type { Driver } from "../driver-context.ts";

/** The writes of one run, which follow each other. */
interface Writes {
	/** Settles when the last one is done, well or not. */
	last: Promise<void>;
	/** One is to come that nobody waits for; until it begins, further wishes are one with it. */
	wanted: boolean;
	/** The file is removed, or about to be. */
	over: boolean;
}

const WRITES = new WeakMap<Run, Writes>();

function writesOf(run: Run): Writes {
	const known = WRITES.get(run);
	if (known) return known;
	const made: Writes = { last: Promise.resolve(), wanted: false, over: false };
	WRITES.set(run, made);
	return made;
}

/** Makes the status file of a run that begins; nothing else of it may exist before. */
export function createStatusFile(domain: QemuDomain, run: Run): void {
	writeFileAtomicallySync(run.statusFile, formatStatus(statusOf(domain, run, false)));
	adoptStatusFile(run);
}

/** Takes over the status file of a run that a former daemon began. */
export function adoptStatusFile(run: Run): void {
	run.resources.defer("the status file", () => removeStatusFile(run));
}

async function removeStatusFile(run: Run): Promise<void> {
	const writes = writesOf(run);
	writes.over = true;
	await writes.last;
	try {
		unlinkSync(run.statusFile);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
	}
}

/** Writes the run's status as it is now, before it returns; or as it is about to be, where `state` says so. */
export function saveStatusNow(domain: QemuDomain, run: Run, state?: DomainState): Promise<void> {
	return enqueue(run, () => formatStatus({ ...statusOf(domain, run, true), ...(state ?? domain.state) }));
}

/** Has the run's status written soon; several wishes become one write. */
export function saveStatus(driver: Driver, domain: QemuDomain): void {
	const { run } = domain;
	if (run === undefined) return;
	const writes = writesOf(run);
	if (writes.wanted || writes.over) return;
	writes.wanted = true;
	// A turn later, so that all changes of this one are in it.
	setImmediate(() => {
		enqueue(run, () => {
			writes.wanted = false;
			return formatStatus(statusOf(domain, run, true));
		}).catch((error) => driver.log.error(`cannot save the status of '${domain.name}'`, { error }));
	});
}

function enqueue(run: Run, text: () => string): Promise<void> {
	const writes = writesOf(run);
	const write = writes.last.then(async () => {
		if (!writes.over) await writeFileAtomically(run.statusFile, text());
	});
	writes.last = write.catch(() => undefined);
	return write;
}
