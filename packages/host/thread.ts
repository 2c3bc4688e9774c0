// Lists the threads of a process with what `vcpuinfo` and the statistics show of them: state, CPU, times, affinity.

import { readdirSync, readFileSync } from "node:fs";
import { parseCpuList, parseProcessStat, parseSchedStat } from "./process-stat.ts";

/** One thread of a process. */
export interface Thread {
	readonly tid: number;
	/** Its name, such as QEMU's "CPU 0/KVM" under -name debug-threads=on. */
	readonly comm: string;
	readonly state: string;
	/** The host CPU it last ran on. */
	readonly lastCpu: number;
	/** Time on a CPU, ns, to the scheduler's own precision. */
	readonly cpuNs: bigint;
	readonly userNs: number;
	readonly systemNs: number;
	/** Time it waited for a CPU, ns. */
	readonly runDelayNs: bigint;
	/** The host CPUs it may run on. */
	readonly affinity: readonly number[];
}

function readOr(path: string, fallback: string): string {
	try {
		return readFileSync(path, "latin1");
	} catch {
		return fallback;
	}
}

/** The thread `tid` of process `pid`, undefined when it is gone. */
export function readThread(pid: number, tid: number): Thread | undefined {
	const folder = `/proc/${pid}/task/${tid}`;
	const stat = parseProcessStat(readOr(`${folder}/stat`, ""));
	if (stat === undefined) return undefined;
	const sched = parseSchedStat(readOr(`${folder}/schedstat`, ""));
	const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(readOr(`${folder}/status`, ""))?.[1] ?? "";
	return {
		tid,
		comm: stat.comm,
		state: stat.state,
		lastCpu: stat.lastCpu,
		cpuNs: sched.runNs === 0n ? BigInt(stat.userNs + stat.systemNs) : sched.runNs,
		userNs: stat.userNs,
		systemNs: stat.systemNs,
		runDelayNs: sched.waitNs,
		affinity: parseCpuList(allowed),
	};
}

/** All threads of process `pid` in order of their ids; none when it is gone. */
export function listThreads(pid: number): Thread[] {
	let names: string[];
	try {
		names = readdirSync(`/proc/${pid}/task`);
	} catch {
		return [];
	}
	return names
		.map(Number)
		.sort((a, b) => a - b)
		.map((tid) => readThread(pid, tid))
		.filter((thread) => thread !== undefined);
}
