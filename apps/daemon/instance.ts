// The folders of one daemon: the system's own, a user's own, or all under one root, so that many share a machine.

import { chmodSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where a daemon keeps what. */
export interface InstanceFolders {
	/** Definitions and settings. */
	readonly etc: string;
	/** State that outlives a boot: saved guests, working folders of guests, channels. */
	readonly lib: string;
	/** State of this boot: sockets, process identities, what runs. */
	readonly run: string;
	readonly log: string;
	/** What can be found out again: capabilities of emulators. */
	readonly cache: string;
	/** All of the above lie in it, if one was given. */
	readonly root: string | undefined;
}

function underRoot(root: string): InstanceFolders {
	const [etc, lib, run, log] = ["etc", "lib", "run", "log"].map((name) => join(root, name)) as [
		string,
		string,
		string,
		string,
	];
	return { etc, lib, run, log, cache: join(lib, "cache"), root };
}

/** The XDG base directories of a user (XDG Base Directory Specification 0.8). */
function ofUser(environment: NodeJS.ProcessEnv): InstanceFolders {
	const base = (variable: string, otherwise: string): string =>
		join(environment[variable] || join(homedir(), otherwise), "virtkit");
	const run = environment.XDG_RUNTIME_DIR
		? join(environment.XDG_RUNTIME_DIR, "virtkit")
		: join(base("XDG_CACHE_HOME", ".cache"), "run");
	const cache = base("XDG_CACHE_HOME", ".cache");
	return {
		etc: base("XDG_CONFIG_HOME", ".config"),
		lib: base("XDG_DATA_HOME", ".local/share"),
		run,
		log: join(cache, "log"),
		cache,
		root: undefined,
	};
}

const OF_SYSTEM: InstanceFolders = {
	etc: "/etc/virtkit",
	lib: "/var/lib/virtkit",
	run: "/run/virtkit",
	log: "/var/log/virtkit",
	cache: "/var/cache/virtkit",
	root: undefined,
};

/** The folders of the daemon that `root`, or else the user who runs it, asks for. */
export function instanceFolders(
	root: string | undefined,
	uid: number,
	environment: NodeJS.ProcessEnv,
): InstanceFolders {
	if (root !== undefined) return underRoot(root);
	return uid === 0 ? OF_SYSTEM : ofUser(environment);
}

/**
 * Makes the folders. Others may pass through them, not list them: guests run as another user and must reach their own
 * files below.
 */
export function makeFolders(folders: InstanceFolders): void {
	for (const folder of [folders.root, folders.etc, folders.lib, folders.run, folders.log, folders.cache]) {
		if (folder === undefined) continue;
		mkdirSync(folder, { recursive: true, mode: 0o711 });
	}
	if (folders.root !== undefined) chmodSync(folders.root, 0o711);
}
