// The host's memory that one process takes: resident, shared, swapped, merged with equal pages.

import { readFile } from "node:fs/promises";

/** Sizes in KiB. */
export interface ProcessMemory {
	readonly residentKib: number;
	/** Of the resident: mapped by other processes too. */
	readonly sharedKib: number;
	readonly swappedKib: number;
	/** Pages that the kernel found equal to others (KSM); 0 where it does not tell by process (before Linux 5.19). */
	readonly mergedPages: number;
}

async function textOf(path: string): Promise<string> {
	try {
		return await readFile(path, "latin1");
	} catch {
		return "";
	}
}

/** Parses /proc/PID/smaps_rollup, or the less exact /proc/PID/status where that cannot be read. */
export function parseProcessMemory(rollup: string, status: string): Omit<ProcessMemory, "mergedPages"> {
	const kib = (text: string, name: string): number =>
		Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
	if (rollup !== "")
		return {
			residentKib: kib(rollup, "Rss"),
			sharedKib: kib(rollup, "Shared_Clean") + kib(rollup, "Shared_Dirty"),
			swappedKib: kib(rollup, "Swap"),
		};
	const sharedKib = kib(status, "RssFile") + kib(status, "RssShmem");
	return { residentKib: kib(status, "VmRSS"), sharedKib, swappedKib: kib(status, "VmSwap") };
}

/** What process `pid` takes; all 0 of one that is gone. */
export async function readProcessMemory(pid: number): Promise<ProcessMemory> {
	const [rollup, merged] = await Promise.all([
		textOf(`/proc/${pid}/smaps_rollup`),
		textOf(`/proc/${pid}/ksm_merging_pages`),
	]);
	const status = rollup === "" ? await textOf(`/proc/${pid}/status`) : "";
	return { ...parseProcessMemory(rollup, status), mergedPages: Number(merged.trim()) || 0 };
}
