// Identifies processes by number and start time, so that a reused number is never taken for the process it once was.

import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { VirtError } from "@virtkit/base/errors";
import { closeDescriptor, openPidfd, signalPidfd } from "./native.ts";
import { type ProcessStat, parseProcessStat } from "./process-stat.ts";

/** A process for good: its number, and when it started in clock ticks since boot (field 22 of proc_pid_stat(5)). */
export interface ProcessIdentity {
	readonly pid: number;
	readonly startTime: number;
}

/** What /proc/PID/stat says of a process that exists, zombies included; undefined when there is none. */
export function readProcessStat(pid: number): ProcessStat | undefined {
	try {
		return parseProcessStat(readFileSync(`/proc/${pid}/stat`, "latin1"));
	} catch {
		return undefined;
	}
}

const isRunning = (stat: ProcessStat | undefined): stat is ProcessStat =>
	stat !== undefined && stat.state !== "Z" && stat.state !== "X";

/** The identity of the running process `pid`, undefined when there is none. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
	const stat = readProcessStat(pid);
	return isRunning(stat) ? { pid, startTime: stat.startTime } : undefined;
}

/** Whether that very process still runs; a zombie does not. */
export function isAlive(identity: ProcessIdentity): boolean {
	return identifyProcess(identity.pid)?.startTime === identity.startTime;
}

/** Sends a signal to that very process, whatever has its number by now; false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
	const pidfd = openPidfd(identity.pid);
	if (pidfd === undefined) return false;
	try {
		// The descriptor pins a process; only then is it asked which one it is.
		return isAlive(identity) && signalPidfd(pidfd, constants.signals[signal]);
	} finally {
		closeDescriptor(pidfd);
	}
}

/** One step of `terminateProcess`: a signal and how long the process gets to act on it. */
export interface TerminationStep {
	readonly signal: NodeJS.Signals;
	readonly deadlineMs: number;
}

/** SIGTERM for 10 s, then SIGKILL for 30 s (a process in the middle of I/O takes its time even so). */
export const DEFAULT_TERMINATION: readonly TerminationStep[] = [
	{ signal: "SIGTERM", deadlineMs: 10_000 },
	{ signal: "SIGKILL", deadlineMs: 30_000 },
];

/** Waits until that process is gone; false when `deadlineMs` passes first. */
export async function waitForExit(
	identity: ProcessIdentity,
	deadlineMs: number,
	abort?: AbortSignal,
): Promise<boolean> {
	const deadline = performance.now() + deadlineMs;
	for (let pause = 1; isAlive(identity); pause = Math.min(pause * 2, 50)) {
		const left = deadline - performance.now();
		if (left <= 0) return false;
		await delay(Math.min(pause, left), undefined, abort === undefined ? {} : { signal: abort });
	}
	return true;
}

/**
 * Ends a process by the given signals, one after another while it lives.
 *
 * Returns the signal that ended it, undefined when it was gone already.
 * @throws VirtError SYSTEM_ERROR (EBUSY) when it outlives them all.
 */
export async function terminateProcess(
	identity: ProcessIdentity,
	steps: readonly TerminationStep[] = DEFAULT_TERMINATION,
	abort?: AbortSignal,
): Promise<NodeJS.Signals | undefined> {
	if (!isAlive(identity)) return undefined;
	for (const { signal, deadlineMs } of steps) {
		signalProcess(identity, signal);
		if (await waitForExit(identity, deadlineMs, abort)) return signal;
	}
	const signals = steps.map((step) => step.signal).join(", ");
	throw new VirtError("SYSTEM_ERROR", `Failed to terminate process ${identity.pid} with ${signals}`, {
		domain: "NONE",
		int1: constants.errno.EBUSY,
	});
}

/** The arguments of process `pid`; empty for a kernel thread, a zombie or no process. */
export function readCommandLine(pid: number): string[] {
	try {
		const text = readFileSync(`/proc/${pid}/cmdline`, "utf8");
		return text === "" ? [] : text.replace(/\0$/, "").split("\0");
	} catch {
		return [];
	}
}

/** All running processes with an argument that contains `marker`, this process excepted. */
export function findProcesses(marker: string): ProcessIdentity[] {
	const found: ProcessIdentity[] = [];
	for (const entry of readdirSync("/proc")) {
		const pid = Number(entry);
		if (!Number.isInteger(pid) || pid === process.pid) continue;
		if (!readCommandLine(pid).some((argument) => argument.includes(marker))) continue;
		const identity = identifyProcess(pid);
		if (identity !== undefined) found.push(identity);
	}
	return found;
}

/** All running processes whose environment has a variable `name`, with what they were started with; those that we may look into. */
export function findByEnvironment(
	name: string,
): { readonly identity: ProcessIdentity; readonly environment: ReadonlyMap<string, string> }[] {
	return readdirSync("/proc").flatMap((entry) => {
		const pid = Number(entry);
		if (!Number.isInteger(pid) || pid === process.pid) return [];
		const environment = readEnvironment(pid);
		const identity = environment.has(name) ? identifyProcess(pid) : undefined;
		return identity ? [{ identity, environment }] : [];
	});
}

function readEnvironment(pid: number): ReadonlyMap<string, string> {
	try {
		const entries = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
		return new Map(entries.map((entry) => [entry.split("=", 1)[0] ?? "", entry.slice(entry.indexOf("=") + 1)]));
	} catch {
		return new Map();
	}
}
