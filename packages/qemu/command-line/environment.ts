// The environment of a guest's emulator: the common variables, with home and XDG folders that are the guest's own.

import { join } from "node:path";

/** Variables that are passed on from the daemon's own environment. */
const PASSED = ["LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR"];

/** The variables in the order in which they are shown; `work` is the guest's own folder. */
export function emulatorEnvironment(
	work: string,
	own: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
	const environment: Record<string, string> = { LC_ALL: "C" };
	for (const name of PASSED) {
		const value = own[name];
		if (value !== undefined) environment[name] = value;
	}
	environment.HOME = work;
	environment.XDG_DATA_HOME = join(work, ".local/share");
	environment.XDG_CACHE_HOME = join(work, ".cache");
	environment.XDG_CONFIG_HOME = join(work, ".config");
	return environment;
}
