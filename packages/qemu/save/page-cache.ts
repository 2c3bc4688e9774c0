// Lets go of what the host keeps in memory of a file: what `--bypass-cache` asks for.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

/**
 * Drops the file's pages from the host's page cache; best effort, since nothing depends on it.
 *
 * QEMU writes its state in pieces of any length, which O_DIRECT does not take; so the file is cached while it is written
 * and dropped afterwards (dd(1): `nocache` with nothing to copy).
 */
export async function dropFromCache(path: string): Promise<void> {
	await promisify(execFile)("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]).catch(() => undefined);
}
