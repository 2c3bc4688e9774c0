// What a process has open: for tests that see to it that nothing is left open.

import { readdirSync, readlinkSync } from "node:fs";

/** How many descriptors of the process lead to `target`, a path or the beginning of one such as `socket:`. */
export function openDescriptors(pid: number | "self", target: string): number {
	return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
		try {
			return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(target);
		} catch {
			// It was closed meanwhile, such as the one that this folder was read by.
			return false;
		}
	}).length;
}
