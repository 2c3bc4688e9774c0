// How short the host is of memory: what is available, swap, and how long tasks waited (PSI).

import { HostFiles } from "./host-files.ts";

/** Sizes in KiB. */
export interface MemoryPressure {
	readonly totalKib: number;
	/** What could be given out without swapping (proc_meminfo(5), MemAvailable). */
	readonly availableKib: number;
	readonly swapTotalKib: number;
	readonly swapFreeKib: number;
	/** In pools of huge pages of all sizes. */
	readonly hugePagesKib: number;
	/** Percent of the last ten seconds in which some task waited for memory; undefined where the kernel does not tell. */
	readonly some10: number | undefined;
}

/** What it is now. */
export function readMemoryPressure(files = new HostFiles()): MemoryPressure {
	const meminfo = files.text("proc/meminfo") ?? "";
	const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(meminfo)?.[1] ?? 0);
	const some = /^some avg10=([\d.]+)/m.exec(files.text("proc/pressure/memory") ?? "")?.[1];
	return {
		totalKib: kib("MemTotal"),
		availableKib: kib("MemAvailable"),
		swapTotalKib: kib("SwapTotal"),
		swapFreeKib: kib("SwapFree"),
		hugePagesKib: kib("Hugetlb"),
		some10: some === undefined ? undefined : Number(some),
	};
}
