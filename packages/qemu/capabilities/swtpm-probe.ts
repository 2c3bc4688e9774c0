// Asks the host's TPM emulator what versions of TPM it emulates.

import { spawnSync } from "node:child_process";
import { findProgram } from "../helpers/find.ts";

const DEADLINE_MS = 5000;

/**
 * `1.2`, `2.0`; undefined where there is no swtpm (swtpm_setup(8), --print-capabilities).
 *
 * Waits for the program's answer, some milliseconds, as definitions are completed without waiting for anything.
 */
export function probeSwtpm(path = findProgram("swtpm_setup")): string[] | undefined {
	if (path === undefined || findProgram("swtpm") === undefined) return undefined;
	const { stdout } = spawnSync(path, ["--print-capabilities"], { timeout: DEADLINE_MS, encoding: "utf8" });
	try {
		const { features = [] } = JSON.parse(stdout) as { features?: unknown[] };
		return ["1.2", "2.0"].filter((version) => features.includes(`tpm-${version}`));
	} catch {
		return undefined;
	}
}
