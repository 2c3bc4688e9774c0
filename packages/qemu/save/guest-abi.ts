// Whether one definition can take another's place under a running guest: everything the guest sees must be the same.

import { isDeepStrictEqual } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { formatNumberSet } from "@virtkit/xml/bitmap";
import { maxVcpus, onlineVcpus } from "../defaults/vcpus.ts";

type Devices = DomainDef["devices"];

/** One thing the guest sees: what it is called, and how it reads in either definition. */
type Trait<T> = readonly [what: string, read: (from: T) => unknown];

const DOMAIN_TRAITS: readonly Trait<DomainDef>[] = [
	["domain virt type", ({ type }) => type],
	["domain uuid", ({ uuid }) => uuid],
	["domain name", ({ name }) => name],
	["domain genid", ({ genid }) => genid],
	["domain vCPU max", ({ vcpu }) => vcpu.count ?? 1],
	["domain max memory", ({ memory }) => memory?.size],
	["maximum memory size", ({ maxMemory }) => maxMemory?.size],
	["domain memory slots", ({ maxMemory }) => maxMemory?.slots],
	["domain OS type", ({ os }) => os.type.type],
	["domain architecture", ({ os }) => os.type.arch],
	["domain machine type", ({ os }) => os.type.machine],
	["domain SMBIOS mode", ({ os }) => os.smbios?.mode],
	["domain sysinfo", ({ sysinfo }) => sysinfo],
	["domain memoryBacking source", ({ memoryBacking }) => memoryBacking?.source?.type],
	["domain NUMA node count", ({ cpu }) => cpu?.numa?.cell.length ?? 0],
	["domain size of NUMA nodes", ({ cpu }) => cpu?.numa?.cell.map(({ memory }) => memory).join(", ")],
	[
		"domain processors of NUMA nodes",
		({ cpu }) => cpu?.numa?.cell.map(({ cpus = [] }) => formatNumberSet(cpus)).join("; "),
	],
	["domain NUMA distances", ({ cpu }) => cpu?.numa?.cell.map(({ distances }) => distances)],
	["domain CPU", ({ cpu }) => cpu],
	["domain state of vCPUs", vcpusOf],
	["domain vCPU enable order", ({ vcpus }) => vcpus.map(({ order }) => order ?? 0).join(", ") || undefined],
	["domain timers", ({ clock }) => clock.timer],
	["domain features", ({ features }) => features],
	["USB redirection filter", ({ devices: { redirfilter } }) => redirfilter],
];

/** Which vCPUs are there, however the definition says it. */
function vcpusOf(def: DomainDef): string {
	const online = onlineVcpus(def);
	return Array.from({ length: maxVcpus(def) }, (_, id) => ((def.vcpus[id]?.enabled ?? id < online) ? "1" : "0")).join(
		"",
	);
}

/** A kind of device: how messages call it, where its devices are, and what the guest sees of each. */
interface Kind<D> {
	readonly what: string;
	readonly list: (devices: Devices) => readonly D[];
	readonly traits: readonly Trait<D>[];
}

/** The elements' types are checked here, where each table row is written; the walk over all of them needs none. */
const kind = <D>(what: string, list: Kind<D>["list"], traits: readonly Trait<D>[]): Kind<never> =>
	({ what, list, traits }) as unknown as Kind<never>;

const one = <D>(device: D | undefined): readonly D[] => (device === undefined ? [] : [device]);

const KINDS: readonly Kind<never>[] = [
	kind("disk", ({ disks }) => disks, [
		["disk device", ({ device }) => device],
		["disk bus", ({ target }) => target.bus],
		["disk", ({ target }) => target.dev],
		["disk serial", ({ serial }) => serial],
		["disk wwn", ({ wwn }) => wwn],
		["disk access mode", ({ readonly }) => readonly],
		["disk model", ({ model }) => model],
		["disk rotation rate", ({ target }) => target.rotation_rate],
		["disk queue count", ({ driver }) => driver.queues],
		["disk queue size", ({ driver }) => driver.queue_size],
	]),
	kind("controller", ({ controllers }) => controllers, [
		["controller type", ({ type }) => type],
		["controller index", ({ index }) => index],
		["controller model", ({ model }) => model],
		["controller ports", ({ ports }) => ports],
		["controller vectors", ({ vectors }) => vectors],
	]),
	kind("filesystem", ({ filesystems }) => filesystems, [
		["filesystem guest target", ({ target }) => target],
		["filesystem access mode", ({ readonly }) => readonly],
		["filesystem model", ({ model }) => model],
	]),
	kind("net card", ({ interfaces }) => interfaces, [
		["network card mac", ({ mac }) => mac.address],
		["network card model", ({ model }) => model?.type],
		["network card MTU", ({ mtu }) => mtu?.size],
	]),
	kind("input device", ({ inputs }) => inputs, [
		["input device type", ({ type }) => type],
		["input device bus", ({ bus }) => bus],
		["input model", ({ model }) => model],
	]),
	kind("sound card", ({ sounds }) => sounds, [["sound card model", ({ model }) => model]]),
	kind("video card", ({ videos }) => videos, [
		["video card model", ({ model }) => model.type],
		["video card ram", ({ model }) => model.ram],
		["video card vram", ({ model }) => model.vram],
		["video card vram64", ({ model }) => model.vram64],
		["video card vgamem", ({ model }) => model.vgamem],
		["video card heads", ({ model }) => model.heads],
		["video card acceleration", ({ model }) => model.acceleration],
	]),
	kind("host device", ({ hostdevs }) => hostdevs, [
		["host device mode", ({ mode }) => mode],
		["host device subsystem", ({ type }) => type],
	]),
	kind("smartcard", ({ smartcards }) => smartcards, []),
	kind("serial port", ({ serials }) => serials, [
		["serial type", ({ target }) => target.type],
		["serial model", ({ target }) => target.model?.name],
		["serial port", ({ target }) => target.port],
	]),
	kind("parallel port", ({ parallels }) => parallels, [["parallel port", ({ target }) => target.port]]),
	kind("channel", ({ channels }) => channels, [
		["channel type", ({ target }) => target.type],
		["channel name", ({ target }) => target.name],
		["channel addr", ({ target }) => target.address],
		["channel to or from spicevmc", ({ type }) => type === "spicevmc"],
	]),
	kind("console", ({ consoles }) => consoles, [["console type", ({ target }) => target.type]]),
	kind("hub device", ({ hubs }) => hubs, [["hub device type", ({ type }) => type]]),
	kind("redirected devices", ({ redirdevs }) => redirdevs, [
		["redirected device bus", ({ bus }) => bus],
		["redirected device source type", ({ type }) => type],
	]),
	kind("watchdog", ({ watchdog }) => one(watchdog), [["watchdog model", ({ model }) => model]]),
	kind("memory balloon", ({ memballoon }) => one(memballoon), [
		["balloon model", ({ model }) => model],
		["balloon autodeflate attribute value", ({ autodeflate }) => autodeflate],
		["balloon freePageReporting attribute value", ({ freePageReporting }) => freePageReporting],
	]),
	kind("RNG device", ({ rngs }) => rngs, [["RNG model", ({ model }) => model]]),
	kind("panic device", ({ panics }) => panics, [["panic model", ({ model }) => model]]),
	kind("shared memory", ({ shmems }) => shmems, [
		["shared memory name", ({ name }) => name],
		["shared memory role", ({ role }) => role],
		["shared memory model", ({ model }) => model.type],
		["shared memory size", ({ size }) => size],
		["shared memory server usage", ({ server }) => server !== undefined],
		["shared memory MSI configuration", ({ msi }) => msi],
	]),
	kind("TPM device", ({ tpms }) => tpms, [
		["TPM device type", ({ backend }) => backend.type],
		["TPM device model", ({ model }) => model],
		["TPM version", ({ backend }) => backend.version],
		["TPM active PCR banks", ({ backend }) => backend.active_pcr_banks],
	]),
	kind("memory device", ({ memories }) => memories, [
		["memory device model", ({ model }) => model],
		["memory device targetNode", ({ target }) => target.node],
		["memory device size", ({ target }) => target.size],
		["memory device block size", ({ target }) => target.block],
		["memory device requested size", ({ target }) => target.requested],
		["NVDIMM label size", ({ target }) => target.label?.size],
		["NVDIMM readonly flag", ({ target }) => target.readonly],
		["NVDIMM alignment", ({ source }) => source?.alignsize],
		["NVDIMM pmem flag", ({ source }) => source?.pmem],
		["NVDIMM UUID", ({ uuid }) => uuid],
		["memory device alias", ({ alias }) => alias],
	]),
	kind("IOMMU device", ({ iommu }) => one(iommu), [
		["domain IOMMU device model", ({ model }) => model],
		["domain IOMMU device intremap value", ({ driver }) => driver?.intremap],
		["domain IOMMU device caching mode", ({ driver }) => driver?.caching_mode],
		["domain IOMMU device eim value", ({ driver }) => driver?.eim],
		["domain IOMMU device iotlb value", ({ driver }) => driver?.iotlb],
		["domain IOMMU device aw_bits value", ({ driver }) => driver?.aw_bits],
	]),
	kind("vsock device", ({ vsock }) => one(vsock), [["domain vsock device model", ({ model }) => model]]),
];

/** What devices of any kind may say. */
interface AnyDevice {
	/** Where it sits. */
	readonly address?: unknown;
	readonly acpi?: { readonly index?: unknown };
	/** virtio's options among others. */
	readonly driver?: Readonly<Record<string, unknown>>;
}

/** What the guest sees of a device of any kind: its place, and virtio's features (virDomainVirtioOptionsCheckABIStability). */
const ANY_DEVICE: readonly Trait<AnyDevice>[] = [
	...["iommu", "ats", "packed", "page_per_vq"].map(
		(option): Trait<AnyDevice> => [`device ${option} option`, ({ driver }) => driver?.[option]],
	),
	["device address", ({ address }) => address],
	["ACPI index", ({ acpi }) => acpi?.index],
];

/**
 * Refuses `target` in place of `source` where the guest would see a difference.
 *
 * Throws CONFIG_UNSUPPORTED that says what differs, in libvirt's words (virDomainDefCheckABIStability).
 */
export function checkGuestAbi(source: DomainDef, target: DomainDef): void {
	compare(DOMAIN_TRAITS, source, target);
	for (const { what, list, traits } of KINDS) {
		const [ours, theirs] = [list(source.devices), list(target.devices)];
		if (ours.length !== theirs.length)
			throw differs(`domain ${what} count ${theirs.length} does not match source ${ours.length}`);
		for (const [index, device] of ours.entries()) {
			const other = theirs[index] as never;
			compare(traits, device, other);
			compare(ANY_DEVICE, device, other);
		}
	}
}

function compare<T>(traits: readonly Trait<T>[], source: T, target: T): void {
	for (const [what, read] of traits) {
		const [ours, theirs] = [plain(read(source)), plain(read(target))];
		if (isDeepStrictEqual(ours, theirs)) continue;
		const shown = typeof (ours ?? theirs) !== "object";
		throw differs(
			shown
				? `${what} ${theirs ?? "(none)"} does not match source ${ours ?? "(none)"}`
				: `${what} does not match source`,
		);
	}
}

/** The value without members that are there but say nothing. */
function plain(value: unknown): unknown {
	if (typeof value !== "object" || value === null) return value;
	if (Array.isArray(value)) return value.map(plain);
	return Object.fromEntries(
		Object.entries(value).flatMap(([name, member]) => (member === undefined ? [] : [[name, plain(member)]])),
	);
}

const differs = (what: string): VirtError =>
	new VirtError("CONFIG_UNSUPPORTED", `Target ${what}`, { domain: "DOMAIN" });
