// x86 CPU models as libvirt means them: guests must not change when they move between it and us, and where a model of
// QEMU's has other features than libvirt thinks, libvirt names the difference.

import type { CpuModelFeatures, EmulatorFacts } from "./emulator.ts";

/** Models of one processor line, of which later ones close holes or leave features out. */
const line = (name: string, ...suffixes: readonly string[]): string[] => [
	name,
	...suffixes.map((suffix) => `${name}-${suffix}`),
];

const WESTMERE = line("Westmere", "IBRS");
const SANDY_BRIDGE = line("SandyBridge", "IBRS");
const IVY_BRIDGE = line("IvyBridge", "IBRS");
const HASWELL = line("Haswell", "IBRS", "noTSX", "noTSX-IBRS");
const BROADWELL = line("Broadwell", "IBRS", "noTSX", "noTSX-IBRS");
const SKYLAKE_CLIENT = line("Skylake-Client", "IBRS", "noTSX-IBRS");
const SKYLAKE_SERVER = line("Skylake-Server", "IBRS", "noTSX-IBRS");
const CASCADELAKE = line("Cascadelake-Server", "noTSX");
const ICELAKE = line("Icelake-Server", "noTSX");
const ZEN = [...line("EPYC", "IBPB"), "Dhyana"];
const ZEN2 = ["EPYC-Rome", "EPYC-Milan"];

type Differences = Readonly<Record<string, readonly string[]>>;

/** Features that libvirt counts among a model's own and QEMU does not, or not with every accelerator. */
const ADDED: Differences = {
	vme: [
		...["486", "pentium", "pentium2", "pentium3", "athlon", "coreduo", "core2duo", "n270"],
		...[...IVY_BRIDGE, ...SKYLAKE_CLIENT, ...SKYLAKE_SERVER, ...CASCADELAKE, ...ICELAKE, "Cooperlake", "Snowridge"],
		...[...ZEN, ...ZEN2],
	],
	mpx: [...SKYLAKE_CLIENT, ...SKYLAKE_SERVER, ...CASCADELAKE, ...ICELAKE],
	rdtscp: ["Opteron_G2"],
};

/** Features that QEMU has in a model and libvirt does not. */
const REMOVED: Differences = {
	arat: [...WESTMERE, ...SANDY_BRIDGE, ...IVY_BRIDGE, ...HASWELL, ...BROADWELL],
	xsaveopt: [...SANDY_BRIDGE, ...IVY_BRIDGE, ...HASWELL, ...BROADWELL],
	pclmulqdq: WESTMERE,
	abm: [...HASWELL, ...BROADWELL, "phenom"],
	f16c: [...HASWELL, ...BROADWELL],
	rdrand: [...HASWELL, ...BROADWELL],
	pku: [...SKYLAKE_SERVER, ...CASCADELAKE],
	clflushopt: ["Skylake-Server"],
	mpx: ["Snowridge"],
	monitor: ["Snowridge", "Opteron_G3", ...ZEN, ...ZEN2],
	topoext: [...ZEN, ...ZEN2],
	npt: [...ZEN, "Opteron_G4", "Opteron_G5", "phenom"],
	"nrip-save": [...ZEN, "Opteron_G4", "Opteron_G5"],
	xsaves: ["EPYC-Rome"],
	apic: ["pentium", "pentium2", "pentium3"],
	mca: ["athlon"],
	acpi: ["coreduo", "core2duo", "n270"],
	ss: ["coreduo", "core2duo", "n270"],
	cx16: ["core2duo", "phenom"],
	"lahf-lm": ["core2duo", "n270", "phenom", "qemu64"],
	movbe: ["n270"],
	pdpe1gb: ["phenom"],
	popcnt: ["phenom"],
	rdtscp: ["phenom"],
	sse4a: ["phenom"],
	...Object.fromEntries(
		["arch-capabilities", "ibrs-all", "mds-no", "rdctl-no", "skip-l1dfl-vmentry"].map((name) => [
			name,
			["Cascadelake-Server-noTSX"],
		]),
	),
};

/** Models of QEMU that libvirt does not know. */
const UNKNOWN: ReadonlySet<string> = new Set(["Denverton", "KnightsMill"]);

/** Models that describe a host, and that no guest gets for being like it. */
const HOSTS_ONLY: ReadonlySet<string> = new Set([
	"Cascadelake-Server-noTSX",
	"Icelake-Server-noTSX",
	"Skylake-Client-noTSX-IBRS",
	"Skylake-Server-noTSX-IBRS",
]);

/** Model numbers of the processors that a model stands for, where they are not the one that QEMU shows. */
const NUMBERS: readonly (readonly [models: readonly string[], family: number, numbers: readonly number[]])[] = [
	[["Conroe"], 6, [15, 22]],
	[["Penryn"], 6, [23, 29]],
	[line("Nehalem", "IBRS"), 6, [26, 30, 31, 46]],
	[["Westmere"], 6, [44, 47, 37]],
	[SANDY_BRIDGE, 6, [42, 45]],
	[IVY_BRIDGE, 6, [58, 62]],
	[HASWELL, 6, [60, 63, 69, 70]],
	[BROADWELL, 6, [61, 71, 79, 86]],
	[SKYLAKE_CLIENT, 6, [94, 78, 142, 158]],
	[ICELAKE, 6, [106]],
	[["Opteron_G3"], 15, [6]],
	[["486", "athlon", "phenom", "coreduo", "core2duo", "n270", "pentium", "pentium2", "pentium3"], 0, []],
	[["qemu32", "qemu64", "kvm32", "kvm64"], 0, []],
];

/** Steppings by which processors of the same model number are told apart. */
const STEPPINGS: readonly (readonly [models: readonly string[], first: number, last: number])[] = [
	[SKYLAKE_SERVER, 0, 4],
	[CASCADELAKE, 5, 7],
	[["Cooperlake"], 10, 11],
];

/** Oldest first, as libvirt lists them: newer ones are tried before older ones. */
const ORDER: readonly string[] = [
	...["486", "pentium", "pentium2", "pentium3", "coreduo", "n270", "core2duo", "qemu32", "kvm32", "qemu64", "kvm64"],
	...["Conroe", "Penryn", ...line("Nehalem", "IBRS"), ...WESTMERE, ...SANDY_BRIDGE, ...IVY_BRIDGE],
	...[HASWELL, BROADWELL].flatMap(([plain = "", ibrs = "", noTsx = "", noTsxIbrs = ""]) => [
		noTsx,
		noTsxIbrs,
		plain,
		ibrs,
	]),
	...[...SKYLAKE_CLIENT, ...SKYLAKE_SERVER, ...CASCADELAKE, ...ICELAKE, "Cooperlake", "Snowridge"],
	...["athlon", "phenom", "Opteron_G1", "Opteron_G2", "Opteron_G3", "Opteron_G4", "Opteron_G5"],
	...["EPYC", "EPYC-IBPB", ...ZEN2, "Dhyana"],
];

/** A model as libvirt means it. */
export interface ModelDefinition extends CpuModelFeatures {
	readonly name: string;
	/** False for models that describe hosts alone. */
	readonly forGuests: boolean;
}

/** The models that libvirt knows, newest first; features by QEMU's names, those included that no accelerator here gives. */
export function modelDefinitions({ cpuModels = {}, tcg }: Pick<EmulatorFacts, "cpuModels" | "tcg">): ModelDefinition[] {
	const withheld = new Map(tcg?.cpus.map(({ name, blockers }) => [name, blockers]));
	return Object.entries(cpuModels)
		.filter(([name]) => !UNKNOWN.has(name))
		.map(([name, model]) => ({
			...model,
			name,
			features: adapt(name, [...model.features, ...(withheld.get(name) ?? [])]),
			forGuests: !HOSTS_ONLY.has(name),
		}))
		.sort((a, b) => ORDER.indexOf(b.name) - ORDER.indexOf(a.name));
}

function adapt(name: string, features: readonly string[]): string[] {
	const adapted = new Set(features.filter((feature) => !REMOVED[feature]?.includes(name)));
	for (const [feature, models] of Object.entries(ADDED)) if (models.includes(name)) adapted.add(feature);
	return [...adapted];
}

/** What CPUID says of a processor's make. */
export interface Signature {
	readonly family: number;
	readonly model: number;
	readonly stepping?: number | undefined;
}

/** Whether `model` stands for processors of that signature. */
export function isSameProduct(model: ModelDefinition, { family, model: number, stepping = 0 }: Signature): boolean {
	const listed = NUMBERS.find(([names]) => names.includes(model.name));
	const isNumber = listed ? listed[1] === family && listed[2].includes(number) : isOwnNumber(model, family, number);
	const range = STEPPINGS.find(([names]) => names.includes(model.name));
	return isNumber && (range === undefined || (stepping >= range[1] && stepping <= range[2]));
}

const isOwnNumber = (own: Signature, family: number, model: number): boolean =>
	own.family === family && own.model === model;

/** Features that a model had once and later versions of it lack: they are switched off unless the guest names them. */
export const REMOVED_FEATURES: Readonly<Record<string, readonly string[]>> = {
	Dhyana: ["monitor"],
	EPYC: ["monitor"],
	"EPYC-IBPB": ["monitor"],
	Opteron_G3: ["monitor"],
	"Icelake-Client": ["intel-pt"],
	"Icelake-Client-noTSX": ["intel-pt"],
	"Icelake-Server": ["intel-pt"],
	"Icelake-Server-noTSX": ["intel-pt"],
};
