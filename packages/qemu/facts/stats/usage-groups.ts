// Statistics of what a guest is and uses: its state, CPU time, memory and virtual CPUs.

import { stateNumbers } from "@virtkit/core/domain-state";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import { hasBalloon } from "../../config/memory-operations.ts";
import type { Run } from "../../domain/run.ts";
import { cpuUsage } from "../cpu-facts.ts";
import { MEMORY_TAG, memoryFigures } from "../memory-facts.ts";
import { cpuTimeOfThread, VCPU_RUNNING, type VcpuThread, vcpuThreads } from "../vcpu-facts.ts";
import { askKvm, haltPolling, kvmParameters } from "./kvm-stats.ts";
import { NONE, type Stats, type StatsGroup, type StatsSubject, unlessGone } from "./stats-group.ts";
import { waitedNs } from "./thread-wait.ts";

const state: StatsGroup = {
	bit: 1,
	monitor: false,
	gather: ({ domain }) => {
		const numbers = stateNumbers(domain.state);
		return [param.int("state.state", numbers.state), param.int("state.reason", numbers.reason)];
	},
};

const cpuTotal: StatsGroup = {
	bit: 2,
	monitor: true,
	// A guest that does not run uses no CPU: libvirt 9.0 answers its own daemon's time there.
	gather: async ({ run, asked }) => {
		if (run === undefined) return NONE;
		const usage = cpuUsage(run);
		const polled = await haltPolling(run, asked);
		return [
			...(usage
				? [
						param.ullong("cpu.time", usage.usageNs),
						param.ullong("cpu.user", usage.userNs),
						param.ullong("cpu.system", usage.systemNs),
					]
				: []),
			// Watching cache use needs resctrl groups, which no guest of ours has.
			param.uint("cpu.cache.monitor.count", 0),
			...(polled
				? [
						param.ullong("cpu.haltpoll.success.time", polled.success),
						param.ullong("cpu.haltpoll.fail.time", polled.fail),
					]
				: []),
		];
	},
};

/** Names of the figures that are statistics. */
const BALLOON_NAMES = new Map<number, string>([
	[MEMORY_TAG.swapIn, "swap_in"],
	[MEMORY_TAG.swapOut, "swap_out"],
	[MEMORY_TAG.majorFault, "major_fault"],
	[MEMORY_TAG.minorFault, "minor_fault"],
	[MEMORY_TAG.unused, "unused"],
	[MEMORY_TAG.available, "available"],
	[MEMORY_TAG.rss, "rss"],
	[MEMORY_TAG.lastUpdate, "last-update"],
	[MEMORY_TAG.usable, "usable"],
	[MEMORY_TAG.diskCaches, "disk_caches"],
	[MEMORY_TAG.hugetlbAllocated, "hugetlb_pgalloc"],
	[MEMORY_TAG.hugetlbFailed, "hugetlb_pgfail"],
]);

function balloonSize({ domain }: StatsSubject): TypedParam[] {
	const { memory, maxMemory } = domain.figures;
	const current = memory === maxMemory || hasBalloon(domain.current.def) ? memory : maxMemory;
	return [param.ullong("balloon.current", BigInt(current)), param.ullong("balloon.maximum", BigInt(maxMemory))];
}

const balloon: StatsGroup = {
	bit: 4,
	monitor: true,
	gather: (subject) => {
		const { asked } = subject;
		const size = balloonSize(subject);
		return asked ? balloonFigures(asked).then((figures) => [...size, ...figures]) : size;
	},
};

async function balloonFigures(run: Run): Promise<TypedParam[]> {
	const figures = await unlessGone(() => memoryFigures(run), []);
	return figures.flatMap(({ tag, value }) => {
		const name = BALLOON_NAMES.get(tag);
		return name === undefined ? [] : [param.ullong(`balloon.${name}`, value)];
	});
}

const vcpu: StatsGroup = {
	bit: 8,
	monitor: true,
	gather: ({ domain, run, asked }) => {
		const { vcpus, maxVcpus } = domain.figures;
		const counts = [param.uint("vcpu.current", vcpus), param.uint("vcpu.maximum", maxVcpus)];
		return run ? vcpuFigures(run, asked).then((figures) => [...counts, ...figures]) : counts;
	},
};

async function vcpuFigures(run: Run, asked: Run | undefined): Promise<Stats> {
	return await unlessGone(async () => {
		const threads = vcpuThreads(run);
		const kvm = asked ? await askKvm(asked, "vcpu") : undefined;
		// QEMU tells of vCPUs in the order of their numbers too.
		return threads.flatMap((one, position) =>
			oneVcpu(run, one, kvm && kvmParameters(kvm, position, `vcpu.${one.number}`)),
		);
	}, NONE);
}

function oneVcpu(run: Run, { number, thread }: VcpuThread, kvm: Stats = NONE): TypedParam[] {
	const prefix = `vcpu.${number}`;
	return [
		param.int(`${prefix}.state`, VCPU_RUNNING),
		param.ullong(`${prefix}.time`, cpuTimeOfThread(thread)),
		param.ullong(`${prefix}.wait`, waitedNs(run.process?.pid ?? 0, thread.tid)),
		param.ullong(`${prefix}.delay`, thread.runDelayNs),
		...kvm,
	];
}

export const usageGroups = { state, cpuTotal, balloon, vcpu };
