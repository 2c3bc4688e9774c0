// Whether one definition can take another's place under a running guest: everything the guest sees must be the same.

import { isDeepStrictEqual } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";

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
	["domain CPU", ({ cpu }) => cpu],
	["domain timers", ({ clock }) => clock.timer],
	["domain features", ({ features }) => features],
];

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
	kind("filesystem", ({ filesystems }) => filesystems, [["filesystem guest target", ({ target }) => target]]),
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
	kind("host device", ({ hostdevs }) => hostdevs, [["host device mode", ({ mode }) => mode]]),
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
	]),
	kind("console", ({ consoles }) => consoles, [["console type", ({ target }) => target.type]]),
	kind("hub device", ({ hubs }) => hubs, [["hub device type", ({ type }) => type]]),
	kind("redirected devices", ({ redirdevs }) => redirdevs, [["redirected device bus", ({ bus }) => bus]]),
	kind("watchdog", ({ watchdog }) => one(watchdog), [["watchdog model", ({ model }) => model]]),
	kind("memory balloon", ({ memballoon }) => one(memballoon), [
		["balloon model", ({ model }) => model],
		["balloon autodeflate attribute value", ({ autodeflate }) => autodeflate],
		["balloon freePageReporting attribute value", ({ freePageReporting }) => freePageReporting],
	]),
	kind("RNG device", ({ rngs }) => rngs, [["RNG model", ({ model }) => model]]),
	kind("panic device", ({ panics }) => panics, [["panic model", ({ model }) => model]]),
	kind("shared memory", ({ shmems }) => shmems, [["shared memory", ({ name, model, size }) => [name, model, size]]]),
	kind("TPM device", ({ tpms }) => tpms, [["TPM device model", ({ model }) => model]]),
	kind("memory device", ({ memories }) => memories, [
		["memory device model", ({ model }) => model],
		["memory device target", ({ target }) => target],
	]),
	kind("IOMMU device", ({ iommu }) => one(iommu), [["domain IOMMU device model", ({ model }) => model]]),
	kind("vsock device", ({ vsock }) => one(vsock), [["domain vsock device model", ({ model }) => model]]),
];

/** Where a device sits; every kind may say so. */
const ADDRESS: Trait<{ readonly address?: unknown }> = ["device address", ({ address }) => address];

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
			compare([ADDRESS], device, other);
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
