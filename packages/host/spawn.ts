// Starts a process that outlives us: own session, own descriptors, and whatever must hold before its program begins.

import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { type ProcessIdentity, readProcessStat } from "./process.ts";
import { systemError } from "./system-error.ts";

/** Conditions put in place between fork and exec. They cost a `/bin/sh` or a setpriv(1), under a millisecond each. */
export interface BeforeExec {
	/** cgroup.procs files the process enters first, so that all its memory is accounted there. */
	readonly cgroupProcs?: readonly string[];
	/** -1000 to 1000: the kernel's preference for ending it when memory runs out. */
	readonly oomScoreAdj?: number;
	readonly umask?: number;
	/** Soft and hard limits: open files, bytes of locked memory, processes, bytes of a core file. */
	readonly limits?: Readonly<Partial<Record<keyof typeof ULIMITS, number | "unlimited">>>;
	/** Groups besides `gid`; only with `uid` and `gid`, and only as root. */
	readonly supplementaryGroups?: readonly number[];
}

export interface SpawnOptions {
	readonly path: string;
	readonly args: readonly string[];
	/** The whole environment: nothing is inherited. */
	readonly env: Readonly<Record<string, string>>;
	readonly cwd?: string;
	readonly uid?: number;
	readonly gid?: number;
	/** Descriptors to become the child's standard input, output and error; /dev/null unless told. */
	readonly stdin?: number;
	readonly stdout?: number;
	readonly stderr?: number;
	/** Descriptors that become the child's 3, 4, 5, … in this order. */
	readonly inherit?: readonly number[];
	readonly beforeExec?: BeforeExec;
}

/** How a process ended: an exit code or a signal, the other null. */
export interface ExitStatus {
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
}

/** A running child that keeps running when we end. */
export interface DetachedProcess {
	readonly identity: ProcessIdentity;
	/** Settles when it ends; waiting for it does not keep this program running. */
	readonly exited: Promise<ExitStatus>;
}

/** The shell's letter for a limit, and how many bytes or things its unit is (ulimit of sh(1)). */
const ULIMITS = {
	nofile: { letter: "n", unit: 1 },
	memlock: { letter: "l", unit: 1024 },
	nproc: { letter: "p", unit: 1 },
	core: { letter: "c", unit: 512 },
} as const;

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

function limitLine([name, value]: [string, number | "unlimited"]): string {
	const { letter, unit } = ULIMITS[name as keyof typeof ULIMITS];
	return `ulimit -${letter} ${value === "unlimited" ? value : Math.ceil(value / unit)}`;
}

/** The shell script that puts `before` in place and becomes the program. */
function preamble(options: SpawnOptions, before: BeforeExec): string {
	const lines = ["set -e"];
	for (const file of before.cgroupProcs ?? []) lines.push(`echo $$ > ${quote(file)}`);
	if (before.oomScoreAdj !== undefined) lines.push(`echo ${before.oomScoreAdj} > /proc/self/oom_score_adj`);
	if (before.umask !== undefined) lines.push(`umask 0${before.umask.toString(8)}`);
	lines.push(...Object.entries(before.limits ?? {}).map(limitLine));
	const identity = identityArguments(options, before);
	const become = identity.length === 0 ? "" : `setpriv ${identity.join(" ")} `;
	lines.push(`exec ${become}"$@"`);
	return lines.join("\n");
}

/** What setpriv(1) is told to become somebody else; nothing where the child stays who we are. */
function identityArguments({ uid, gid }: SpawnOptions, { supplementaryGroups: groups = [] }: BeforeExec): string[] {
	if (uid === undefined && gid === undefined) return [];
	return [
		...(uid === undefined ? [] : [`--reuid=${uid}`]),
		...(gid === undefined ? [] : [`--regid=${gid}`]),
		...(groups.length > 0 ? [`--groups=${groups.join(",")}`] : ["--clear-groups"]),
		"--",
	];
}

/** Where util-linux has it; found by the shell's path elsewhere. */
const SETPRIV = "/usr/bin/setpriv";

/** The program and its arguments, behind whatever puts `before` in place: the least that does it. */
function prefixed(options: SpawnOptions, before: BeforeExec): readonly [path: string, args: readonly string[]] {
	const { supplementaryGroups: _, ...rest } = before;
	const identity = identityArguments(options, before);
	if (Object.keys(rest).length === 0 && identity.length > 0 && existsSync(SETPRIV))
		return [SETPRIV, [...identity, options.path, ...options.args]];
	return ["/bin/sh", ["-c", preamble(options, before), "sh", options.path, ...options.args]];
}

/** Finds out beforehand what exec would answer, as an error that names the file in question. */
function checkExecutable(path: string, cwd: string | undefined): void {
	try {
		if (cwd !== undefined) accessSync(cwd, constants.X_OK);
	} catch (error) {
		throw systemError(`cannot change to folder '${cwd}'`, error);
	}
	try {
		accessSync(path, constants.X_OK);
	} catch (error) {
		throw systemError(`cannot execute binary ${path}`, error);
	}
	if (statSync(path).isDirectory()) {
		throw new VirtError("SYSTEM_ERROR", `cannot execute binary ${path}: Is a directory`, { domain: "NONE", int1: 21 });
	}
}

function launch(options: SpawnOptions): ChildProcess {
	const { beforeExec: before, uid, gid } = options;
	const common = {
		detached: true,
		env: { ...options.env },
		...(options.cwd === undefined ? {} : { cwd: options.cwd }),
		stdio: [
			options.stdin ?? "ignore",
			options.stdout ?? "ignore",
			options.stderr ?? "ignore",
			...(options.inherit ?? []),
		] as ("ignore" | number)[],
	};
	if (before !== undefined) {
		const [path, args] = prefixed(options, before);
		return spawn(path, args, common);
	}
	return spawn(options.path, options.args, {
		...common,
		...(uid === undefined ? {} : { uid }),
		...(gid === undefined ? {} : { gid }),
	});
}

/**
 * Starts a program in a session of its own.
 *
 * @throws VirtError SYSTEM_ERROR naming the program when it cannot be executed.
 */
export async function spawnDetached(options: SpawnOptions): Promise<DetachedProcess> {
	checkExecutable(options.path, options.cwd);
	let child: ChildProcess;
	try {
		child = launch(options);
	} catch (error) {
		throw systemError(`cannot execute binary ${options.path}`, error);
	}
	const exited = new Promise<ExitStatus>((resolve) => {
		child.once("exit", (code, signal) => resolve({ code, signal }));
	});
	const { pid } = child;
	if (pid === undefined) {
		const failure = await new Promise<Error>((resolve) => child.once("error", resolve));
		throw systemError(`cannot execute binary ${options.path}`, failure);
	}
	child.on("error", () => undefined);
	child.unref();
	// A process that has ended already is a zombie until Node's loop turns, so its start time can still be read.
	return {
		identity: { pid, startTime: readProcessStat(pid)?.startTime ?? 0 },
		exited,
	};
}
