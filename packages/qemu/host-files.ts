// The few files of the host that devices ask about: what is in /dev and /sys, and descriptions of helper programs.

import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

export interface HostFiles {
	exists(path: string): boolean;
	/** Names in a folder, sorted; undefined where there is no such folder. */
	list(folder: string): readonly string[] | undefined;
	/** A file's text; undefined where it cannot be read. */
	read(path: string): string | undefined;
	/** A file's bytes; undefined where there is none. */
	size(path: string): number | undefined;
	/** Where a symbolic link leads; undefined where there is none. */
	link(path: string): string | undefined;
}

function orUndefined<T>(ask: () => T): T | undefined {
	try {
		return ask();
	} catch {
		return undefined;
	}
}

/** The host's own files. */
export const hostFiles: HostFiles = {
	exists: existsSync,
	list: (folder) => orUndefined(() => readdirSync(folder).sort()),
	read: (path) => orUndefined(() => readFileSync(path, "utf8")),
	size: (path) => statSync(path, { throwIfNoEntry: false })?.size,
	link: (path) => orUndefined(() => readlinkSync(path)),
};
