// The host's processors as virNodeGetInfo and virNodeGetCPUMap report them.

import { machine } from "node:os";
import { VirtError } from "@virtkit/base/errors";
import { parseCpuList } from "../process-stat.ts";
import { HostFiles } from "./host-files.ts";
import { totalMemoryBytes } from "./memory.ts";

/** virNodeInfo. */
export interface NodeInfo {
	/** The architecture. */
	readonly model: string;
	/** KiB. */
	readonly memory: bigint;
	readonly cpus: number;
	/** 0 where the kernel tells none. */
	readonly mhz: number;
	/** NUMA cells. nodes × sockets × cores × threads is the number of possible CPUs. */
	readonly nodes: number;
	/** Per node. */
	readonly sockets: number;
	/** Per socket. */
	readonly cores: number;
	/** Per core. */
	readonly threads: number;
}

/** Host CPUs by number. */
export interface CpuMap {
	/** How many there are, offline ones included. */
	readonly present: number;
	readonly online: readonly number[];
}

const SYSTEM = "sys/devices/system";

function cpuList(files: HostFiles, name: "present" | "online"): number[] {
	return parseCpuList(files.text(`${SYSTEM}/cpu/${name}`) ?? "");
}

/** Which CPUs the host has, and which of them run. */
export function readCpuMap(files = new HostFiles()): CpuMap {
	return { present: cpuList(files, "present").length, online: cpuList(files, "online") };
}

interface Topology {
	readonly cpus: number;
	readonly offline: number;
	readonly sockets: number;
	readonly cores: number;
	readonly threads: number;
}

/** Counts one node's sockets, and the most cores and threads in any of them. */
function topologyOf(files: HostFiles, members: readonly number[], online: ReadonlySet<number>): Topology {
	const cores = new Map<number, Set<number>>();
	let threads = 0;
	const running = members.filter((cpu) => online.has(cpu));
	for (const cpu of running) {
		const place = `${SYSTEM}/cpu/cpu${cpu}/topology`;
		// A kernel without topology files runs on one socket; -1 is its word for "unknown".
		const socket = Math.max(0, files.number(`${place}/physical_package_id`) ?? 0);
		const core = Math.max(0, files.number(`${place}/core_id`) ?? 0);
		const siblings = parseCpuList(files.text(`${place}/thread_siblings_list`) ?? `${cpu}`);
		threads = Math.max(threads, siblings.length);
		cores.set(socket, (cores.get(socket) ?? new Set()).add(core));
	}
	return {
		cpus: running.length,
		offline: members.length - running.length,
		sockets: cores.size,
		cores: Math.max(0, ...[...cores.values()].map((set) => set.size)),
		threads,
	};
}

/** The line of /proc/cpuinfo that holds the clock; ARM has none that means it. */
const CLOCK_LINES: Readonly<Record<string, RegExp>> = {
	x86_64: /^cpu MHz\s*:\s*(\d+)/m,
	i686: /^cpu MHz\s*:\s*(\d+)/m,
	ppc64: /^clock\s*:\s*(\d+)/m,
	ppc64le: /^clock\s*:\s*(\d+)/m,
	s390x: /^cpu MHz dynamic\s*:\s*(\d+)/m,
};

/** The last clock listed, as libvirt has it. */
function readMhz(files: HostFiles, arch: string): number {
	const line = CLOCK_LINES[arch];
	if (line === undefined) return 0;
	const all = [...(files.text("proc/cpuinfo") ?? "").matchAll(new RegExp(line, "gm"))];
	return Number(all.at(-1)?.[1] ?? 0);
}

/**
 * virNodeGetInfo: counts as libvirt counts.
 *
 * Where the parts do not multiply to the number of CPUs (uneven sockets, offline siblings), it is one node with one
 * socket of that many single-threaded cores, which libvirt's documentation tells clients to expect.
 */
export function readNodeInfo(files = new HostFiles(), arch: string = machine()): NodeInfo {
	const present = new Set(cpuList(files, "present"));
	const online = new Set(cpuList(files, "online"));
	const nodes = files.numbered(`${SYSTEM}/node`, "node");
	const memberships = nodes.map((node) =>
		files.numbered(`${SYSTEM}/node/node${node}`, "cpu").filter((cpu) => present.has(cpu)),
	);
	const all = memberships.some((members) => members.length > 0) ? memberships : [[...present]];
	const parts = all.map((members) => topologyOf(files, members, online));
	const sum = (count: (part: Topology) => number) => parts.reduce((total, part) => total + count(part), 0);
	const most = (count: (part: Topology) => number) => Math.max(...parts.map(count));
	const [cpus, offline] = [sum((part) => part.cpus), sum((part) => part.offline)];
	if (cpus === 0) throw new VirtError("INTERNAL_ERROR", "no CPUs found", { domain: "NONE" });
	const shape = {
		nodes: all.length,
		sockets: most((part) => part.sockets),
		cores: most((part) => part.cores),
		threads: most((part) => part.threads),
	};
	const fits = shape.nodes * shape.sockets * shape.cores * shape.threads === cpus + offline;
	return {
		model: arch,
		memory: totalMemoryBytes(files) / 1024n,
		cpus,
		mhz: readMhz(files, arch),
		...(fits ? shape : { nodes: 1, sockets: 1, cores: cpus + offline, threads: 1 }),
	};
}
