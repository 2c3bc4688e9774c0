// Starts a daemon of its own process group, and waits until it is ready.

import { spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CommandError } from "../context.ts";

/** Where an instance listens, and where its daemon's log goes. */
export interface InstancePlace {
	readonly socket: string;
	readonly log: string;
	/** Folder for what can be made again, such as the demo guest. */
	readonly cache: string;
	/** Words after `virtkit daemon`. */
	readonly words: readonly string[];
}

/** The places of the instance under `root`, or else of this user's own. */
export function instancePlace(root: string | undefined, uid: number, environment: NodeJS.ProcessEnv): InstancePlace {
	if (root !== undefined)
		return {
			socket: join(root, "run/libvirt-sock"),
			log: join(root, "log/daemon.log"),
			cache: join(root, "lib/cache"),
			words: ["--root", root],
		};
	if (uid === 0)
		return {
			socket: "/run/virtkit/libvirt-sock",
			log: "/var/log/virtkit/daemon.log",
			cache: "/var/cache/virtkit",
			words: [],
		};
	const home = environment.HOME ?? "/";
	const cache = join(environment.XDG_CACHE_HOME || join(home, ".cache"), "virtkit");
	const run = environment.XDG_RUNTIME_DIR ? join(environment.XDG_RUNTIME_DIR, "virtkit") : join(cache, "run");
	return { socket: join(run, "libvirt-sock"), log: join(cache, "log/daemon.log"), cache, words: [] };
}

/**
 * Starts `virtkit daemon` for the place, detached, and resolves once it says that it is ready.
 *
 * `command` is the virtkit to run. Throws CommandError with the end of its log when it ends before.
 */
export async function startDaemon(place: InstancePlace, command: string): Promise<void> {
	mkdirSync(dirname(place.log), { recursive: true, mode: 0o711 });
	const log = openSync(place.log, "a", 0o600);
	const child = spawn(command, ["daemon", ...place.words], { detached: true, stdio: ["ignore", "pipe", log] });
	const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
	child.once("error", (cause) => reject(new CommandError(`cannot start '${command} daemon'`, { cause })));
	child.once("exit", () => reject(new CommandError(`the daemon did not start: ${lastLines(place.log)}`)));
	child.stdout?.on("data", (text: Buffer) => {
		if (text.includes("ready")) resolve();
	});
	await ready;
	child.stdout?.destroy();
	child.unref();
}

function lastLines(file: string): string {
	return readFileSync(file, "utf8").trimEnd().split("\n").slice(-3).join("\n");
}
