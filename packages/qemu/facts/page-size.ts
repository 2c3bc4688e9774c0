// The size of the host's memory pages.

import { readFileSync } from "node:fs";

let known: bigint | undefined;

/** KiB of an ordinary page, as the kernel tells of this process's own (proc_pid_smaps(5)). */
export function pageKib(): bigint {
	if (known !== undefined) return known;
	const size = /^KernelPageSize:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/smaps", "latin1"))?.[1];
	known = BigInt(size ?? 4);
	return known;
}
