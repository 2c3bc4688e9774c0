// CPUs compared with what the host or an emulator can give, and the best CPU that several hosts can.

import { VirtError } from "@virtkit/base/errors";
import type { EmulatorRequest, HostOperations } from "@virtkit/core/host-operations";
import { checkFlags } from "@virtkit/core/invoke";
import { archNamed } from "./capabilities/arch.ts";
import { baselineOf, CPU_FLAG, type CpuKnowledge, compareCpus } from "./capabilities/compare-cpu.ts";
import { type GivenCpu, parseCpu } from "./capabilities/cpu-document.ts";
import { CPUID_ORDER } from "./capabilities/cpuid-order.ts";
import { settleGuests } from "./capabilities/domain-capabilities.ts";
import type { EmulatorCapabilities } from "./capabilities/emulator.ts";
import { describeHostCpu } from "./capabilities/host-capabilities.ts";
import { hostModel } from "./capabilities/host-model.ts";
import { readHostFacts } from "./capabilities/host-reader.ts";
import { modelDefinitions } from "./capabilities/model-definitions.ts";
import type { Driver } from "./driver-context.ts";

type CpuOperations = Pick<
	HostOperations,
	"compareCpu" | "baselineCpu" | "compareHypervisorCpu" | "baselineHypervisorCpu"
>;

/** virConnectCompareCPUFlags and virConnectBaselineCPUFlags have two each. */
const FLAGS = 3;

const X86: ReadonlySet<string> = new Set(["x86_64", "i686"]);

export function cpuOperations(driver: Driver): CpuOperations {
	return {
		compareCpu: async (xml, flags) => {
			checkFlags("qemuConnectCompareCPU", flags, FLAGS);
			const cpu = parseCpu(xml, (flags & CPU_FLAG.validate) !== 0);
			const native = await nativeEmulator(driver);
			const host = describeHostCpu(readHostFacts().processor, native);
			return compareCpus(host, cpu, knowledgeOf(native), flags);
		},
		baselineCpu: async (xmls, flags) => {
			checkFlags("qemuConnectBaselineCPU", flags, FLAGS);
			const cpus = parseCpus(xmls, "host");
			const arch = cpus[0]?.arch ?? driver.host.arch;
			if (!X86.has(arch))
				throw new VirtError("NO_SUPPORT", `cannot compute baseline CPU of ${arch} architecture`, { domain: "CPU" });
			return baselineOf(cpus, knowledgeOf(await nativeEmulator(driver)), { forbidFallback: false }, flags);
		},
		compareHypervisorCpu: async (request, xml, flags) => {
			checkFlags("qemuConnectCompareHypervisorCPU", flags, FLAGS);
			const { emulator, arch, virtType } = await guestsOf(driver, request);
			const host = hostModel(emulator, virtType, true);
			if (!host)
				throw new VirtError(
					"OPERATION_UNSUPPORTED",
					`QEMU '${emulator.binary}' does not support reporting CPU model for virttype '${virtType}'`,
				);
			refuseOthers(arch, "comparing with the hypervisor CPU");
			const cpu = parseCpu(xml, (flags & CPU_FLAG.validate) !== 0);
			return compareCpus(host, cpu, knowledgeOf(emulator), flags);
		},
		baselineHypervisorCpu: async (request, xmls, flags) => {
			checkFlags("qemuConnectBaselineHypervisorCPU", flags, FLAGS);
			const cpus = parseCpus(xmls, "any");
			const { emulator, arch, virtType } = await guestsOf(driver, request);
			const accelerator = emulator.accelerator(virtType);
			if (!accelerator || accelerator.cpus.length === 0)
				throw new VirtError(
					"OPERATION_UNSUPPORTED",
					`QEMU '${emulator.binary}' does not support any CPU models for virttype '${virtType}'`,
				);
			refuseOthers(arch, "computing baseline hypervisor CPU");
			const blockers = new Map(accelerator.cpus.map((one) => [one.name, one.blockers]));
			const migratable = (flags & CPU_FLAG.migratable) !== 0;
			const available = availableFeatures(accelerator, migratable && virtType === "kvm");
			return baselineOf(
				cpus,
				knowledgeOf(emulator),
				{
					usable: new Set(blockers.keys()),
					blockers: (name) => blockers.get(name) ?? [],
					...(available ? { available } : {}),
					forbidFallback: true,
				},
				flags & ~CPU_FLAG.migratable,
			);
		},
	};
}

/**
 * Features that QEMU knows here; without those that keep a guest from migrating where that is asked for. Which of a
 * model's it cannot give are the model's blockers. Only of KVM's CPUs it says which migrate.
 */
function availableFeatures(
	{ hostCpu }: NonNullable<ReturnType<EmulatorCapabilities["accelerator"]>>,
	migratable: boolean,
): Set<string> | undefined {
	if (!hostCpu?.features) return undefined;
	const { features, properties } = hostCpu;
	const staying = new Set(migratable ? features.filter((name) => properties[name] !== true) : []);
	return new Set([...Object.keys(properties), ...features].filter((name) => !staying.has(name)));
}

async function nativeEmulator({ capabilities, host }: Driver): Promise<EmulatorCapabilities | undefined> {
	const binary = host.defaultEmulator(host.arch);
	return binary === undefined ? undefined : await capabilities.get(binary);
}

function knowledgeOf(emulator: EmulatorCapabilities | undefined): CpuKnowledge {
	const models = emulator ? modelDefinitions(emulator.facts) : [];
	return { models, features: new Set([...CPUID_ORDER, ...models.flatMap(({ features }) => features)]) };
}

/** Throws INVALID_ARG for none at all, and for one without a model. */
function parseCpus(xmls: readonly string[], type: "host" | "any"): GivenCpu[] {
	if (xmls.length === 0) throw new VirtError("INVALID_ARG", "no CPUs given", { domain: "CPU" });
	const cpus = xmls.map((xml) => parseCpu(xml, false, type));
	for (const [index, { def }] of cpus.entries())
		if (def.model?.name === undefined)
			throw new VirtError("INVALID_ARG", `no CPU model specified at index ${index}`, { domain: "CPU" });
	return cpus;
}

async function guestsOf({ capabilities, host }: Driver, request: EmulatorRequest) {
	const { emulator, arch = host.arch } = request;
	if (archNamed(arch) === undefined) throw new VirtError("INVALID_ARG", `unknown architecture: ${arch}`);
	const binary = emulator ?? host.defaultEmulator(arch);
	if (binary === undefined)
		throw new VirtError("INVALID_ARG", `unable to find any emulator to serve '${arch}' architecture`);
	return settleGuests(await capabilities.get(binary), request, host.arch);
}

function refuseOthers(arch: string, what: string): void {
	if (!X86.has(arch)) throw new VirtError("OPERATION_UNSUPPORTED", `${what} is not supported for arch ${arch}`);
}
