// The answer to `virsh capabilities`: the host, and what guests every installed emulator can run.

import { type XmlElement, xmlElement } from "@virtkit/xml/node";
import { writeXml } from "@virtkit/xml/write";
import { preferredMachine } from "../defaults/machine.ts";
import { type Arch, archNamed } from "./arch.ts";
import { featuresOfFlags, toLibvirtFeature } from "./cpu-features.ts";
import type { EmulatorCapabilities } from "./emulator.ts";
import type { CacheBank, HostFacts, NumaCell } from "./host-facts.ts";
import { describeCpu } from "./host-model.ts";
import type { KvmDevice } from "./kvm-device.ts";
import { modelDefinitions } from "./model-definitions.ts";

/** A way to confine guests, with the label that guests of each type start from. */
export interface SecurityModel {
	readonly model: string;
	readonly doi: string;
	readonly baseLabels: Readonly<Record<string, string>>;
}

/** An architecture whose guests can be run, and by which emulator. */
export interface GuestArch {
	readonly arch: string;
	readonly emulator: EmulatorCapabilities;
}

export interface HostDescription {
	readonly facts: HostFacts;
	/** Undefined without KVM. */
	readonly kvm: KvmDevice | undefined;
	readonly security: readonly SecurityModel[];
	/** The emulator of the host's own architecture: it knows the CPU models that the host's CPU is described with. */
	readonly native: EmulatorCapabilities | undefined;
	/** In the order of ARCHES. */
	readonly guests: readonly GuestArch[];
}

/** Transports of a migration's data. */
const MIGRATION_TRANSPORTS: readonly string[] = ["tcp", "rdma"];

const node = xmlElement;
const leaf = (name: string, text: string | number): XmlElement => node(name, {}, [String(text)]);

/** The document, laid out as libvirt does. */
export function formatHostCapabilities(description: HostDescription): string {
	const parts = [hostElement(description), ...description.guests.map(guestElement)];
	return `<capabilities>\n\n${parts.map((part) => writeXml(part, 2)).join("\n")}\n</capabilities>\n`;
}

function hostElement({ facts, kvm, security, native }: HostDescription): XmlElement {
	return node("host", {}, [
		facts.uuid === undefined ? undefined : leaf("uuid", facts.uuid),
		node("cpu", {}, cpuParts(facts, kvm, native)),
		node(
			"power_management",
			{},
			facts.suspendTargets.map((target) => node(target)),
		),
		node("iommu", { support: facts.iommu ? "yes" : "no" }),
		node("migration_features", {}, [
			node("live"),
			node(
				"uri_transports",
				{},
				MIGRATION_TRANSPORTS.map((transport) => leaf("uri_transport", transport)),
			),
		]),
		node("topology", {}, [node("cells", { num: facts.cells.length }, facts.cells.map(cellElement))]),
		facts.caches.length === 0 ? undefined : node("cache", {}, facts.caches.map(bankElement)),
		...security.map(securityElement),
	]);
}

function cpuParts(
	{ arch, processor, topology, pageSizesKib }: HostFacts,
	kvm: KvmDevice | undefined,
	native: EmulatorCapabilities | undefined,
) {
	const { vendor, family, model, stepping, microcode, physicalAddressBits } = processor;
	const described = describeHostCpu(processor, native);
	return [
		leaf("arch", arch),
		...(described ? [leaf("model", described.model)] : []),
		...(described?.vendor ? [leaf("vendor", described.vendor)] : []),
		...(microcode === undefined ? [] : [node("microcode", { version: microcode })]),
		...(vendor === "" ? [] : [node("signature", { family, model, stepping })]),
		...(kvm?.tsc ? [counterElement(kvm.tsc)] : []),
		node("topology", { ...topology }),
		...(physicalAddressBits === undefined ? [] : [node("maxphysaddr", { mode: "emulate", bits: physicalAddressBits })]),
		...(described?.features ?? []).map(({ name }) => node("feature", { name })),
		...pageSizesKib.map((size) => node("pages", { unit: "KiB", size })),
	];
}

function counterElement({ frequency, scaling }: NonNullable<KvmDevice["tsc"]>): XmlElement {
	return node("counter", { name: "tsc", frequency, scaling: scaling ? "yes" : "no" });
}

/** The host's CPU by the model that is wholly in it; undefined where its emulator spells out none. */
export function describeHostCpu(processor: HostFacts["processor"], native: EmulatorCapabilities | undefined) {
	if (native?.facts.cpuModels === undefined) return undefined;
	const models = modelDefinitions(native.facts);
	const known = new Set(models.flatMap(({ features }) => features));
	for (const accelerator of [native?.facts.tcg, native?.facts.kvm]) {
		for (const name of accelerator?.hostCpu?.features ?? []) known.add(name);
		for (const name of Object.keys(accelerator?.hostCpu?.properties ?? {})) known.add(name);
	}
	const features = featuresOfFlags(processor.flags, processor.vendor, known);
	for (const feature of UNSHOWN_FLAGS) features.add(feature);
	const described = describeCpu({ ...processor, features }, models, { of: "host" });
	const own = new Set(models.find(({ name }) => name === described?.model)?.features.map(toLibvirtFeature));
	const shown = described?.features.filter(({ name }) => !UNSHOWN_FLAGS.has(name) && !own.has(name));
	return described && { ...described, features: shown ?? [] };
}

/** Features without a word in /proc/cpuinfo: taken as given, so that no model is ruled out for their sake. */
const UNSHOWN_FLAGS: ReadonlySet<string> = new Set(["svme-addr-chk", "amd-no-ssb"]);

function cellElement({ id, memoryKib, pages, distances, cpus }: NumaCell): XmlElement {
	return node("cell", { id }, [
		leafWith("memory", { unit: "KiB" }, memoryKib),
		...pages.map(({ sizeKib, count }) => leafWith("pages", { unit: "KiB", size: sizeKib }, count)),
		distances.length === 0
			? undefined
			: node(
					"distances",
					{},
					distances.map((one) => node("sibling", { ...one })),
				),
		node(
			"cpus",
			{ num: cpus.length },
			cpus.map(({ id, socket, die, core, siblings }) =>
				node("cpu", { id, socket_id: socket, die_id: die, core_id: core, siblings: formatList(siblings) }),
			),
		),
	]);
}

function leafWith(name: string, attributes: Readonly<Record<string, string | number>>, text: number): XmlElement {
	return node(name, attributes, [String(text)]);
}

function bankElement({ id, level, type, sizeKib, cpus }: CacheBank): XmlElement {
	const [size, unit] = sizeKib % 1024 === 0 ? [sizeKib / 1024, "MiB"] : [sizeKib, "KiB"];
	return node("bank", { id, level, type, size, unit, cpus });
}

function securityElement({ model, doi, baseLabels }: SecurityModel): XmlElement {
	const labels = Object.entries(baseLabels).map(([type, label]) => node("baselabel", { type }, [label]));
	return node("secmodel", {}, [leaf("model", model), leaf("doi", doi), ...labels]);
}

function guestElement({ arch, emulator }: GuestArch): XmlElement {
	const { facts } = emulator;
	const domains = [...(facts.tcg ? ["qemu"] : []), ...(facts.kvm && facts.kvmRefusal === undefined ? ["kvm"] : [])];
	return node("guest", {}, [
		leaf("os_type", "hvm"),
		node("arch", { name: arch }, [
			leaf("wordsize", archNamed(arch)?.wordSize ?? 64),
			leaf("emulator", emulator.binary),
			...machineElements(emulator),
			...domains.map((type) => node("domain", { type })),
		]),
		node("features", {}, guestFeatures(archNamed(arch))),
	]);
}

/** Every machine by its name, followed by its alias; the preferred one first. The one that is no machine is left out. */
function machineElements(emulator: EmulatorCapabilities): XmlElement[] {
	const preferred = preferredMachine(emulator);
	const others = emulator.facts.machines.filter((machine) => machine.name !== "none" && machine !== preferred);
	return [...(preferred ? [preferred] : []), ...others].flatMap(({ name, alias, maxCpus, deprecated }) => {
		const common = { maxCpus, deprecated: deprecated ? "yes" : undefined };
		const byAlias = alias === undefined ? [] : [node("machine", { canonical: name, ...common }, [alias])];
		return [node("machine", common, [name]), ...byAlias];
	});
}

interface GuestFeature {
	readonly name: string;
	readonly attributes?: Readonly<Record<string, string>>;
	/** Architectures that have it; all where absent. */
	readonly arches?: readonly string[];
}

/** What guests of an architecture can do or have, in libvirt's order. */
const GUEST_FEATURES: readonly GuestFeature[] = [
	{ name: "pae", arches: ["i686"] },
	{ name: "nonpae", arches: ["i686"] },
	{ name: "acpi", attributes: { default: "on", toggle: "yes" }, arches: ["i686", "x86_64", "aarch64"] },
	{ name: "apic", attributes: { default: "on", toggle: "no" }, arches: ["i686", "x86_64"] },
	{ name: "cpuselection" },
	{ name: "deviceboot" },
	{ name: "disksnapshot", attributes: { default: "on", toggle: "no" } },
];

function guestFeatures(arch: Arch | undefined): XmlElement[] {
	return GUEST_FEATURES.filter(({ arches }) => arches === undefined || arches.includes(arch?.name ?? "")).map(
		({ name, attributes }) => node(name, attributes),
	);
}

/** 0, 1, 2, 5 as `0-2,5`. */
function formatList(numbers: readonly number[]): string {
	const ranges: [number, number][] = [];
	for (const number of [...numbers].sort((a, b) => a - b)) {
		const last = ranges.at(-1);
		if (last && number === last[1] + 1) last[1] = number;
		else ranges.push([number, number]);
	}
	return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}
