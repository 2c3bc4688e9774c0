// Counters that the kernel keeps of a process and its threads (perf_event_open(2)).

import { closeSync, readFileSync, readSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { callLibc } from "./libc.ts";
import { systemError } from "./system-error.ts";

/** Number of perf_event_open(2), which architectures do not share. */
const SYS_PERF_EVENT_OPEN = (
	{ x64: 298, arm64: 241, riscv64: 241, ppc64: 319, s390x: 331 } as Partial<Record<string, number>>
)[process.arch];

/** PERF_TYPE_HARDWARE and PERF_TYPE_SOFTWARE of linux/perf_event.h; those of the resource director have a type of their own. */
const [HARDWARE, SOFTWARE] = [0, 1];
const RESOURCES = "/sys/devices/intel_cqm";

interface Kind {
	readonly type: number | typeof RESOURCES;
	/** The event's number within its type. */
	readonly config: number;
}

const resources = (config: number): Kind => ({ type: RESOURCES, config });
const hardware = (config: number): Kind => ({ type: HARDWARE as number, config });
const software = (config: number): Kind => ({ type: SOFTWARE as number, config });

/** Events by libvirt's names of them. */
const KINDS = {
	cmt: resources(1),
	mbmt: resources(2),
	mbml: resources(3),
	cpu_cycles: hardware(0),
	instructions: hardware(1),
	cache_references: hardware(2),
	cache_misses: hardware(3),
	branch_instructions: hardware(4),
	branch_misses: hardware(5),
	bus_cycles: hardware(6),
	stalled_cycles_frontend: hardware(7),
	stalled_cycles_backend: hardware(8),
	ref_cpu_cycles: hardware(9),
	cpu_clock: software(0),
	task_clock: software(1),
	page_faults: software(2),
	context_switches: software(3),
	cpu_migrations: software(4),
	page_faults_min: software(5),
	page_faults_maj: software(6),
	alignment_faults: software(7),
	emulation_faults: software(8),
} as const satisfies Record<string, Kind>;

export type PerfEventName = keyof typeof KINDS;

/** struct perf_event_attr as its first version has it: as long, and with no more, than is used here. */
const ATTRIBUTES_BYTES = 64;
const FLAGS_OFFSET = 40;
/** The second bit: processes and threads that are made later count too. */
const INHERIT = 2n;
const CLOSE_ON_EXEC = 8;

/** A counter that runs. */
export interface PerfCounter extends Disposable {
	/** What it counted since it was opened; nanoseconds for the clocks, bytes for the resource director's. */
	read(): bigint;
}

/**
 * Begins to count for process `pid`: for the thread that the kernel knows by this number, and what it makes from now on.
 *
 * @throws VirtError ARGUMENT_UNSUPPORTED for events that this host's processor lacks, SYSTEM_ERROR where the kernel refuses.
 */
export function openPerfEvent(name: PerfEventName, pid: number): PerfCounter {
	const { type, config }: Kind = KINDS[name];
	const attributes = new DataView(new ArrayBuffer(ATTRIBUTES_BYTES));
	attributes.setUint32(0, typeof type === "number" ? type : resourceType(name), true);
	attributes.setUint32(4, ATTRIBUTES_BYTES, true);
	attributes.setBigUint64(8, BigInt(config), true);
	attributes.setBigUint64(FLAGS_OFFSET, INHERIT, true);
	const scale = name === "cmt" ? BigInt(readNumber(`${RESOURCES}/events/llc_occupancy.scale`)) : 1n;
	const result =
		SYS_PERF_EVENT_OPEN === undefined
			? { errno: ENOSYS }
			: callLibc("perf_event_open", SYS_PERF_EVENT_OPEN, new Uint8Array(attributes.buffer), pid, -1, -1, CLOSE_ON_EXEC);
	if ("errno" in result) throw systemError(`unable to open host cpu perf event for ${name}`, result.errno);
	return counterOf(result.value, scale);
}

const ENOSYS = 38;

function counterOf(fd: number, scale: bigint): PerfCounter {
	const buffer = Buffer.alloc(8);
	return {
		read() {
			try {
				readSync(fd, buffer, 0, buffer.length, null);
			} catch (error) {
				throw systemError("Unable to read cache data", error);
			}
			return buffer.readBigUInt64LE() * scale;
		},
		[Symbol.dispose]: () => closeSync(fd),
	};
}

function resourceType(name: string): number {
	try {
		return readNumber(`${RESOURCES}/type`);
	} catch {
		throw new VirtError("ARGUMENT_UNSUPPORTED", `unable to enable host cpu perf event for ${name}`, { domain: "PERF" });
	}
}

const readNumber = (path: string): number => Number.parseInt(readFileSync(path, "latin1"), 10);
