// A folder for one test, gone with everything in it when the test's scope ends.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A temporary folder; use it with `using`. */
export interface TemporaryFolder extends Disposable {
	readonly path: string;
	/** A path inside the folder. */
	file(name: string): string;
}

/** Makes a folder under the system's temporary one. */
export function temporaryFolder(prefix = "virtkit-test-"): TemporaryFolder {
	const path = mkdtempSync(join(tmpdir(), prefix));
	return {
		path,
		file: (name) => join(path, name),
		[Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }),
	};
}
