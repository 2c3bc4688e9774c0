// Finds circles of imports: files each of which needs the other loaded first.

import type { Import } from "./import-graph.ts";

/**
 * One shortest circle for every group of files that import each other.
 *
 * Imports of types do not count, as nothing is loaded for them, nor does import(), which waits until it is run.
 */
export function findCycles(graph: ReadonlyMap<string, readonly Import[]>): string[][] {
	const next = (file: string) =>
		(graph.get(file) ?? []).filter(({ typeOnly, lazy }) => !typeOnly && !lazy).flatMap(({ target }) => target ?? []);
	const told = new Set<string>();
	const cycles: string[][] = [];
	for (const start of graph.keys()) {
		if (told.has(start)) continue;
		const cycle = shortestWayBack(start, next);
		if (cycle === undefined) continue;
		for (const file of cycle) told.add(file);
		cycles.push(cycle);
	}
	return cycles;
}

/** The files on a shortest way from `start` back to it, `start` first. */
function shortestWayBack(start: string, next: (file: string) => string[]): string[] | undefined {
	const cameFrom = new Map<string, string>();
	const queue = [start];
	for (const file of queue) {
		for (const target of next(file)) {
			if (target === start) return wayTo(file, start, cameFrom);
			if (cameFrom.has(target)) continue;
			cameFrom.set(target, file);
			queue.push(target);
		}
	}
	return undefined;
}

function wayTo(end: string, start: string, cameFrom: ReadonlyMap<string, string>): string[] {
	const way = [end];
	for (let file = end; file !== start; way.unshift(file)) file = cameFrom.get(file) ?? start;
	return way;
}
