// Checks that the host can give a guest the CPU its definition names, before QEMU is asked for it.

import { VirtError } from "@virtkit/base/errors";
import type { CpuDef } from "@virtkit/model/domain/cpu";
import { featuresOfFlags, toLibvirtFeature, toQemuFeature } from "../capabilities/cpu-features.ts";
import type { HostProcessor } from "../capabilities/host-facts.ts";
import { modelDefinitions } from "../capabilities/model-definitions.ts";
import type { DefineContext } from "../devices/entry.ts";

/** libvirt's names of CPU makers by CPUID's word. */
const VENDORS: Readonly<Record<string, string>> = { GenuineIntel: "Intel", AuthenticAMD: "AMD", HygonGenuine: "Hygon" };

/**
 * Features that guests of this type can have here, by libvirt's names: what the accelerator gives, and what the host's
 * own CPU has. Undefined where the host cannot be told.
 */
export function hostFeatures({ def, caps, host }: DefineContext): ReadonlySet<string> | undefined {
	const given = caps.accelerator(def.type)?.hostCpu;
	if (!given?.features || !host.processor) return undefined;
	const found = FOUND.get(given);
	if (found?.processor === host.processor) return found.features;
	const features = findFeatures(given.features, caps, host.processor);
	FOUND.set(given, { processor: host.processor, features });
	return features;
}

/** What was found for a CPU that an emulator told of: it stays so until the emulator is asked again. */
const FOUND = new WeakMap<object, { readonly processor: HostProcessor; readonly features: ReadonlySet<string> }>();

function findFeatures(
	given: readonly string[],
	caps: DefineContext["caps"],
	processor: HostProcessor,
): ReadonlySet<string> {
	const known = new Set([...given, ...Object.values(caps.facts.cpuModels ?? {}).flatMap(({ features }) => features)]);
	const own = featuresOfFlags(processor.flags, processor.vendor, known);
	return new Set([...given, ...own].map(toLibvirtFeature));
}

const incompatible = (message: string): VirtError => new VirtError("CPU_INCOMPATIBLE", message, { domain: "CPU" });

/** Throws CPU_INCOMPATIBLE where the host lacks what the guest must have, or has what it must not. */
export function checkCpu(cpu: CpuDef, context: DefineContext): void {
	const host = cpu.check === "none" ? undefined : hostFeatures(context);
	if (!host) return;
	const names = (...policies: string[]): string[] =>
		cpu.feature.filter(({ policy = "require" }) => policies.includes(policy)).map(({ name }) => name);
	const forbidden = names("forbid").filter((name) => host.has(name));
	if (forbidden.length > 0) throw incompatible(`Host CPU provides forbidden features '${forbidden.join(",")}'`);
	if (cpu.check !== "partial") return;
	const vendor = VENDORS[context.host.processor?.vendor ?? ""];
	if (cpu.vendor !== undefined && cpu.vendor !== vendor)
		throw incompatible(`CPU vendor '${cpu.vendor}' is not the host's, which is '${vendor}'`);
	const model = modelDefinitions(context.caps.facts).find(({ name }) => name === cpu.model?.name)?.features ?? [];
	const dropped = new Set([...names("disable", "forbid", "force", "optional"), ...IGNORED].map(toQemuFeature));
	const wanted = new Set([...model.filter((name) => !dropped.has(name)).map(toLibvirtFeature), ...names("require")]);
	const missing = [...wanted].filter((name) => !host.has(name));
	if (missing.length > 0) throw incompatible(`Host CPU does not provide required features: ${missing.join(", ")}`);
}

/** Features that say nothing of the host: every guest has them. */
const IGNORED = ["hypervisor", "vme"];
