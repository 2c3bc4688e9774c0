// Chooses the CPU model that describes a CPU best: the host's own, and the one that `host-model` gives a guest.

import { toLibvirtFeature } from "./cpu-features.ts";
import { CPUID_ORDER } from "./cpuid-order.ts";
import type { CpuModelFeatures, EmulatorCapabilities } from "./emulator.ts";

/** A CPU by model and the features in which it differs; names are libvirt's. */
export interface DescribedCpu {
	readonly model: string;
	/** `Intel`, `AMD`, `Hygon`; undefined for other makers. */
	readonly vendor: string | undefined;
	readonly features: readonly { readonly name: string; readonly policy: "require" | "disable" }[];
}

/** A CPU to be described: what CPUID says of it. Features by QEMU's names. */
export interface Cpu {
	readonly vendor: string;
	readonly family: number;
	readonly model: number;
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

/**
 * The model that is nearest to `cpu`, and how it differs.
 *
 * Of the same maker; of the same family and model number if there is such a one; then with the fewest differences.
 * (libvirt chooses among definitions of its own and weighs a feature to disable more; the CPU described is the same.)
 * `exact` allows none to disable. `blockers` names features that a model needs and this host cannot give.
 */
export function describeCpu(
	cpu: Cpu,
	models: Readonly<Record<string, CpuModelFeatures>>,
	exact: boolean,
	blockers: (model: string) => readonly string[] = () => [],
): DescribedCpu | undefined {
	const candidates = Object.entries(models)
		.filter(([name, model]) => GENERIC.has(name) || model.vendor === cpu.vendor)
		.map(([name, model]) => compare(cpu, name, model, blockers(name)))
		.filter(({ missing }) => !exact || missing.length === 0);
	const sameProduct = candidates.filter((candidate) => candidate.sameProduct);
	const [best] = (sameProduct.length > 0 ? sameProduct : candidates).sort(byDifference);
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
function byCpuid(a: string, b: string): number {
	return placeOf(a) - placeOf(b) || a.localeCompare(b);
}

function placeOf(name: string): number {
	const place = CPUID_ORDER.indexOf(name);
	return place < 0 ? CPUID_ORDER.length : place;
}

/** Fewest differences first; of equals the one with fewest features to disable. */
function byDifference(a: Candidate, b: Candidate): number {
	const difference = a.extra.length + a.missing.length - b.extra.length - b.missing.length;
	return difference === 0 ? a.missing.length - b.missing.length : difference;
}

function compare(cpu: Cpu, name: string, model: CpuModelFeatures, blockers: readonly string[]): Candidate {
	const own = new Set([...model.features, ...blockers]);
	return {
		name,
		sameProduct: !GENERIC.has(name) && model.family === cpu.family && model.model === cpu.model,
		missing: [...own].filter((feature) => !cpu.features.has(feature) && !INCIDENTAL.has(feature)).sort(),
		extra: [...cpu.features].filter((feature) => !own.has(feature) && !INCIDENTAL.has(feature)).sort(),
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
	const models = emulator.facts.cpuModels;
	const host = accelerator?.hostCpu;
	if (models === undefined || host?.features === undefined) return undefined;
	const { vendor, family, model } = host.properties;
	const features = host.features.filter((name) => !migratable || host.properties[name] === true);
	const cpu = { vendor: String(vendor), family: Number(family), model: Number(model), features: new Set(features) };
	const known = new Set(accelerator?.cpus.map(({ name }) => name));
	const candidates = Object.fromEntries(Object.entries(models).filter(([name]) => known.has(name)));
	const blockers = new Map(accelerator?.cpus.map((one) => [one.name, one.blockers]));
	return describeCpu(cpu, candidates, false, (name) => blockers.get(name) ?? []);
}
