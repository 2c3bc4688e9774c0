// The note of a snapshot that is being taken: what a daemon that comes after a killed one needs, to finish it or to take it back.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { toVirtError } from "@virtkit/base/errors";
import { writeFileDurably } from "@virtkit/host/atomic-file";
import { formatSnapshot, parseSnapshot, type SnapshotDef } from "@virtkit/model/snapshot/snapshot";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";

/** See the opening sentence. */
export interface PendingSnapshot {
	readonly snapshot: SnapshotDef;
	/** Files made for it, which go where it does not come to be. */
	readonly created: readonly string[];
	/** It is to be known afterwards. */
	readonly metadata: boolean;
	/** The domain goes back to the snapshot, which is there; `created` are the images that it goes on in, its `revertDisks`. */
	readonly revert?: boolean;
	/** The guest agent holds the guest's file systems still meanwhile. */
	readonly frozen: boolean;
}

/** No snapshot has such a name. */
const FILE = ".pending";
/** Holds the name of a snapshot that is being deleted. */
const DELETING = ".deleting";

const folderOf = ({ paths }: Driver, name: string): string => join(paths.snapshots, name);

/** Notes the snapshot; when this settles the note survives a power cut. */
export async function notePending(driver: Driver, domain: QemuDomain, pending: PendingSnapshot): Promise<void> {
	const folder = folderOf(driver, domain.name);
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	const xml = formatSnapshot(pending.snapshot, { secure: true });
	await writeFileDurably(join(folder, FILE), JSON.stringify({ ...pending, snapshot: xml }));
}

/** Forgets the note: the snapshot is there, or nothing is left of it. */
export const dropPending = (driver: Driver, { name }: QemuDomain): void => drop(folderOf(driver, name), FILE);

/** Notes that the snapshot is being deleted, so that the next daemon goes on with that. */
export async function noteDeleting(driver: Driver, { name }: QemuDomain, snapshot: string): Promise<void> {
	await writeFileDurably(join(folderOf(driver, name), DELETING), snapshot);
}

/** Forgets it: the snapshot is deleted. */
export const dropDeleting = (driver: Driver, { name }: QemuDomain): void => drop(folderOf(driver, name), DELETING);

/** Name of the snapshot that a former daemon was deleting. */
export function readDeleting(driver: Driver, { name }: QemuDomain): string | undefined {
	const file = join(folderOf(driver, name), DELETING);
	return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** Removes the file, and the folder where nothing else is in it. */
function drop(folder: string, file: string): void {
	rmSync(join(folder, file), { force: true });
	if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}

/** The note that a former daemon left. One that cannot be read is told of and forgotten. */
export function readPending(driver: Driver, domain: QemuDomain): PendingSnapshot | undefined {
	const file = join(folderOf(driver, domain.name), FILE);
	if (!existsSync(file)) return undefined;
	try {
		const noted = JSON.parse(readFileSync(file, "utf8")) as PendingSnapshot & { readonly snapshot: unknown };
		const snapshot = parseSnapshot(String(noted.snapshot), { redefine: true, offline: false, now: 0 });
		return { ...noted, snapshot };
	} catch (error) {
		driver.log.error(`the note of a snapshot in '${file}' cannot be read: ${toVirtError(error).message}`);
		dropPending(driver, domain);
		return undefined;
	}
}
