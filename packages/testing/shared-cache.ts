// Where tests keep what is slow to find out and the same for all of them.

import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of that name, shared by the test files of one run of ./virtkit test; it may not exist yet. */
export function sharedCacheFolder(name: string): string {
	return join(process.env["VIRTKIT_TEST_CACHE"] ?? tmpdir(), name);
}
