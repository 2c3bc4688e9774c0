// The host that a connection leads to: what it is, has and can.

import type { RetOf } from "@virtkit/protocol/procedure-types";
import type { RpcClient } from "../rpc-client.ts";

/** `major.minor.micro` of a version number. */
export function formatVersion(number: bigint): string {
	return `${number / 1_000_000n}.${(number / 1000n) % 1000n}.${number % 1000n}`;
}

export class Host {
	readonly #rpc: RpcClient;

	constructor(rpc: RpcClient) {
		this.#rpc = rpc;
	}

	async hostname(): Promise<string> {
		return (await this.#rpc.call("CONNECT_GET_HOSTNAME")).hostname;
	}

	/**
	 * Memory of host and guests, with the latest decisions of virtkit's policies, at most `decisions` of them.
	 *
	 * Only virtkit answers it; libvirt's daemons have no such call.
	 */
	async memoryReport(decisions = 0): Promise<RetOf<"HOST_MEMORY", "virtkit">> {
		return this.#rpc.call("HOST_MEMORY", { maxDecisions: decisions, flags: 0 }, { program: "virtkit" });
	}

	/** The connection's URI as the daemon sees it. */
	async uri(): Promise<string> {
		return (await this.#rpc.call("CONNECT_GET_URI")).uri;
	}

	/** `QEMU`. */
	async type(): Promise<string> {
		return (await this.#rpc.call("CONNECT_GET_TYPE")).type;
	}

	/** Versions as `major.minor.micro`: of the hypervisor, and of the libvirt API that the daemon keeps to. */
	async versions(): Promise<{ hypervisor: string; library: string }> {
		const [{ hvVer }, { libVer }] = await Promise.all([
			this.#rpc.call("CONNECT_GET_VERSION"),
			this.#rpc.call("CONNECT_GET_LIB_VERSION"),
		]);
		return { hypervisor: formatVersion(hvVer), library: formatVersion(libVer) };
	}

	async capabilities(): Promise<string> {
		return (await this.#rpc.call("CONNECT_GET_CAPABILITIES")).capabilities;
	}

	async domainCapabilities(
		request: {
			readonly emulator?: string;
			readonly arch?: string;
			readonly machine?: string;
			readonly virtType?: string;
		} = {},
	): Promise<string> {
		const { emulator = null, arch = null, machine = null, virtType = null } = request;
		const args = { emulatorbin: emulator, arch, machine, virttype: virtType, flags: 0 };
		return (await this.#rpc.call("CONNECT_GET_DOMAIN_CAPABILITIES", args)).capabilities;
	}

	async cpuModels(arch: string): Promise<string[]> {
		return (await this.#rpc.call("CONNECT_GET_CPU_MODEL_NAMES", { arch, needResults: 1, flags: 0 })).models;
	}

	/** How a CPU compares with the host's: incompatible 0, identical 1, superset 2. Flags: fail when incompatible 1, validate 2. */
	async compareCpu(xml: string, flags = 0): Promise<number> {
		return (await this.#rpc.call("CONNECT_COMPARE_CPU", { xml, flags })).result;
	}

	/** The best CPU that all of these can give. Flags: features spelled out 1, only those that migrate 2. */
	async baselineCpu(xmls: readonly string[], flags = 0): Promise<string> {
		return (await this.#rpc.call("CONNECT_BASELINE_CPU", { xmlCPUs: [...xmls], flags })).cpu;
	}

	/** As compareCpu, with what an emulator can give here. */
	async compareHypervisorCpu(request: EmulatorRequest, xmlCPU: string, flags = 0): Promise<number> {
		const args = { ...emulatorArguments(request), xmlCPU, flags };
		return (await this.#rpc.call("CONNECT_COMPARE_HYPERVISOR_CPU", args)).result;
	}

	async baselineHypervisorCpu(request: EmulatorRequest, xmls: readonly string[], flags = 0): Promise<string> {
		const args = { ...emulatorArguments(request), xmlCPUs: [...xmls], flags };
		return (await this.#rpc.call("CONNECT_BASELINE_HYPERVISOR_CPU", args)).cpu;
	}

	async maxVcpus(type: string | null = null): Promise<number> {
		return (await this.#rpc.call("CONNECT_GET_MAX_VCPUS", { type })).maxVcpus;
	}

	async sysinfo(): Promise<string> {
		return (await this.#rpc.call("CONNECT_GET_SYSINFO", { flags: 0 })).sysinfo;
	}

	/** Memory in KiB, frequency in MHz. */
	nodeInfo(): Promise<RetOf<"NODE_GET_INFO">> {
		return this.#rpc.call("NODE_GET_INFO");
	}

	/** Bytes. */
	async freeMemory(): Promise<bigint> {
		return (await this.#rpc.call("NODE_GET_FREE_MEMORY")).freeMem;
	}

	/** Nanoseconds by field; `cpu` −1 is all. */
	async cpuStats(cpu = -1): Promise<ReadonlyMap<string, bigint>> {
		const { nparams } = await this.#rpc.call("NODE_GET_CPU_STATS", { cpuNum: cpu, nparams: 0, flags: 0 });
		const { params } = await this.#rpc.call("NODE_GET_CPU_STATS", { cpuNum: cpu, nparams, flags: 0 });
		return new Map(params.map(({ field, value }) => [field, value]));
	}

	/** KiB by field; `cell` −1 is all. */
	async memoryStats(cell = -1): Promise<ReadonlyMap<string, bigint>> {
		const { nparams } = await this.#rpc.call("NODE_GET_MEMORY_STATS", { cellNum: cell, nparams: 0, flags: 0 });
		const { params } = await this.#rpc.call("NODE_GET_MEMORY_STATS", { cellNum: cell, nparams, flags: 0 });
		return new Map(params.map(({ field, value }) => [field, value]));
	}
}

/** Which emulator and guests are meant; the usual where left out. */
export interface EmulatorRequest {
	readonly emulator?: string | undefined;
	readonly arch?: string | undefined;
	readonly machine?: string | undefined;
	readonly virtType?: string | undefined;
}

const emulatorArguments = ({ emulator, arch, machine, virtType }: EmulatorRequest) => ({
	emulator: emulator ?? null,
	arch: arch ?? null,
	machine: machine ?? null,
	virttype: virtType ?? null,
});
