// Chooses the CPU model that describes a CPU best: the host's own, and the one that `host-model` gives a guest.

import { toLibvirtFeature } from "./cpu-features.ts";
import { CPUID_ORDER } from "./cpuid-order.ts";
import type { CpuModelFeatures, EmulatorCapabilities } from "./emulator.ts";
import { isSameProduct, type ModelDefinition, modelDefinitions, type Signature } from "./model-definitions.ts";

/** A CPU by model and the features in which it differs; names are libvirt's. */
export interface DescribedCpu {
	readonly model: string;
	/** `Intel`, `AMD`, `Hygon`; undefined for other makers. */
	readonly vendor: string | undefined;
	readonly features: readonly { readonly name: string; readonly policy: "require" | "disable" }[];
}

/** A CPU to be described: what CPUID says of it; no vendor is any. Features by QEMU's names. */
export interface Cpu extends Signature {
	readonly vendor: string;
	readonly features: ReadonlySet<string>;
}

/** libvirt's names of the makers that it knows. */
const VENDORS: Readonly<Record<string, string>> = { GenuineIntel: "Intel", AuthenticAMD: "AMD", HygonGenuine: "Hygon" };

/** Models that stand for no maker's product: QEMU gives them a vendor all the same. */
const GENERIC: ReadonlySet<string> = new Set([
	"486",
	"pentium",
	"pentium2",
	"pentium3",
	"qemu32",
	"qemu64",
	"kvm32",
	"kvm64",
]);

/** Features that no model is chosen by: every guest has them, or only guests. They are named all the same. */
const INCIDENTAL: ReadonlySet<string> = new Set(["hypervisor"]);

/** libvirt's name of a model's maker; undefined for models of none in particular. */
export function vendorOfModel(name: string, model: CpuModelFeatures | undefined): string | undefined {
	return GENERIC.has(name) || model === undefined ? undefined : VENDORS[model.vendor];
}

interface Candidate {
	readonly name: string;
	readonly sameProduct: boolean;
	readonly missing: readonly string[];
	readonly extra: readonly string[];
}

/** How models are judged. */
interface Choice {
	/** A host's CPU must have all of its model; a guest's may have features of it disabled. */
	readonly of: "host" | "guest";
	/** Features that a model needs and this host cannot give. */
	readonly blockers?: (model: string) => readonly string[];
	/** The model that is taken before all others. */
	readonly preferred?: string | undefined;
}

/**
 * The model that is nearest to `cpu`, and how it differs; of the first such, so `models` are to be the newest first.
 *
 * Of the same maker; of the same product if there is such a one; then with the fewest differences, where features to
 * disable weigh more the more there are of them.
 */
export function describeCpu(cpu: Cpu, models: readonly ModelDefinition[], choice: Choice): DescribedCpu | undefined {
	const exact = choice.of === "host";
	const candidates = models
		.filter((model) => cpu.vendor === "" || GENERIC.has(model.name) || model.vendor === cpu.vendor)
		.filter(({ forGuests }) => exact || forGuests)
		.map((model) => compare(cpu, model, choice.blockers?.(model.name) ?? []))
		.filter(({ missing }) => !exact || missing.length === 0);
	const preferred = candidates.find(({ name }) => name === choice.preferred);
	const sameProduct = candidates.filter((candidate) => candidate.sameProduct);
	const [best] = preferred ? [preferred] : (sameProduct.length > 0 ? sameProduct : candidates).sort(byDifference);
	if (best === undefined) return undefined;
	const incidental = [...INCIDENTAL].filter((name) => cpu.features.has(name));
	const require = [...best.extra, ...incidental]
		.sort(byCpuid)
		.map((name) => ({ name: toLibvirtFeature(name), policy: "require" as const }));
	const disable = [...best.missing]
		.sort(byCpuid)
		.map((name) => ({ name: toLibvirtFeature(name), policy: "disable" as const }));
	return { model: best.name, vendor: VENDORS[cpu.vendor], features: [...require, ...disable] };
}

/** In the order of CPUID's leaves, as libvirt lists them; what it does not know comes last, by name. */
export function byCpuid(a: string, b: string): number {
	return placeOf(a) - placeOf(b) || a.localeCompare(b);
}

function placeOf(name: string): number {
	const place = CPUID_ORDER.indexOf(name);
	return place < 0 ? CPUID_ORDER.length : place;
}

/** What the first feature to disable weighs; each further one weighs one more. */
const FIRST_DISABLED = 2;

function weigh({ extra, missing }: Candidate): { readonly all: number; readonly disabled: number } {
	// Only every other one counts, since libvirt's count has that slip and both must choose the same.
	const counted = Math.ceil(missing.length / 2);
	let disabled = 0;
	for (let index = 0; index < counted; index++) disabled += FIRST_DISABLED + index;
	return { all: extra.length + missing.length - counted + disabled, disabled };
}

/** Least weight first; of equals the one with less to disable. */
function byDifference(a: Candidate, b: Candidate): number {
	const [one, other] = [weigh(a), weigh(b)];
	return one.all - other.all || one.disabled - other.disabled;
}

function compare(cpu: Cpu, model: ModelDefinition, blockers: readonly string[]): Candidate {
	const own = new Set([...model.features, ...blockers]);
	const blocked = new Set(blockers);
	return {
		name: model.name,
		sameProduct: isSameProduct(model, cpu),
		missing: [...own].filter(
			(feature) => (blocked.has(feature) || !cpu.features.has(feature)) && !INCIDENTAL.has(feature),
		),
		extra: [...cpu.features].filter((feature) => !own.has(feature) && !INCIDENTAL.has(feature)),
	};
}

/**
 * The CPU that `host-model` means for guests of `domainType`: all that QEMU can give them here. Undefined where it
 * cannot be told (no x86, or an emulator that does not spell out CPUs).
 *
 * Without `migratable`, features that keep a guest from migrating (`invtsc`) are in it.
 */
export function hostModel(
	emulator: EmulatorCapabilities,
	domainType: string,
	migratable: boolean,
): DescribedCpu | undefined {
	const accelerator = emulator.accelerator(domainType);
	const host = accelerator?.hostCpu;
	if (emulator.facts.cpuModels === undefined || host?.features === undefined) return undefined;
	const { vendor, family, model, stepping } = host.properties;
	const features = host.features.filter((name) => !migratable || host.properties[name] === true);
	const signature = { family: Number(family), model: Number(model), stepping: Number(stepping) };
	const cpu = { vendor: String(vendor), ...signature, features: new Set(features) };
	const known = new Set(accelerator?.cpus.map(({ name }) => name));
	const candidates = modelDefinitions(emulator.facts).filter(({ name }) => known.has(name));
	const blockers = new Map(accelerator?.cpus.map((one) => [one.name, one.blockers]));
	const described = describeCpu(cpu, candidates, { of: "guest", blockers: (name) => blockers.get(name) ?? [] });
	return described && !tellsUnavailable(emulator) ? withoutRegisters(described) : described;
}

/**
 * Whether the emulator tells which features a CPU lacks here. libvirt asks the 64-bit emulator's CPU alone, and leaves out
 * what processors tell in registers (IA32_ARCH_CAPABILITIES, IA32_CORE_CAPABILITIES) where it cannot hear of their lack.
 */
const tellsUnavailable = (emulator: EmulatorCapabilities): boolean =>
	emulator.has("max-x86_64-cpu", "unavailable-features");

const TOLD_IN_REGISTERS: ReadonlySet<string> = new Set([
	"rdctl-no",
	"ibrs-all",
	"rsba",
	"skip-l1dfl-vmentry",
	"ssb-no",
	"mds-no",
	"pschange-mc-no",
	"tsx-ctrl",
	"taa-no",
	"split-lock-detect",
]);

function withoutRegisters(cpu: DescribedCpu): DescribedCpu {
	return { ...cpu, features: cpu.features.filter(({ name }) => !TOLD_IN_REGISTERS.has(name)) };
}
