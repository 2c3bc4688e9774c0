// Grows and shrinks the kernel's pools of huge pages (virNodeAllocPages).

import { readFileSync, writeFileSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "../system-error.ts";
import { ALL_CELLS } from "./memory.ts";

/** Whether `count` is how many pages to have, or how many more. */
export type PoolChange = "set" | "add";

/**
 * Asks the kernel for huge pages of `sizeKib` in a cell, or wherever it finds them.
 *
 * @throws VirtError INVALID_ARG for a size the host does not have, OPERATION_FAILED when fewer were found than asked
 * for (those found stay), SYSTEM_ERROR when the kernel refuses.
 */
export function resizePagePool(cell: number, sizeKib: number, count: bigint, change: PoolChange): void {
	const folder = cell === ALL_CELLS ? "/sys/kernel/mm/hugepages" : `/sys/devices/system/node/node${cell}/hugepages`;
	const path = `${folder}/hugepages-${sizeKib}kB/nr_hugepages`;
	let wanted = count;
	let found: bigint;
	try {
		if (change === "add") wanted += BigInt(readFileSync(path, "latin1").trim());
		writeFileSync(path, `${wanted}`);
		found = BigInt(readFileSync(path, "latin1").trim());
	} catch (error) {
		throw systemError(`Unable to change the pool of ${sizeKib} KiB pages of ${cellName(cell)}`, error);
	}
	if (found === wanted) return;
	throw new VirtError("OPERATION_FAILED", `Unable to allocate ${count} pages. Allocated only ${found}`, {
		domain: "NONE",
	});
}

const cellName = (cell: number) => (cell === ALL_CELLS ? "the host" : `cell ${cell}`);
