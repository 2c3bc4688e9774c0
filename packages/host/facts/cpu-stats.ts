// How the host's CPUs spent their time since boot, as virNodeGetCPUStats reports it.

import { VirtError } from "@virtkit/base/errors";
import { HostFiles } from "./host-files.ts";

/** One statistic; the fields are libvirt's. */
export interface HostStatistic {
	readonly field: string;
	readonly value: bigint;
}

/** Stands for all CPUs together. */
export const ALL_CPUS = -1;

/** /proc/stat counts in hundredths of a second. */
const TICK_NS = 10_000_000n;

/** Which columns of /proc/stat (proc_stat(5)) make up each field: user, nice, system, idle, iowait, irq, softirq. */
const FIELDS = { kernel: [2, 5, 6], user: [0, 1], idle: [3], iowait: [4] } as const;

/** Nanoseconds by field of one CPU, or of all together. @throws VirtError INVALID_ARG for a CPU that is not online. */
export function readCpuStats(cpu: number, files = new HostFiles()): HostStatistic[] {
	const header = cpu === ALL_CPUS ? "cpu" : `cpu${cpu}`;
	const line = (files.text("proc/stat") ?? "").split("\n").find((text) => text.startsWith(`${header} `));
	if (line === undefined) {
		throw new VirtError("INVALID_ARG", `Invalid cpuNum: the host has no online CPU ${cpu}`, { domain: "NONE" });
	}
	const ticks = line.trim().split(/\s+/).slice(1).map(BigInt);
	return Object.entries(FIELDS).map(([field, columns]) => {
		const total = columns.reduce((sum, column) => sum + (ticks[column] ?? 0n), 0n);
		return { field, value: total * TICK_NS };
	});
}
