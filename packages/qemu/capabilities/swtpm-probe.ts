// Asks the host's TPM emulator what versions of TPM it emulates.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const DEADLINE_MS = 10_000;

/** `1.2`, `2.0`; undefined where there is no swtpm (swtpm_setup(8), --print-capabilities). */
export async function probeSwtpm(path = "swtpm_setup"): Promise<string[] | undefined> {
	try {
		const { stdout } = await promisify(execFile)(path, ["--print-capabilities"], { timeout: DEADLINE_MS });
		const { features = [] }: { features?: unknown[] } = JSON.parse(stdout);
		return ["1.2", "2.0"].filter((version) => features.includes(`tpm-${version}`));
	} catch {
		return undefined;
	}
}
