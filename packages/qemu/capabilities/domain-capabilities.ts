// The answer to `virsh domcapabilities`: what guests of one emulator, machine and accelerator may ask for.

import { existsSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { type XmlElement, xmlElement } from "@virtkit/xml/node";
import { writeXml } from "@virtkit/xml/write";
import { matchesMachine } from "../command-line/firmware-select.ts";
import type { FirmwareDescriptor } from "../defaults/firmware-descriptor.ts";
import { preferredMachine } from "../defaults/machine.ts";
import { isMachine, type MachineFamily } from "../machine.ts";
import { ARCHES, archNamed, isNative } from "./arch.ts";
import { isOwnModel } from "./cpu-questions.ts";
import { DEVICES, type DeviceRow, type EnumContext, FEATURES, MEMORY_BACKING, valuesOf } from "./domain-enums.ts";
import type { CpuModel, EmulatorCapabilities, MachineType, SevCapabilities, SgxCapabilities } from "./emulator.ts";
import { hostModel, vendorOfModel } from "./host-model.ts";
import { HYPERV_ENLIGHTENMENTS } from "./hyperv.ts";

/** Whose capabilities are wanted; what is left out is chosen. */
export interface DomainCapabilityRequest {
	readonly arch?: string | undefined;
	readonly machine?: string | undefined;
	readonly virtType?: string | undefined;
}

/** What is known beside the emulator. */
export interface DomainCapabilityHost {
	/** The host's architecture. */
	readonly arch: string;
	readonly vfio: boolean;
	readonly firmware: readonly FirmwareDescriptor[];
	readonly swtpm: readonly string[] | undefined;
	/** The kernel's own limit of virtual CPUs with KVM; undefined where it is not known. */
	readonly kvmMaxVcpus?: number;
}

/** Everything that a document is about. */
interface Subject {
	readonly emulator: EmulatorCapabilities;
	readonly host: DomainCapabilityHost;
	readonly arch: string;
	readonly machine: MachineType;
	readonly virtType: "kvm" | "qemu";
}

const node = xmlElement;
const leaf = (name: string, text: string | number, attributes = {}): XmlElement =>
	node(name, attributes, [String(text)]);
const yesNo = (value: boolean): string => (value ? "yes" : "no");
const enumOf = (name: string, values: readonly string[]): XmlElement =>
	node(
		"enum",
		{ name },
		values.map((value) => leaf("value", value)),
	);

/** The document. INVALID_ARG where the request contradicts the emulator. */
export function formatDomainCapabilities(
	emulator: EmulatorCapabilities,
	request: DomainCapabilityRequest,
	host: DomainCapabilityHost,
): string {
	const subject = settle(emulator, request, host);
	const { arch, machine, virtType } = subject;
	const inFamily = (family: MachineFamily) =>
		isMachine({ devices: {}, os: { type: { arch, machine: machine.name } } }, family);
	const context: EnumContext = {
		emulator,
		isPseries: inFamily("pseries"),
		hasBuiltinIde: inFamily("i440fx") || ["malta", "sun4u", "g3beige"].includes(machine.name),
		vfio: host.vfio,
		swtpm: host.swtpm,
	};
	const document = node("domainCapabilities", {}, [
		leaf("path", emulator.binary),
		leaf("domain", virtType),
		leaf("machine", machine.name),
		leaf("arch", arch),
		node("vcpu", { max: maxVcpus(subject) }),
		node("iothreads", { supported: yesNo(emulator.has("iothread")) }),
		osElement(subject),
		cpuElement(subject),
		deviceElement(MEMORY_BACKING, context),
		node(
			"devices",
			{},
			DEVICES.map((row) => deviceElement(row, context)),
		),
		node("features", {}, featureElements(subject, context, inFamily("armVirt"))),
	]);
	return writeXml(document);
}

/** Which guests of an emulator are meant. Throws INVALID_ARG where it has none such. */
export const settleGuests = (
	emulator: EmulatorCapabilities,
	request: DomainCapabilityRequest,
	arch: string,
): Pick<Subject, "emulator" | "arch" | "machine" | "virtType"> => settle(emulator, request, { arch });

function settle<H extends Pick<DomainCapabilityHost, "arch">>(
	emulator: EmulatorCapabilities,
	request: DomainCapabilityRequest,
	host: H,
): Omit<Subject, "host"> & { readonly host: H } {
	const { facts } = emulator;
	const arch = request.arch ?? host.arch;
	if (!ARCHES.some(({ name }) => name === arch)) throw new VirtError("INVALID_ARG", `unknown architecture: ${arch}`);
	if (kindOf(arch) !== kindOf(facts.arch))
		throw new VirtError(
			"INVALID_ARG",
			`architecture from emulator '${facts.arch}' doesn't match given architecture '${arch}'`,
		);
	const usual = facts.kvm && facts.kvmRefusal === undefined ? "kvm" : "qemu";
	const virtType = request.virtType ?? usual;
	if (virtType !== "kvm" && virtType !== "qemu") throw new VirtError("INVALID_ARG", `unknown virttype: ${virtType}`);
	checkSupport(emulator, virtType);
	const machine = request.machine === undefined ? preferredMachine(emulator) : emulator.machine(request.machine);
	if (machine === undefined)
		throw new VirtError(
			"INVALID_ARG",
			`the machine '${request.machine}' is not supported by emulator '${emulator.binary}'`,
		);
	return { emulator, host, arch, machine, virtType };
}

/** Throws INVALID_ARG, with the reason where one is known, unless guests of this type can be started. */
function checkSupport(emulator: EmulatorCapabilities, virtType: "kvm" | "qemu"): void {
	const reason = virtType === "kvm" ? emulator.facts.kvmRefusal : undefined;
	if (emulator.accelerator(virtType) !== undefined && reason === undefined) return;
	const accelerator = virtType === "kvm" ? "kvm" : "tcg";
	const refusal = `the accel '${accelerator}' is not supported by '${emulator.binary}' on this host`;
	throw new VirtError("INVALID_ARG", reason === undefined ? refusal : `${refusal}: ${reason}`);
}

/** Architectures whose emulators run each other's guests. */
function kindOf(arch: string): string {
	if (arch === "i686" || arch === "x86_64") return "x86";
	return /^(ppc|arm|s390)/.exec(arch === "aarch64" ? "arm" : arch)?.[1] ?? arch;
}

function maxVcpus({ machine, virtType, host }: Subject): number {
	const limit = virtType === "kvm" ? (host.kvmMaxVcpus ?? machine.maxCpus) : machine.maxCpus;
	return Math.min(machine.maxCpus, limit);
}

function osElement({ arch, machine, host }: Subject): XmlElement {
	const target = archNamed(arch)?.qemu ?? arch;
	const suitable = host.firmware.filter(({ targets }) =>
		targets.some(
			({ architecture, machines }) =>
				architecture === target && machines.some((pattern) => matchesMachine(pattern, machine.name)),
		),
	);
	const kinds = { bios: "bios", efi: "uefi" };
	const firmware = Object.entries(kinds).filter(([, kind]) =>
		suitable.some(({ interfaces }) => interfaces.includes(kind)),
	);
	const files = suitable.map(({ mapping }) =>
		mapping.device === "flash" ? mapping.executable.filename : mapping.filename,
	);
	const secure = suitable.some(({ features }) => features.includes("requires-smm"));
	return node("os", { supported: "yes" }, [
		enumOf(
			"firmware",
			firmware.map(([name]) => name),
		),
		node("loader", { supported: "yes" }, [
			...[...new Set(files)].filter((file) => existsSync(file)).map((file) => leaf("value", file)),
			enumOf("type", ["rom", "pflash"]),
			enumOf("readonly", ["yes", "no"]),
			enumOf("secure", secure ? ["yes", "no"] : ["no"]),
		]),
	]);
}

function cpuElement(subject: Subject): XmlElement {
	const { emulator, virtType, host } = subject;
	const models = emulator.accelerator(virtType)?.cpus ?? [];
	const passthrough = virtType === "kvm" && isNative(host.arch, emulator.arch);
	const maximum = models.some(({ name }) => name === "max");
	const canTell = emulator.has(`max-${archNamed(emulator.arch)?.qemu ?? emulator.arch}-cpu`, "migratable");
	return node("cpu", {}, [
		modeElement("host-passthrough", passthrough, "hostPassthroughMigratable", canTell ? ["on", "off"] : ["off"]),
		modeElement("maximum", maximum, "maximumMigratable", ["on", "off"]),
		hostModelElement(subject),
		customElement(subject, models),
	]);
}

function modeElement(name: string, supported: boolean, enumName: string, values: readonly string[]): XmlElement {
	return node("mode", { name, supported: yesNo(supported) }, supported ? [enumOf(enumName, values)] : []);
}

function hostModelElement({ emulator, virtType }: Subject): XmlElement {
	const model = hostModel(emulator, virtType, false);
	if (model === undefined) return node("mode", { name: "host-model", supported: "no" });
	return node("mode", { name: "host-model", supported: "yes" }, [
		leaf("model", model.model, { fallback: "forbid" }),
		...(model.vendor === undefined ? [] : [leaf("vendor", model.vendor)]),
		...model.features.map(({ name, policy }) => node("feature", { policy, name })),
	]);
}

function customElement({ emulator, arch }: Subject, models: readonly CpuModel[]): XmlElement {
	const named = models.filter(({ name }) => isNamable(name, arch));
	const elements = named.map(({ name, usable, deprecated }) =>
		leaf("model", name, {
			usable: usable === undefined ? "unknown" : yesNo(usable),
			deprecated: deprecated ? "yes" : undefined,
			vendor: vendorOfModel(name, emulator.facts.cpuModels?.[name]) ?? "unknown",
		}),
	);
	return node("mode", { name: "custom", supported: yesNo(elements.length > 0) }, elements);
}

/** The models that a document may name: on x86 those that do not depend on the host or a version, elsewhere all but `host`. */
function isNamable(name: string, arch: string): boolean {
	if (kindOf(arch) === "x86") return isOwnModel(name);
	if (kindOf(arch) === "ppc") return /^power\d+$/i.test(name);
	return ["arm", "s390"].includes(kindOf(arch)) && name !== "host";
}

/**
 * Names of the CPU models of `arch` that documents may name; none where any name is taken as it is.
 *
 * INVALID_ARG for an architecture that nobody knows, NO_SUPPORT for one whose models nobody names.
 */
export function cpuModelNames(arch: string, emulator: EmulatorCapabilities | undefined): string[] {
	if (archNamed(arch) === undefined) throw new VirtError("INVALID_ARG", `cannot find architecture ${arch}`);
	if (["arm", "s390"].includes(kindOf(arch))) return [];
	if (kindOf(arch) !== "x86" && kindOf(arch) !== "ppc")
		throw new VirtError("NO_SUPPORT", `'${arch}' architecture is not supported by CPU driver`, { domain: "CPU" });
	const models = (emulator?.facts.tcg ?? emulator?.facts.kvm)?.cpus ?? [];
	return models
		.map(({ name }) => name)
		.filter((name) => isNamable(name, arch))
		.sort();
}

function deviceElement(row: DeviceRow, context: EnumContext): XmlElement {
	if (row.supported && !row.supported(context)) return node(row.name, { supported: "no" });
	const enums = Object.entries(row.enums).flatMap(([name, values]) => {
		const had = valuesOf(values, context);
		return had.length === 0 && row.omitEmpty?.includes(name) ? [] : [enumOf(name, had)];
	});
	return node(row.name, { supported: "yes" }, enums);
}

function featureElements(subject: Subject, context: EnumContext, isArmVirt: boolean): XmlElement[] {
	const { facts } = subject.emulator;
	const hyperv = subject.virtType === "kvm" ? hypervNames(facts.kvm?.hyperv ?? []) : [];
	return [
		gicElement(subject, isArmVirt),
		...Object.entries(FEATURES).map(([name, condition]) => node(name, { supported: yesNo(condition(context)) })),
		sevElement(facts.sev),
		sgxElement(facts.sgx),
		...(hyperv.length === 0 ? [] : [node("hyperv", { supported: "yes" }, [enumOf("features", hyperv)])]),
	];
}

/** Versions of the interrupt controller: KVM lends what the processor has, QEMU itself emulates both. */
function gicElement({ emulator, virtType }: Subject, isArmVirt: boolean): XmlElement {
	const emulated = emulator.hasSchema("query-gic-capabilities") ? ["2", "3"] : [];
	const versions = isArmVirt ? (virtType === "kvm" ? (emulator.facts.gicVersions ?? []) : emulated) : [];
	return node(
		"gic",
		{ supported: yesNo(versions.length > 0) },
		versions.length === 0 ? [] : [enumOf("version", versions)],
	);
}

/** The limits of guests at once are CPUID's, which nobody asks here; so they are left out. */
function sevElement(sev: SevCapabilities | undefined): XmlElement {
	if (sev === undefined) return node("sev", { supported: "no" });
	return node("sev", { supported: "yes" }, [
		leaf("cbitpos", sev.cbitpos),
		leaf("reducedPhysBits", sev.reducedPhysBits),
		sev.cpu0Id === undefined ? undefined : leaf("cpu0Id", sev.cpu0Id),
	]);
}

function sgxElement(sgx: SgxCapabilities | undefined): XmlElement {
	if (sgx === undefined) return node("sgx", { supported: "no" });
	const inKib = (bytes: number): number => Math.floor(bytes / 1024);
	const sections = sgx.sections.map((one) => node("section", { node: one.node, size: inKib(one.size), unit: "KiB" }));
	return node("sgx", { supported: "yes" }, [
		leaf("flc", yesNo(sgx.flc)),
		leaf("sgx1", yesNo(sgx.sgx1)),
		leaf("sgx2", yesNo(sgx.sgx2)),
		leaf("section_size", inKib(sgx.sections.reduce((sum, { size }) => sum + size, 0)), { unit: "KiB" }),
		sections.length === 0 ? undefined : node("sections", {}, sections),
	]);
}

/** Enlightenments that libvirt 9.0 lists; the newer ones come last. */
const HYPERV = HYPERV_ENLIGHTENMENTS.slice(0, HYPERV_ENLIGHTENMENTS.indexOf("emsr_bitmap"));

function hypervNames(qemuNames: readonly string[]): string[] {
	return HYPERV.filter((name) => qemuNames.includes(name.replaceAll("_", "-")));
}
