// What a connection to the driver tells of the host: its parts, its emulators, what guests it can run.

import { hostname } from "node:os";
import { VirtError } from "@virtkit/base/errors";
import type { HostOperations } from "@virtkit/core/host-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import { readCpuStats } from "@virtkit/host/facts/cpu-stats";

import { KSM_PARAMETERS, readKsmParameters, writeKsmParameters } from "@virtkit/host/facts/ksm";
import { freeMemoryBytes, readCellsFreeMemory, readFreePages, readMemoryStats } from "@virtkit/host/facts/memory";
import { readCpuMap, readNodeInfo } from "@virtkit/host/facts/node-info";
import { allocatePages } from "@virtkit/host/facts/page-pools";
import { readSmbios } from "@virtkit/host/facts/smbios";
import { xmlElement } from "@virtkit/xml/node";
import { writeXml } from "@virtkit/xml/write";
import { archNamed } from "./capabilities/arch.ts";
import { cpuModelNames, formatDomainCapabilities } from "./capabilities/domain-capabilities.ts";
import { formatHostCapabilities, type SecurityModel } from "./capabilities/host-capabilities.ts";
import { readHostFacts } from "./capabilities/host-reader.ts";
import { installedGuests } from "./capabilities/installed-guests.ts";
import { readKvmDevice } from "./capabilities/kvm-device.ts";
import { cpuOperations } from "./cpu-operations.ts";
import type { Driver } from "./driver-context.ts";
import { memoryReport } from "./policy/memory-report.ts";

/** virDrvFeature numbers of what the driver can do: the third version of migration (6), with change protection (7) and typed parameters (13); XML for another host (11). */
const FEATURES: ReadonlySet<number> = new Set([4, 6, 7, 11, 12, 13]);

/** Virtual CPUs that libvirt says an emulated guest may have, whatever its machine type allows. */
const EMULATED_VCPUS = 16;

/** See the opening sentence. */
export function hostOperations(driver: Driver): Partial<HostOperations> {
	const memory = { memoryReport: (decisions: number) => memoryReport(driver, decisions) };
	return { ...connection(driver), ...emulators(driver), ...cpuOperations(driver), ...machine(), ...memory };
}

function connection({ session }: Driver): Partial<HostOperations> {
	return {
		type: () => "QEMU",
		hostname,
		uri: () => (session ? "qemu:///session" : "qemu:///system"),
		supportsFeature: (feature) => FEATURES.has(feature),
	};
}

function emulators(driver: Driver): Partial<HostOperations> {
	const { capabilities, host } = driver;
	const emulatorOf = (arch: string): Promise<Awaited<ReturnType<typeof capabilities.get>> | undefined> => {
		const binary = host.defaultEmulator(arch);
		return binary === undefined ? Promise.resolve(undefined) : capabilities.get(binary);
	};
	return {
		version: async () => {
			const native = await emulatorOf(host.arch);
			if (native) return BigInt(native.version);
			throw new VirtError("INTERNAL_ERROR", `Cannot find suitable emulator for ${host.arch}`);
		},
		maxVcpus: async (type) => {
			const wanted = type?.toLowerCase() ?? "qemu";
			if (wanted === "qemu") return EMULATED_VCPUS;
			if (wanted === "kvm") return kvmVcpus();
			throw new VirtError("INVALID_ARG", `unknown type '${type}'`);
		},
		capabilities: () => describeHost(driver),
		domainCapabilities: (request) => describeGuests(driver, request),
		cpuModels: async (arch) => cpuModelNames(arch, await emulatorOf(arch)),
	};
}

function kvmVcpus(): number {
	const kvm = readKvmDevice();
	if (kvm) return kvm.maxVcpus;
	throw new VirtError("SYSTEM_ERROR", "Unable to open /dev/kvm: KVM cannot be used on this host");
}

async function describeHost(driver: Driver): Promise<string> {
	const { capabilities, host, log } = driver;
	const facts = readHostFacts();
	const guests = await installedGuests(capabilities, host.arch, (binary, error) =>
		log.warn(`the emulator '${binary}' is left out: ${String(error)}`),
	);
	const native = guests.find(({ arch }) => arch === host.arch)?.emulator;
	return formatHostCapabilities({ facts, kvm: readKvmDevice(), security: securityModels(driver), native, guests });
}

type GuestRequest = Parameters<HostOperations["domainCapabilities"]>[0];

async function describeGuests(driver: Driver, request: GuestRequest): Promise<string> {
	const { capabilities, host } = driver;
	const { emulator, arch = host.arch } = request;
	if (archNamed(arch) === undefined) throw new VirtError("INVALID_ARG", `unknown architecture: ${arch}`);
	const binary = emulator ?? host.defaultEmulator(arch);
	if (binary === undefined)
		throw new VirtError("INVALID_ARG", `unable to find any emulator to serve '${arch}' architecture`);
	const caps = await capabilities.get(binary);
	const { arch: own, vfio } = readHostFacts();
	const kvmMaxVcpus = readKvmDevice()?.maxVcpus;
	const about = { arch: own, vfio, firmware: host.firmware, swtpm: host.swtpm };
	return formatDomainCapabilities(caps, request, kvmMaxVcpus === undefined ? about : { ...about, kvmMaxVcpus });
}

/** How guests are confined, the most important first. */
function securityModels({ runAs }: Driver): SecurityModel[] {
	const { uid, gid } = runAs ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
	const label = `+${uid}:+${gid}`;
	return [NO_SYSTEM, { model: "dac", doi: "0", baseLabels: { kvm: label, qemu: label } }];
}

/** The host's own security system, as long as guests are not confined by it. */
const NO_SYSTEM: SecurityModel = { model: "none", doi: "0", baseLabels: {} };

function machine(): Partial<HostOperations> {
	return {
		nodeInfo: () => readNodeInfo(),
		cpuStats: (cpu) => readCpuStats(cpu),
		memoryStats: (cell) => readMemoryStats(cell),
		freeMemory: () => freeMemoryBytes(),
		cellsFreeMemory: (start, count) => readCellsFreeMemory(start, count),
		cpuMap: () => readCpuMap(),
		freePages: (pages, startCell, cells) => readFreePages(pages, startCell, cells),
		allocatePages: (pools, startCell, cells, flags) => allocatePages(pools, startCell, cells, (flags & 1) === 0),
		memoryParameters: () =>
			readKsmParameters().map(({ name, type, value }) =>
				type === "uint" ? param.uint(name, Number(value)) : param.ullong(name, value),
			),
		setMemoryParameters: (params) => writeKsmParameters(ksmValues(params)),
		securityModel: () => ({ model: NO_SYSTEM.model, doi: NO_SYSTEM.doi }),
		sysinfo: formatSysinfo,
	};
}

/** Checks names and types as libvirt does before anything is set. */
function ksmValues(params: readonly TypedParam[]): Record<string, number> {
	const values: Record<string, number> = {};
	for (const { field, value } of params) {
		if (!KSM_PARAMETERS.some(({ name, writable }) => name === field && writable))
			throw new VirtError("ARGUMENT_UNSUPPORTED", `parameter '${field}' not supported`, { domain: "NONE" });
		values[field] = Number(value.value);
	}
	return values;
}

/** The host's SMBIOS strings as libvirt's <sysinfo>. */
function formatSysinfo(): string {
	const smbios = readSmbios();
	if (smbios === undefined) throw new VirtError("CONFIG_UNSUPPORTED", "Host SMBIOS information is not available");
	const sections = Object.entries(smbios).map(([section, entries]) =>
		xmlElement(
			section,
			{},
			Object.entries(entries).map(([name, value]) => xmlElement("entry", { name }, [value])),
		),
	);
	return writeXml(xmlElement("sysinfo", { type: "smbios" }, sections));
}
