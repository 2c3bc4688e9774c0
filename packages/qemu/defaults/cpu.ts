// The guest's CPU: the machine's default where the definition names none, and how thoroughly it is checked.

import { VirtError } from "@virtkit/base/errors";
import type { CpuDef } from "@virtkit/model/domain/cpu";
import type { EmulatorCapabilities } from "../capabilities/emulator.ts";
import type { DefineContext } from "../devices/entry.ts";
import { isPpc64, isS390, isX86 } from "../machine.ts";

/** Architectures whose CPU models libvirt knows. */
const KNOWN_ARCHITECTURES = ["x86_64", "i686", "ppc64", "ppc64le", "s390", "s390x", "armv6l", "armv7l", "aarch64"];

/** Name of the CPU model that QEMU gives a machine unless told; undefined where it does not say. */
function machineDefaultCpu(caps: EmulatorCapabilities, machine: string, domainType: string): string | undefined {
	const type = caps.facts.machines.find(({ name }) => name === machine)?.defaultCpuType;
	if (type === undefined) return undefined;
	const name = caps.accelerator(domainType)?.cpus.find((cpu) => cpu.type === type)?.name;
	return caps.arch === "ppc64" ? name?.toUpperCase() : name;
}

/** Writes out the CPU that QEMU would pick, so that the guest keeps it (qemuDomainDefSetDefaultCPU). */
export function setDefaultCpu({ def, caps, host }: DefineContext): void {
	const { cpu } = def;
	if (cpu && (cpu.mode !== "custom" || cpu.model?.name !== undefined)) return;
	if (!KNOWN_ARCHITECTURES.includes(def.os.type.arch ?? "")) return;
	if (!isX86(def) && !isS390(def) && !isPpc64(def) && def.type !== "qemu") return;
	const model = machineDefaultCpu(caps, def.os.type.machine ?? "", def.type);
	if (model === undefined) return;
	const common = { topology: cpu?.topology, cache: cpu?.cache, maxphysaddr: cpu?.maxphysaddr, numa: cpu?.numa };
	if (model === "host") {
		if (def.type !== "kvm")
			throw new VirtError(
				"INTERNAL_ERROR",
				'QEMU reports invalid default CPU model "host" for non-kvm domain virt type',
			);
		const mode = isS390(def) && host.hostCpu ? "host-model" : "host-passthrough";
		def.cpu = { ...cpu, ...common, feature: cpu?.feature ?? [], mode };
		return;
	}
	def.cpu = {
		...cpu,
		...common,
		feature: cpu?.feature ?? [],
		mode: "custom",
		match: "exact",
		check: "none",
		model: { ...cpu?.model, name: model, fallback: "forbid" },
	};
}

/** Settles features, migratability and check of the CPU (qemuDomainDefCPUPostParse). */
export function completeCpu({ def, caps }: DefineContext): void {
	const { cpu } = def;
	if (!cpu) return;
	completeSve(cpu);
	if (def.id === undefined && cpu.mode === "host-passthrough" && cpu.migratable === undefined)
		if (canTellMigratable(caps)) cpu.migratable = true;
		else if (isX86(def)) cpu.migratable = false;
	if (cpu.mode === "custom" && cpu.model?.name === undefined) return;
	cpu.check ??= defaultCheck(cpu, def.type);
}

/** Whether the emulator can leave features out of the host's CPU that hinder migration. */
export const canTellMigratable = (caps: EmulatorCapabilities): boolean => caps.has("max-x86_64-cpu", "migratable");

function defaultCheck(cpu: CpuDef, domainType: string): NonNullable<CpuDef["check"]> {
	if (cpu.mode === "host-passthrough" || cpu.mode === "maximum") return "none";
	if (cpu.mode === "host-model") return "partial";
	return domainType === "qemu" ? "none" : "partial";
}

/** Vector lengths of Arm's SVE need SVE itself. */
function completeSve(cpu: CpuDef): void {
	if (!cpu.feature.some(({ name }) => name.startsWith("sve") && name !== "sve")) return;
	const sve = cpu.feature.find(({ name }) => name === "sve");
	if (!sve) cpu.feature.push({ name: "sve", policy: "require" });
	else if (sve.policy === "disable" || sve.policy === "forbid")
		throw new VirtError("CONFIG_UNSUPPORTED", "SVE disabled, but SVE vector lengths provided");
	else sve.policy = "require";
}
