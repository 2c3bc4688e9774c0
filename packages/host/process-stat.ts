// Parses the kernel's per-process and per-thread text files (proc_pid_stat(5) and its neighbours).

/** The fields of /proc/PID/stat that somebody here needs. */
export interface ProcessStat {
	readonly pid: number;
	/** The command's name, at most 15 bytes; may hold any character, parentheses included. */
	readonly comm: string;
	/** R, S, D, T, t, Z, X, I. */
	readonly state: string;
	readonly parentPid: number;
	/** User and system CPU time in nanoseconds. */
	readonly userNs: number;
	readonly systemNs: number;
	/** Clock ticks since boot. */
	readonly startTime: number;
	/** Resident memory in pages. */
	readonly residentPages: number;
	/** The CPU it last ran on. */
	readonly lastCpu: number;
}

/** The kernel always reports 100 ticks a second to user space (USER_HZ), on every architecture we run on. */
const TICK_NS = 10_000_000;

/** Parses the text of /proc/PID/stat or /proc/PID/task/TID/stat; undefined when it is none. */
export function parseProcessStat(text: string): ProcessStat | undefined {
	const open = text.indexOf("(");
	const close = text.lastIndexOf(")");
	if (open < 0 || close < open) return undefined;
	const rest = text.slice(close + 2).split(" ");
	// proc_pid_stat(5) counts from 1, and its third field is the first after the name.
	const field = (number: number) => Number(rest[number - 3]);
	return {
		pid: Number(text.slice(0, open)),
		comm: text.slice(open + 1, close),
		state: rest[0] ?? "X",
		parentPid: field(4),
		userNs: field(14) * TICK_NS,
		systemNs: field(15) * TICK_NS,
		startTime: field(22),
		residentPages: field(24),
		lastCpu: field(39),
	};
}

/** Scheduler times of /proc/PID/schedstat. */
export interface SchedStat {
	/** Time on a CPU, ns. */
	readonly runNs: bigint;
	/** Time waiting on a run queue, ns. */
	readonly waitNs: bigint;
	readonly timeslices: bigint;
}

/** Parses /proc/PID/schedstat; zeros where the kernel has none. */
export function parseSchedStat(text: string): SchedStat {
	const [run = "0", wait = "0", slices = "0"] = text
		.trim()
		.split(/\s+/)
		.filter((word) => word !== "");
	return {
		runNs: BigInt(run),
		waitNs: BigInt(wait),
		timeslices: BigInt(slices),
	};
}

/** Parses the kernel's list format of CPUs or nodes: "0-3,8" → [0, 1, 2, 3, 8]. */
export function parseCpuList(text: string): number[] {
	const cpus: number[] = [];
	for (const part of text.trim().split(",")) {
		const match = /^(\d+)(?:-(\d+))?$/.exec(part);
		if (match === null) continue;
		const first = Number(match[1]);
		const last = Number(match[2] ?? match[1]);
		for (let cpu = first; cpu <= last; cpu++) cpus.push(cpu);
	}
	return cpus;
}

/** Writes CPUs in the kernel's list format: [0, 1, 2, 8] → "0-2,8". */
export function formatCpuList(cpus: Iterable<number>): string {
	const sorted = [...new Set(cpus)].sort((a, b) => a - b);
	const parts: string[] = [];
	for (let i = 0; i < sorted.length; ) {
		let end = i;
		while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end++;
		parts.push(end === i ? `${sorted[i]}` : `${sorted[i]}-${sorted[end]}`);
		i = end + 1;
	}
	return parts.join(",");
}
