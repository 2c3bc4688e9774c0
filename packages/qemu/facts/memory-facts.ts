// How much memory a running guest uses: what its balloon tells, and what its process has of the host's.

import type { DomainOperations } from "@virtkit/core/domain-operations";
import { isQmpError } from "@virtkit/qmp/qmp-error";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import { balloonPath } from "../lifecycle/refresh.ts";
import { pageKib } from "./page-size.ts";
import { processTimes } from "./process-times.ts";

/** virDomainMemoryStatTags. */
export const MEMORY_TAG = {
	swapIn: 0,
	swapOut: 1,
	majorFault: 2,
	minorFault: 3,
	unused: 4,
	available: 5,
	actualBalloon: 6,
	rss: 7,
	usable: 8,
	lastUpdate: 9,
	diskCaches: 10,
	hugetlbAllocated: 11,
	hugetlbFailed: 12,
} as const;

export interface MemoryFigure {
	readonly tag: number;
	readonly value: bigint;
}

/** What the balloon's `guest-stats` property tells, in libvirt's order; bytes become KiB by `divisor`. */
const BALLOON_FIGURES = [
	{ name: "stat-swap-in", tag: MEMORY_TAG.swapIn, divisor: 1024n },
	{ name: "stat-swap-out", tag: MEMORY_TAG.swapOut, divisor: 1024n },
	{ name: "stat-major-faults", tag: MEMORY_TAG.majorFault, divisor: 1n },
	{ name: "stat-minor-faults", tag: MEMORY_TAG.minorFault, divisor: 1n },
	{ name: "stat-free-memory", tag: MEMORY_TAG.unused, divisor: 1024n },
	{ name: "stat-total-memory", tag: MEMORY_TAG.available, divisor: 1024n },
	{ name: "stat-available-memory", tag: MEMORY_TAG.usable, divisor: 1024n },
	{ name: "last-update", tag: MEMORY_TAG.lastUpdate, divisor: 1n },
	{ name: "stat-disk-caches", tag: MEMORY_TAG.diskCaches, divisor: 1024n },
	{ name: "stat-htlb-pgalloc", tag: MEMORY_TAG.hugetlbAllocated, divisor: 1n },
	{ name: "stat-htlb-pgfail", tag: MEMORY_TAG.hugetlbFailed, divisor: 1n },
] as const;

/** QEMU has −1, as 64 bits without a sign, for what the guest does not tell. */
const UNKNOWN = 2 ** 63;

/** What QEMU's monitor is asked for; figures that it refuses are left out. */
export async function memoryFigures(run: Run): Promise<MemoryFigure[]> {
	const path = balloonPath(run.live.def);
	const asked = path === undefined ? [] : await Promise.all([askSize(run), askGuest(run, path)]);
	return [...asked.flat(), ...residentMemory(run)];
}

async function askSize(run: Run): Promise<MemoryFigure[]> {
	const answer = await orNothing(run.monitor.execute("query-balloon"));
	return answer === undefined ? [] : [{ tag: MEMORY_TAG.actualBalloon, value: BigInt(answer.actual) / 1024n }];
}

async function askGuest(run: Run, path: string): Promise<MemoryFigure[]> {
	const answer = await orNothing(run.monitor.execute("qom-get", { path, property: "guest-stats" }));
	if (answer === undefined) return [];
	const { stats, ...own } = answer as { readonly stats?: Readonly<Record<string, number>> };
	const figures: Readonly<Record<string, number>> = { ...own, ...stats };
	return BALLOON_FIGURES.flatMap(({ name, tag, divisor }) => {
		const value = figures[name];
		return typeof value === "number" && value >= 0 && value < UNKNOWN ? [{ tag, value: BigInt(value) / divisor }] : [];
	});
}

/** Undefined where QEMU refuses; the loss of the monitor is still thrown. */
async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
	try {
		return await answer;
	} catch (error) {
		if (isQmpError(error)) return undefined;
		throw error;
	}
}

function residentMemory(run: Run): MemoryFigure[] {
	const stat = processTimes(run);
	return stat ? [{ tag: MEMORY_TAG.rss, value: BigInt(stat.residentPages) * pageKib() }] : [];
}

export const memoryFacts: Pick<DomainOperations<QemuDomain>, "memoryStats"> = {
	memoryStats: (domain) => memoryFigures(domain.activeRun()),
};
