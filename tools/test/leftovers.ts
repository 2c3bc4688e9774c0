// Finds the processes that a test file left running, by the temporary folder that it was given.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A process that still runs. */
export interface Leftover {
	readonly pid: number;
	readonly command: string;
}

function readQuietly(read: () => string): string {
	try {
		return read();
	} catch {
		return ""; // It ended meanwhile, or is another user's.
	}
}

function belongsTo(pid: number, folder: string, command: string): boolean {
	if (command.includes(folder)) return true;
	if (readQuietly(() => readlinkSync(`/proc/${pid}/cwd`)).startsWith(folder)) return true;
	return readQuietly(() => readFileSync(`/proc/${pid}/environ`, "utf8")).includes(`TMPDIR=${folder}\0`);
}

/** The processes whose command line, working folder or TMPDIR is of `folder`. */
export function processesOf(folder: string): Leftover[] {
	const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
	return pids
		.map(Number)
		.filter((pid) => pid !== process.pid)
		.map((pid) => ({ pid, command: readQuietly(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")) }))
		.filter(({ pid, command }) => command !== "" && belongsTo(pid, folder, command))
		.map(({ pid, command }) => ({ pid, command: command.replaceAll("\0", " ").trim() }));
}

/** Waits up to `patience` milliseconds for the processes of `folder` to end by themselves, then kills and returns them. */
export async function endLeftovers(folder: string, patience: number): Promise<Leftover[]> {
	const deadline = Date.now() + patience;
	let left = processesOf(folder);
	while (left.length > 0 && Date.now() < deadline) {
		await sleep(50);
		left = processesOf(folder);
	}
	for (const { pid } of left) {
		try {
			process.kill(pid, "SIGKILL");
		} catch {
			// It ended meanwhile.
		}
	}
	return left;
}
