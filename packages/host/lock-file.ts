// Holds a folder for one daemon: a locked file that names the holder, free again the instant the holder ends, however it ends.

import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { lockExclusively } from "./native.ts";
import { systemError } from "./system-error.ts";

/** A held lock. */
export interface LockFile extends Disposable {
	readonly path: string;
	release(): void;
}

/**
 * Locks `path`, creating it, and writes this process's number into it.
 *
 * @throws VirtError OPERATION_FAILED naming the holder's process number when another process has it.
 */
export function acquireLockFile(path: string): LockFile {
	let fd: number;
	try {
		fd = openSync(path, "a+", 0o644);
	} catch (error) {
		throw systemError(`Failed to open pid file '${path}'`, error);
	}
	try {
		if (!lockExclusively(fd)) {
			const holder = readFileSync(path, "latin1").trim();
			throw new VirtError("OPERATION_FAILED", `'${path}' is locked by process ${holder || "unknown"}`, {
				domain: "NONE",
			});
		}
		ftruncateSync(fd);
		writeSync(fd, `${process.pid}\n`);
	} catch (error) {
		closeSync(fd);
		throw error;
	}
	// The file stays: removing it would let two processes each lock a file of that name.
	let held = true;
	const release = () => {
		if (held) closeSync(fd);
		held = false;
	};
	return { path, release, [Symbol.dispose]: release };
}
