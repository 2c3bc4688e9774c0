// Runs the project's daemon on a folder of its own for a test, and leaves nothing of it behind: no process, group or file.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { removeGroupFolder } from "@virtkit/host/cgroup/group";
import { readCgroupMounts } from "@virtkit/host/cgroup/mounts";
import { findProcesses, identifyProcess, isAlive, terminateProcess } from "@virtkit/host/process";
import { type LibvirtClients, libvirtClients } from "./libvirt-clients.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const DAEMON = fileURLToPath(new URL("../../apps/daemon/main.ts", import.meta.url));

/** How long a daemon may take until it says that it is ready. */
const START_DEADLINE_MS = 60_000;

const KILL = [{ signal: "SIGKILL", deadlineMs: 20_000 }] as const;

export interface DaemonOptions {
	/** Further words of its command line. */
	readonly args?: readonly string[];
	/** It finds out about emulators for itself, instead of using what an earlier test's daemon found out. */
	readonly ownCache?: boolean;
	readonly env?: Readonly<Record<string, string>>;
}

/** A daemon of ours on a root folder; ended with all its guests when its scope ends. */
export interface TestDaemon extends LibvirtClients, AsyncDisposable {
	readonly root: string;
	/** A path inside the root. */
	file(name: string): string;
	readonly socket: string;
	/** Its process number; changes with `restart`. */
	readonly pid: number;
	/** What it logged so far, all its starts together. */
	log(): string;
	/** Ends it by a signal and waits; guests run on. */
	stop(signal?: NodeJS.Signals): Promise<void>;
	/** Starts it again on the same root and waits until it is ready. */
	start(): Promise<void>;
	/** Logs of daemon and guests, for a failing test to show. */
	logs(): string;
}

function readLogs(root: string): string {
	const folder = join(root, "log");
	const read = (path: string): string[] => {
		try {
			return readdirSync(path, { withFileTypes: true, recursive: true })
				.filter((entry) => entry.isFile())
				.map((entry) => join(entry.parentPath, entry.name))
				.map((file) => `== ${file}\n${readFileSync(file, "utf8")}`);
		} catch {
			return [];
		}
	};
	return read(folder).join("\n");
}

const CAPABILITIES = fileURLToPath(new URL("../qemu/capabilities", import.meta.url));

/** A folder that test daemons keep what they find out about emulators in, as long as the code that does so stays. */
function sharedCache(): string {
	const hash = createHash("sha256");
	for (const name of readdirSync(CAPABILITIES).sort()) {
		const { mtimeMs, size } = statSync(join(CAPABILITIES, name));
		hash.update(JSON.stringify([name, mtimeMs, size]));
	}
	const folder = join(tmpdir(), `virtkit-test-cache-${process.getuid?.() ?? 0}-${hash.digest("hex").slice(0, 12)}`);
	mkdirSync(folder, { recursive: true, mode: 0o711 });
	return folder;
}

/** What Node made of the daemon's sources, kept by daemons that end in order: halves the time that the next one starts in. */
const compileCache = (): string => join(tmpdir(), `virtkit-test-compiled-${process.getuid?.() ?? 0}`);

/** Removes the control groups of daemons that ran on the root, by the processes' groups named before they were ended. */
async function removeGroups(groups: Iterable<string>): Promise<void> {
	for (const group of groups) await removeGroupFolder(group).catch(() => undefined);
}

/** The folders of the groups `machine/virtkit-*` that the processes are in, in every hierarchy. */
export function groupsOf(pids: readonly number[]): Set<string> {
	const { v1, v2 } = readCgroupMounts();
	const found = new Set<string>();
	for (const pid of pids) {
		let text = "";
		try {
			text = readFileSync(`/proc/${pid}/cgroup`, "utf8");
		} catch {
			continue;
		}
		for (const line of text.split("\n")) {
			const [, controllers = "", instance] = /^\d+:([^:]*):\/?(machine\/virtkit-[^/]+)/.exec(line) ?? [];
			if (instance === undefined) continue;
			const mounts = [...v1].filter(([name]) => controllers.split(",").includes(name)).map(([, mount]) => mount);
			for (const mount of controllers === "" && v2 ? [v2] : mounts) found.add(join(mount.folder, instance));
		}
	}
	return found;
}

/** Starts the daemon and waits until its sockets accept. @throws Error with its log when it ends before that. */
export async function startDaemon(options: DaemonOptions = {}): Promise<TestDaemon> {
	// UNIX socket paths have 107 bytes, so the root's is kept short.
	const folder = temporaryFolder("vk-");
	const root = folder.path;
	const socket = join(root, "run", "libvirt-sock");
	if (!options.ownCache) {
		mkdirSync(join(root, "lib"), { mode: 0o711 });
		symlinkSync(sharedCache(), join(root, "lib", "cache"));
	}
	let log = "";
	let child: ChildProcess | undefined;
	const start = async () => {
		child = spawn(process.execPath, [DAEMON, "--root", root, ...(options.args ?? [])], {
			env: { ...process.env, NODE_COMPILE_CACHE: compileCache(), ...options.env },
			stdio: ["ignore", "pipe", "pipe"],
		});
		child.stderr?.setEncoding("utf8").on("data", (text: string) => {
			log += text;
		});
		await untilReady(child, () => log);
	};
	const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
		const identity = identifyProcess(child?.pid ?? 0);
		if (identity === undefined || child === undefined) return;
		const ended = once(child, "exit");
		child.kill(signal);
		await ended;
	};
	const end = async () => {
		const mine = findProcesses(root);
		const groups = groupsOf(mine.map(({ pid }) => pid));
		await stop("SIGKILL");
		for (const identity of findProcesses(root)) if (isAlive(identity)) await terminateProcess(identity, KILL);
		await removeGroups(groups);
		rmSync(root, { recursive: true, force: true, maxRetries: 5 });
	};
	try {
		await start();
	} catch (error) {
		await end();
		throw error;
	}
	return {
		...libvirtClients(socket),
		root,
		file: folder.file,
		socket,
		get pid() {
			return child?.pid ?? 0;
		},
		log: () => log,
		stop,
		start,
		logs: () => `== daemon\n${log}\n${readLogs(root)}`,
		[Symbol.asyncDispose]: end,
	};
}

async function untilReady(child: ChildProcess, log: () => string): Promise<void> {
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	const fail = (why: string) => reject(new Error(`the daemon ${why}:\n${log()}`));
	const timer = setTimeout(() => fail(`was not ready in ${START_DEADLINE_MS} ms`), START_DEADLINE_MS);
	let output = "";
	child.stdout?.setEncoding("utf8").on("data", (text: string) => {
		output += text;
		if (/^ready$/m.test(output)) resolve();
	});
	child.once("error", reject);
	child.once("exit", (code, signal) => fail(`ended with ${signal ?? code} before it was ready`));
	try {
		await promise;
	} finally {
		clearTimeout(timer);
	}
}
