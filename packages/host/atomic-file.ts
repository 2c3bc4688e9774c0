// Replaces files so that a reader, a crash or a full disk only ever meets the old content or the new, never a part.

import {
	closeSync,
	fchmodSync,
	fsync,
	fsyncSync,
	openSync,
	readdirSync,
	renameSync,
	unlinkSync,
	writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { systemError } from "./system-error.ts";

export interface WriteOptions {
	/** Permissions of the file; 0o600 unless told. */
	readonly mode?: number;
}

/** Temporary names are ours to remove at start, so they carry a mark that no definition's name can have. */
const TEMPORARY_MARK = ".virtkit-new.";
let counter = 0;

function temporaryPath(path: string): string {
	return join(dirname(path), `.${basename(path)}${TEMPORARY_MARK}${process.pid}.${++counter}`);
}

const DEFAULT_MODE = 0o600;
const sync = promisify(fsync);

function syncFolder(folder: string): void {
	const fd = openSync(folder, "r");
	try {
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
}

function replaceSync(path: string, data: string | Uint8Array, mode: number, durable: boolean): void {
	const temporary = temporaryPath(path);
	try {
		const fd = openSync(temporary, "wx", mode);
		try {
			fchmodSync(fd, mode);
			writeFileSync(fd, data);
			if (durable) fsyncSync(fd);
		} finally {
			closeSync(fd);
		}
		renameSync(temporary, path);
	} catch (error) {
		removeQuietly(temporary);
		throw systemError(`cannot write file '${path}'`, error);
	}
	if (durable) syncFolder(dirname(path));
}

function removeQuietly(path: string): void {
	try {
		unlinkSync(path);
	} catch {
		// It was renamed or never made; what went wrong before is what the caller hears of.
	}
}

/**
 * What only fills the page cache is done at once: each turn through the thread pool would cost more than it. What waits
 * for the disk does not block.
 */
async function replaceDurably(path: string, data: string | Uint8Array, mode: number): Promise<void> {
	const temporary = temporaryPath(path);
	try {
		const fd = openSync(temporary, "wx", mode);
		try {
			fchmodSync(fd, mode);
			writeFileSync(fd, data);
			await sync(fd);
		} finally {
			closeSync(fd);
		}
		renameSync(temporary, path);
	} catch (error) {
		removeQuietly(temporary);
		throw systemError(`cannot write file '${path}'`, error);
	}
	const folder = openSync(dirname(path), "r");
	try {
		await sync(folder);
	} finally {
		closeSync(folder);
	}
}

/**
 * Replaces the file's content; when this returns, the new content survives a power cut.
 *
 * On failure the old file is as it was.
 * @throws VirtError SYSTEM_ERROR naming the file, with the errno (ENOSPC, EACCES, …) in int1.
 */
export function writeFileDurably(path: string, data: string | Uint8Array, options: WriteOptions = {}): Promise<void> {
	return replaceDurably(path, data, options.mode ?? DEFAULT_MODE);
}

/** `writeFileDurably`, blocking. */
export function writeFileDurablySync(path: string, data: string | Uint8Array, options: WriteOptions = {}): void {
	replaceSync(path, data, options.mode ?? DEFAULT_MODE, true);
}

/** Replaces the file's content against a crash of this process, not of the machine: for state that a reboot voids. */
export async function writeFileAtomically(
	path: string,
	data: string | Uint8Array,
	options: WriteOptions = {},
): Promise<void> {
	replaceSync(path, data, options.mode ?? DEFAULT_MODE, false);
}

/** `writeFileAtomically`, blocking. */
export function writeFileAtomicallySync(path: string, data: string | Uint8Array, options: WriteOptions = {}): void {
	replaceSync(path, data, options.mode ?? DEFAULT_MODE, false);
}

/** Removes a file durably; false when there was none. */
export function removeFileDurablySync(path: string): boolean {
	try {
		unlinkSync(path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
		throw systemError(`cannot remove file '${path}'`, error);
	}
	syncFolder(dirname(path));
	return true;
}

/** Renames a file durably, replacing `to`. */
export function renameFileDurablySync(from: string, to: string): void {
	try {
		renameSync(from, to);
	} catch (error) {
		throw systemError(`cannot rename file '${from}' to '${to}'`, error);
	}
	syncFolder(dirname(to));
	if (dirname(from) !== dirname(to)) syncFolder(dirname(from));
}

/**
 * Removes what writers killed half-way left in `folder`; returns the names.
 *
 * Only for a folder whose lock this process holds: a living writer's file looks the same.
 */
export function removeStrayFiles(folder: string): string[] {
	let names: string[];
	try {
		names = readdirSync(folder);
	} catch {
		return [];
	}
	const stray = names.filter((name) => name.startsWith(".") && name.includes(TEMPORARY_MARK));
	for (const name of stray) removeQuietly(join(folder, name));
	return stray;
}
