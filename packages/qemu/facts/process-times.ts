// CPU time of a running guest's process, from a file that stays open: monitoring asks for it thousands of times a second.

import { closeSync, openSync, readSync } from "node:fs";
import { type ProcessStat, parseProcessStat } from "@virtkit/host/process-stat";
import type { Run } from "../domain/run.ts";

/** More than proc_pid_stat(5) ever is. */
const buffer = Buffer.allocUnsafe(2048);

/** /proc/PID/stat of each run: open, it stays that process's, whoever gets its number later. */
const OPEN = new WeakMap<Run, number>();

function descriptorOf(run: Run, pid: number): number {
	const known = OPEN.get(run);
	if (known !== undefined) return known;
	const fd = openSync(`/proc/${pid}/stat`, "r");
	OPEN.set(run, fd);
	run.resources.defer("the process's statistics", () => {
		OPEN.delete(run);
		closeSync(fd);
	});
	return fd;
}

/** What the kernel tells of the run's process; undefined where it is gone. */
export function processTimes(run: Run): ProcessStat | undefined {
	if (run.process === undefined || run.phase === "ending" || run.phase === "ended") return undefined;
	try {
		const fd = descriptorOf(run, run.process.pid);
		return parseProcessStat(buffer.toString("latin1", 0, readSync(fd, buffer, 0, buffer.length, 0)));
	} catch {
		return undefined;
	}
}
