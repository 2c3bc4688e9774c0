// The host's memory: totals and free memory by NUMA cell, page pools by size.

import { VirtError } from "@virtkit/base/errors";
import type { HostStatistic } from "./cpu-stats.ts";
import { HostFiles } from "./host-files.ts";

/** Stands for all NUMA cells together. */
export const ALL_CELLS = -1;

const NODES = "sys/devices/system/node";

/** Lines of meminfo by libvirt's fields; a single cell's file is told without the last two. */
const FIELDS = { total: "MemTotal", free: "MemFree", buffers: "Buffers", cached: "Cached" } as const;
const CELL_FIELDS: readonly string[] = ["total", "free"];

/** Numbers of the host's NUMA cells; the one cell 0 where the kernel knows no NUMA. */
export function readCellIds(files = new HostFiles()): number[] {
	const ids = files.numbered(NODES, "node");
	return ids.length > 0 ? ids : [0];
}

function meminfoOf(cell: number, files: HostFiles): string {
	const text = cell === ALL_CELLS ? undefined : files.text(`${NODES}/node${cell}/meminfo`);
	if (text !== undefined) return text;
	const whole = files.text("proc/meminfo") ?? "";
	// Without NUMA the whole host is cell 0.
	if (cell === ALL_CELLS || (cell === 0 && files.numbered(NODES, "node").length === 0)) return whole;
	throw new VirtError("INVALID_ARG", `Invalid cellNum: the host has no NUMA cell ${cell}`, { domain: "NONE" });
}

/** A line of meminfo in KiB; a cell's file has "Node N" before each name. */
function kib(meminfo: string, name: string): bigint | undefined {
	const digits = new RegExp(`^(?:Node \\d+ )?${name}:\\s+(\\d+)`, "m").exec(meminfo)?.[1];
	return digits === undefined ? undefined : BigInt(digits);
}

/** virNodeGetMemoryStats: KiB by field of one cell, or of all together. @throws VirtError INVALID_ARG. */
export function readMemoryStats(cell: number, files = new HostFiles()): HostStatistic[] {
	const meminfo = meminfoOf(cell, files);
	return Object.entries(FIELDS)
		.filter(([field]) => cell === ALL_CELLS || CELL_FIELDS.includes(field))
		.flatMap(([field, name]) => {
			const value = kib(meminfo, name);
			return value === undefined ? [] : [{ field, value }];
		});
}

function sumOverCells(name: string, files: HostFiles): bigint {
	return readCellIds(files).reduce((sum, cell) => sum + (kib(meminfoOf(cell, files), name) ?? 0n) * 1024n, 0n);
}

/** All memory that the kernel has, in bytes. */
export function totalMemoryBytes(files = new HostFiles()): bigint {
	return sumOverCells("MemTotal", files);
}

/** Memory that nobody uses, in bytes. */
export function freeMemoryBytes(files = new HostFiles()): bigint {
	return sumOverCells("MemFree", files);
}

/**
 * virNodeGetCellsFreeMemory: bytes by cell, from `start` on, at most `count` cells.
 *
 * @throws VirtError INTERNAL_ERROR when there is no cell `start`.
 */
export function readCellsFreeMemory(start: number, count: number, files = new HostFiles()): bigint[] {
	const last = readCellIds(files).at(-1) ?? 0;
	if (start < 0 || start > last) {
		throw new VirtError("INTERNAL_ERROR", `start cell ${start} out of range (0-${last})`, { domain: "NONE" });
	}
	const cells = Array.from({ length: Math.min(count, last - start + 1) }, (_, index) => start + index);
	// Numbers may have gaps, which have no memory.
	return cells.map((cell) =>
		readCellIds(files).includes(cell) ? (kib(meminfoOf(cell, files), "MemFree") ?? 0n) * 1024n : 0n,
	);
}

/** A pool of pages of one size. */
export interface PagePool {
	readonly sizeKib: number;
	readonly total: bigint;
	readonly free: bigint;
}

/** Folder of the pools of huge pages of a cell, or of all together. */
export function poolFolder(cell: number): string {
	return cell === ALL_CELLS ? "sys/kernel/mm/hugepages" : `${NODES}/node${cell}/hugepages`;
}

/** The size of the pages that all memory is made of, in KiB. */
export function basePageKib(files = new HostFiles()): number {
	return Number(/^KernelPageSize:\s+(\d+) kB/m.exec(files.text("proc/self/smaps") ?? "")?.[1] ?? 4);
}

/** The page pools of one cell or of all, by size; the first is of base pages, less what the huge pages took. */
export function readPagePools(cell: number, files = new HostFiles()): PagePool[] {
	const folder = poolFolder(cell);
	const sizes = files.names(folder).flatMap((name) => /^hugepages-(\d+)kB$/.exec(name)?.[1] ?? []);
	const huge = sizes
		.map(Number)
		.sort((a, b) => a - b)
		.map((sizeKib) => {
			const count = (name: string) => BigInt(files.number(`${folder}/hugepages-${sizeKib}kB/${name}`) ?? 0);
			return { sizeKib, total: count("nr_hugepages"), free: count("free_hugepages") };
		});
	const meminfo = meminfoOf(cell, files);
	const base = BigInt(basePageKib(files));
	const taken = huge.reduce((sum, pool) => sum + pool.total * BigInt(pool.sizeKib), 0n);
	const total = ((kib(meminfo, "MemTotal") ?? 0n) - taken) / base;
	return [{ sizeKib: Number(base), total, free: (kib(meminfo, "MemFree") ?? 0n) / base }, ...huge];
}

/**
 * virNodeGetFreePages: free pages of each size, for one cell after another.
 *
 * @throws VirtError INTERNAL_ERROR when there is no cell `start`, OPERATION_FAILED for a size that a cell does not have.
 */
export function readFreePages(
	sizesKib: readonly number[],
	start: number,
	count: number,
	files = new HostFiles(),
): bigint[] {
	const cells = readCellIds(files);
	const last = cells.at(-1) ?? 0;
	if (start > last) {
		throw new VirtError("INTERNAL_ERROR", `start cell ${start} out of range (0-${last})`, { domain: "NONE" });
	}
	return cells
		.filter((cell) => cell >= start && cell < start + count)
		.flatMap((cell) => {
			const pools = readPagePools(cell, files);
			return sizesKib.map((sizeKib) => {
				const pool = pools.find((candidate) => candidate.sizeKib === sizeKib);
				if (pool !== undefined) return pool.free;
				throw new VirtError("OPERATION_FAILED", `page size ${sizeKib} is not available on node ${cell}`, {
					domain: "NONE",
				});
			});
		});
}
