// A guest's private folders: its working folder with the master key, and the one of its channel sockets.

import { randomBytes } from "node:crypto";
import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemError } from "@virtkit/host/system-error";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";

/** Bytes of the key that protects secrets on the command line: AES-256. */
const MASTER_KEY_BYTES = 32;

const keyFile = (run: Run): string => join(run.paths.work, "master-key.aes");

/** Makes the folders; returns the master key that was written into the working folder. */
export function createWorkFolders(driver: Driver, run: Run): Uint8Array {
	adoptWorkFolders(run);
	const key = randomBytes(MASTER_KEY_BYTES);
	try {
		for (const folder of [run.paths.work, run.paths.channels]) {
			// What a run of the same number left when the host went down.
			rmSync(folder, { recursive: true, force: true });
			mkdirSync(folder, { mode: 0o750 });
			giveTo(driver, folder);
		}
		writeFileSync(keyFile(run), key, { mode: 0o600 });
		giveTo(driver, keyFile(run));
	} catch (error) {
		throw systemError(`cannot make the folder '${run.paths.work}'`, error);
	}
	return key;
}

/** The run's master key. */
export function readMasterKey(run: Run): Uint8Array {
	return readFileSync(keyFile(run));
}

/** Takes over the folders that a former daemon made. */
export function adoptWorkFolders(run: Run): void {
	run.resources.defer("the working folder", () => {
		for (const folder of [run.paths.work, run.paths.channels]) rmSync(folder, { recursive: true, force: true });
	});
}

/** Makes who guests run as the owner of `path`. */
export function giveTo({ runAs }: Driver, path: string): void {
	if (runAs) chownSync(path, runAs.uid, runAs.gid);
}
