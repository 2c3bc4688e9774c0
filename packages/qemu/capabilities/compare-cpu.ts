// Whether a host or an emulator can give a CPU, and the best CPU that several can give (virsh cpu-compare, cpu-baseline).

import { VirtError } from "@virtkit/base/errors";
import { xmlElement } from "@virtkit/xml/node";
import { writeXml } from "@virtkit/xml/write";
import { certainFeatures, featuresOf, type GivenCpu, modelOf, type Policy } from "./cpu-document.ts";
import { toLibvirtFeature, toQemuFeature } from "./cpu-features.ts";
import { byCpuid, type DescribedCpu, describeCpu, vendorOfModel } from "./host-model.ts";
import { type ModelDefinition, REMOVED_FEATURES } from "./model-definitions.ts";

/** virCPUCompareResult. */
export const COMPARED = { incompatible: 0, identical: 1, superset: 2 } as const;

/** virConnectCompareCPUFlags and virConnectBaselineCPUFlags. */
export const CPU_FLAG = { failIncompatible: 1, validate: 2, expandFeatures: 1, migratable: 2 } as const;

/** What CPUs are measured by. */
export interface CpuKnowledge {
	/** Newest last. */
	readonly models: readonly ModelDefinition[];
	/** QEMU's names of all features there are. */
	readonly features: ReadonlySet<string>;
}

/** Features that keep a guest from migrating. */
const UNMIGRATABLE: ReadonlySet<string> = new Set(["invtsc"]);

const NONE: ReadonlySet<string> = new Set();

/** Features that QEMU counts among a model's and libvirt does not: every guest has them. */
const GUESTS_OWN: ReadonlySet<string> = new Set(["hypervisor"]);

/** Features of hosts that QEMU must not be told. */
const HIDDEN: ReadonlySet<string> = new Set(["cmt", "mbm_total", "mbm_local"]);

/** Architectures that one CPU may have names of. */
const X86: ReadonlySet<string> = new Set(["x86_64", "i686"]);

const listed = (features: Iterable<string>): string => [...features].sort(byCpuid).map(toLibvirtFeature).join(",");

/** What stands against a CPU, or how it compares. */
type Comparison = { readonly result: number } | { readonly refused: string };

/** How `cpu` compares with what `host` can give (x86Compute). */
function compare(host: DescribedCpu, cpu: GivenCpu, knowledge: CpuKnowledge): Comparison {
	const { models, features: known } = knowledge;
	if (cpu.arch !== undefined && !X86.has(cpu.arch)) return { refused: `CPU arch ${cpu.arch} does not match host arch` };
	const { vendor } = cpu.def;
	if (vendor !== undefined && vendor !== host.vendor)
		return { refused: `host CPU vendor does not match required CPU vendor ${vendor}` };
	const own = featuresOfHost(host, models);
	const policy = (...names: readonly Policy[]): Set<string> => featuresOf(cpu, models, known, ...names);
	const forbidden = [...policy("forbid")].filter((name) => own.has(name));
	if (forbidden.length > 0) return { refused: `Host CPU provides forbidden features: ${listed(forbidden)}` };
	const free = policy("force", "optional", "disable");
	const required = [...policy("require")].filter((name) => !free.has(name));
	const missing = required.filter((name) => !own.has(name));
	if (missing.length > 0) return { refused: `Host CPU does not provide required features: ${listed(missing)}` };
	const asked = new Set([...required, ...free]);
	const extra = [...own].filter((name) => !asked.has(name));
	if (extra.length === 0) return { result: COMPARED.identical };
	if (!cpu.isHost && cpu.def.match === "strict")
		return { refused: `Host CPU does not strictly match guest CPU: Extra features: ${listed(extra)}` };
	return { result: COMPARED.superset };
}

function featuresOfHost({ model, features }: DescribedCpu, models: readonly ModelDefinition[]): Set<string> {
	const own = new Set(models.find(({ name }) => name === model)?.features);
	for (const { name, policy } of features)
		if (policy === "require") own.add(toQemuFeature(name));
		else own.delete(toQemuFeature(name));
	return own;
}

/** The number of how they compare. Throws CPU_INCOMPATIBLE, with the reason, where the caller asks for that. */
export function compareCpus(
	host: DescribedCpu | undefined,
	cpu: GivenCpu,
	knowledge: CpuKnowledge,
	flags: number,
): number {
	const comparison = host ? compare(host, cpu, knowledge) : { refused: "unknown host CPU" };
	if ("result" in comparison) return comparison.result;
	if (flags & CPU_FLAG.failIncompatible) throw new VirtError("CPU_INCOMPATIBLE", comparison.refused, { domain: "CPU" });
	return COMPARED.incompatible;
}

/** What a baseline is computed for: the models and features that there are to choose from. */
export interface BaselineChoice {
	/** Models that may be chosen; all where absent. */
	readonly usable?: ReadonlySet<string>;
	/** Features that can be had; all where absent. */
	readonly available?: ReadonlySet<string>;
	readonly blockers?: (model: string) => readonly string[];
	/** The model is the only one, whatever else is like it. */
	readonly forbidFallback: boolean;
}

/** The best CPU that all of these can give, as XML. Throws OPERATION_FAILED where there is none (virCPUx86Baseline). */
export function baselineOf(
	cpus: readonly GivenCpu[],
	knowledge: CpuKnowledge,
	choice: BaselineChoice,
	flags: number,
): string {
	const { models, features: known } = knowledge;
	const vendor = commonVendor(cpus, models);
	const sets = cpus.map((cpu) => certainFeatures(cpu, models, known));
	const [first = new Set<string>()] = sets;
	const common = new Set(
		[...first].filter(
			(name) => !GUESTS_OWN.has(name) && sets.every((set) => set.has(name)) && (choice.available?.has(name) ?? true),
		),
	);
	if (common.size === 0) throw failed("CPUs are incompatible");
	const names = new Set(cpus.flatMap(({ def }) => def.model?.name ?? []));
	const candidates = models.filter(({ name }) => choice.usable?.has(name) ?? true);
	const cpu = { vendor: vendor.word, family: 0, model: 0, features: common };
	const described = describeCpu(cpu, candidates, {
		of: "guest",
		preferred: names.size === 1 ? [...names][0] : undefined,
		...(choice.blockers ? { blockers: choice.blockers } : {}),
	});
	if (!described)
		throw new VirtError("INTERNAL_ERROR", "Cannot find suitable CPU model for given data", { domain: "CPU" });
	const only = choice.forbidFallback || (names.size === 1 && names.has(described.model));
	const drop = flags & CPU_FLAG.migratable ? UNMIGRATABLE : NONE;
	const removed = (REMOVED_FEATURES[described.model] ?? []).filter(
		(name) => !described.features.some((feature) => feature.name === name),
	);
	const features = [
		...described.features.filter(({ name }) => !HIDDEN.has(name) && !drop.has(name)),
		...removed.map((name) => ({ name, policy: "disable" as const })),
	];
	return formatBaseline(
		{ ...described, features },
		{
			vendor: vendor.shown,
			fallback: only ? "forbid" : "allow",
			model: flags & CPU_FLAG.expandFeatures ? models.find(({ name }) => name === described.model) : undefined,
		},
	);
}

const failed = (message: string): VirtError => new VirtError("OPERATION_FAILED", message, { domain: "CPU" });

/** CPUID's words for makers by libvirt's. */
const VENDOR_WORDS: Readonly<Record<string, string>> = {
	Intel: "GenuineIntel",
	AMD: "AuthenticAMD",
	Hygon: "HygonGenuine",
};

function commonVendor(
	cpus: readonly GivenCpu[],
	models: readonly ModelDefinition[],
): { readonly word: string; readonly shown: string | undefined } {
	let vendor: string | undefined;
	for (const cpu of cpus) {
		const model = modelOf(cpu, models);
		const usual = model && vendorOfModel(model.name, model);
		const given = cpu.def.vendor;
		if (given !== undefined && VENDOR_WORDS[given] === undefined) throw failed(`Unknown CPU vendor ${given}`);
		if (given !== undefined && usual !== undefined && given !== usual)
			throw failed(`CPU vendor ${usual} of model ${model?.name} differs from vendor ${given}`);
		const own = given ?? usual;
		if (vendor !== undefined && own !== undefined && own !== vendor) throw failed("CPU vendors do not match");
		vendor ??= own;
	}
	const shown = cpus.every(({ def }) => def.vendor !== undefined);
	return { word: VENDOR_WORDS[vendor ?? ""] ?? "", shown: shown ? vendor : undefined };
}

interface BaselineForm {
	readonly vendor: string | undefined;
	readonly fallback: "allow" | "forbid";
	/** Its features are spelled out. */
	readonly model: ModelDefinition | undefined;
}

function formatBaseline({ model: name, features }: DescribedCpu, { vendor, fallback, model }: BaselineForm): string {
	const policies = new Map<string, string>();
	const own = (model?.features ?? []).filter((feature) => !GUESTS_OWN.has(feature));
	const removed = model ? (REMOVED_FEATURES[model.name] ?? []) : [];
	for (const feature of [...own.map(toLibvirtFeature), ...removed].sort()) policies.set(feature, "require");
	for (const { name: feature, policy } of features) policies.set(feature, policy);
	const shown = model ? [...policies].sort(([a], [b]) => (a < b ? -1 : 1)) : [...policies];
	return writeXml(
		xmlElement("cpu", { mode: "custom", match: "exact" }, [
			xmlElement("model", { fallback }, [name]),
			...(vendor === undefined ? [] : [xmlElement("vendor", {}, [vendor])]),
			...shown.map(([feature, policy]) => xmlElement("feature", { policy, name: feature })),
		]),
	);
}
