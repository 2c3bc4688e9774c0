// Changes how many huge pages the host keeps, by size and NUMA cell.

import { readFile, writeFile } from "node:fs/promises";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "../system-error.ts";
import { ALL_CELLS, basePageKib, poolFolder, readCellIds, readPagePools } from "./memory.ts";

/** A pool's wanted size: in all, or on top of what is there. */
export interface PoolWish {
	readonly sizeKib: number;
	readonly count: bigint;
}

/**
 * virNodeAllocPages: sets pools of one cell after another, or those of the whole host (`start` -1); returns how many were set.
 *
 * The kernel may give fewer pages than wanted; those stay. @throws VirtError OPERATION_FAILED then, and for a size that a
 * cell does not have; OPERATION_UNSUPPORTED for base pages, INTERNAL_ERROR where there is no cell `start`.
 */
export async function allocatePages(
	wishes: readonly PoolWish[],
	start: number,
	cells: number,
	add: boolean,
): Promise<number> {
	const last = readCellIds().at(-1) ?? 0;
	if (start > last)
		throw new VirtError("INTERNAL_ERROR", `start cell ${start} out of range (0-${last})`, { domain: "NONE" });
	let set = 0;
	for (let cell = start; cell <= Math.min(last, start + cells - 1); cell++)
		for (const wish of wishes) {
			await setPool(cell, wish, add);
			set++;
		}
	return set;
}

async function setPool(cell: number, { sizeKib, count }: PoolWish, add: boolean): Promise<void> {
	if (sizeKib === basePageKib())
		throw new VirtError("OPERATION_UNSUPPORTED", "system pages pool can't be modified", { domain: "NONE" });
	if (!readPagePools(cell === ALL_CELLS ? ALL_CELLS : cell).some((pool) => pool.sizeKib === sizeKib))
		throw new VirtError("OPERATION_FAILED", `page size ${sizeKib} is not available on node ${cell}`, {
			domain: "NONE",
		});
	const file = `/${poolFolder(cell)}/hugepages-${sizeKib}kB/nr_hugepages`;
	try {
		const before = BigInt((await readFile(file, "latin1")).trim());
		const wanted = add ? before + count : count;
		if (wanted === before) return;
		// The kernel makes them before the write returns, which may take a while.
		await writeFile(file, String(wanted));
		const got = (await readFile(file, "latin1")).trim();
		if (got !== String(wanted))
			throw new VirtError("OPERATION_FAILED", `Unable to allocate ${wanted} pages. Allocated only ${got}`, {
				domain: "NONE",
			});
	} catch (error) {
		throw error instanceof VirtError ? error : systemError(`Unable to write to: ${file}`, error);
	}
}
