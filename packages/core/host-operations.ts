// The hypervisor interface for the host: what a connection tells about the machine and about itself.

import type { CallContext } from "./domain-operations.ts";
import type { MemoryReport } from "./policy/report.ts";
import type { TypedParam } from "./typed-params.ts";

type Async<T> = T | Promise<T>;

export interface NodeInfo {
	readonly model: string;
	/** KiB. */
	readonly memory: bigint;
	readonly cpus: number;
	readonly mhz: number;
	/** NUMA cells; the product of the four is the number of possible CPUs. */
	readonly nodes: number;
	readonly sockets: number;
	readonly cores: number;
	readonly threads: number;
}

/** Which emulator and guests are meant; what is left out is the usual. */
export interface EmulatorRequest {
	readonly emulator?: string;
	readonly arch?: string;
	readonly machine?: string;
	readonly virtType?: string;
}

/** Host and connection facts; a driver leaves out what it cannot tell. */
export interface HostOperations {
	/** `QEMU`. */
	type(): string;
	/** major·1,000,000 + minor·1,000 + micro. */
	version(): Async<bigint>;
	hostname(): string;
	uri(): string;
	maxVcpus(type: string | undefined): Async<number>;
	capabilities(): Async<string>;
	domainCapabilities(
		request: {
			emulator?: string;
			arch?: string;
			machine?: string;
			virtType?: string;
		},
		flags: number,
	): Async<string>;
	cpuModels(arch: string, flags: number): Async<readonly string[]>;
	sysinfo(flags: number): Async<string>;
	nodeInfo(): Async<NodeInfo>;
	/** Nanoseconds by field: kernel, user, idle, iowait. `cpu` −1 is all. */
	cpuStats(cpu: number, flags: number): Async<readonly { field: string; value: bigint }[]>;
	/** KiB by field: total, free, buffers, cached. `cell` −1 is all. */
	memoryStats(cell: number, flags: number): Async<readonly { field: string; value: bigint }[]>;
	/** Bytes. */
	freeMemory(): Async<bigint>;
	/** Bytes by cell. */
	cellsFreeMemory(start: number, count: number): Async<readonly bigint[]>;
	cpuMap(): Async<{ present: number; online: readonly number[] }>;
	/** Free pages of each size (KiB) in each cell. */
	freePages(pages: readonly number[], startCell: number, cells: number, flags: number): Async<readonly bigint[]>;
	/** Sets pools of huge pages (KiB a page) of one cell after another, or adds to them; how many pools were set. VIR_NODE_ALLOC_PAGES_SET 1. */
	allocatePages(
		pools: readonly { readonly sizeKib: number; readonly count: bigint }[],
		startCell: number,
		cells: number,
		flags: number,
	): Promise<number>;
	memoryParameters(flags: number): Async<readonly TypedParam[]>;
	setMemoryParameters(params: readonly TypedParam[], flags: number, context: CallContext): Async<void>;
	/** Memory of host and guests, and at most `decisions` of what policies decided lately. virtkit's own: libvirt has no such call. */
	memoryReport(decisions: number): Async<MemoryReport>;
	securityModel(): { model: string; doi: string };
	compareCpu(xml: string, flags: number): Async<number>;
	baselineCpu(xmls: readonly string[], flags: number): Async<string>;
	/** virCPUCompareResult of a CPU with what an emulator can give. */
	compareHypervisorCpu(request: EmulatorRequest, xml: string, flags: number): Async<number>;
	baselineHypervisorCpu(request: EmulatorRequest, xmls: readonly string[], flags: number): Async<string>;
	/** virDrvFeature numbers that the driver supports. */
	supportsFeature(feature: number): boolean;
}
