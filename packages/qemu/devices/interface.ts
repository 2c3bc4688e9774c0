// Network interfaces: what the document leaves out of them, where they sit, and what cannot be had.

import { randomBytes } from "node:crypto";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { type InterfaceDef, isKnownModel, isVirtioModel } from "@virtkit/model/domain/interface";
import { ipFamily } from "@virtkit/model/domain/ip-address";
import { completeVirtualPort } from "@virtkit/model/domain/virtualport";
import { conventionalSlot, expressSlot, virtioSlot } from "../addresses/pci-need.ts";
import { isArm, isMachine, isS390 } from "../machine.ts";
import { checkDeviceRules, type DeviceRule, refuseDevice } from "./device-rule.ts";
import type { DefineContext, DeviceEntry, PciNeed } from "./entry.ts";
import { buildInterface } from "./interface-build.ts";
import { interfaceHotplug } from "./interface-plug.ts";
import { refuseVirtioOptions } from "./virtio.ts";

/** QEMU's prefix of Ethernet addresses. */
const MAC_PREFIX = [0x52, 0x54, 0x00];

/** A random Ethernet address of QEMU's range. */
export function randomMac(): string {
	return [...MAC_PREFIX, ...randomBytes(3)].map((octet) => octet.toString(16).padStart(2, "0")).join(":");
}

const isVirtio = ({ model }: InterfaceDef): boolean => isVirtioModel(model?.type);
/** Whether the interface is a device of the host, which is treated as such. */
export const isHostInterface = ({ type }: InterfaceDef): boolean => type === "hostdev";

/** Machines that have one card of their own, or for which there is but one good choice. */
function machineModel({ def }: DefineContext): string | undefined {
	if (isS390(def)) return "virtio";
	if (isArm(def)) {
		if (isMachine(def, "versatilepb")) return "scm91c111";
		return isMachine(def, "armVirt") ? "virtio" : "lan9118";
	}
	return isMachine(def, "riscvVirt") ? "virtio" : undefined;
}

/** The card a guest gets that names none: the machine's own, else the most common one that this QEMU has. */
export function defaultInterfaceModel(context: DefineContext): string {
	const { caps } = context;
	const emulated = ["rtl8139", "e1000"].find((model) => caps.has(model));
	const virtio = caps.has("virtio-net-pci") || caps.has("virtio-net-ccw") || caps.has("virtio-net-device");
	return machineModel(context) ?? emulated ?? (virtio ? "virtio" : "rtl8139");
}

function completeInterface(net: InterfaceDef, context: DefineContext): void {
	if (net.type === "vdpa" && net.model?.type === undefined) net.model = { type: "virtio" };
	else if (!isHostInterface(net) && net.model?.type === undefined) net.model = { type: defaultInterfaceModel(context) };
	net.mac.address ??= randomMac();
	if (net.virtualport) completeVirtualPort(net.virtualport, net.type !== "network", context.host.uuid);
}

const isPowerOfTwo = (value: number): boolean => (value & (value - 1)) === 0;

/** Types whose host side takes another size of frames. */
const SIZED: ReadonlySet<string> = new Set(["network", "bridge", "ethernet", "vhostuser"]);
/** Types that are a port of a Linux bridge. */
const BRIDGED: ReadonlySet<string> = new Set(["network", "bridge"]);
const TEAMED: ReadonlySet<string> = new Set(["hostdev", "network"]);

/** Rules of any hypervisor. */
const COMMON: readonly DeviceRule<InterfaceDef>[] = [
	{
		broken: ({ hostKind, address }) =>
			hostKind === "usb" && address && address.type !== "usb" && "a USB device needs an address of type 'usb'",
	},
	{
		code: "INTERNAL_ERROR",
		broken: ({ hostKind, address }) =>
			hostKind === "pci" &&
			address &&
			address.type !== "pci" &&
			address.type !== "unassigned" &&
			"a PCI device needs an address of type 'pci' or 'unassigned'",
	},
	{
		broken: ({ type, source }) =>
			type !== "ethernet" &&
			((source?.ip.length ?? 0) > 0 || (source?.route.length ?? 0) > 0) &&
			`addresses and routes of the host's side are only supported on interfaces of type 'ethernet', not '${type}'`,
	},
	{
		broken: ({ type, target }) =>
			target?.managed === false && type !== "ethernet" && `unmanaged target dev is not supported on type '${type}'`,
	},
	{
		broken: ({ teaming }) =>
			teaming?.type === "transient" &&
			teaming.persistent === undefined &&
			"teaming of type 'transient' needs the attribute 'persistent'",
	},
	{
		broken: ({ teaming }) =>
			teaming?.type === "persistent" &&
			teaming.persistent !== undefined &&
			"attribute 'persistent' is not allowed with teaming of type 'persistent'",
	},
	{
		broken: ({ port, type }) =>
			port?.isolated === true &&
			!BRIDGED.has(type) &&
			`<port isolated='yes'/> is not supported for interfaces of type '${type}'`,
	},
	{
		broken: ({ port, virtualport }) =>
			port?.isolated === true &&
			virtualport?.type !== undefined &&
			`<port isolated='yes'/> is not supported with virtualport type '${virtualport.type}'`,
	},
];

const COMMON_LAST: readonly DeviceRule<InterfaceDef>[] = [
	{
		code: "INTERNAL_ERROR",
		broken: ({ type, backend }) =>
			type !== "user" &&
			type !== "vhostuser" &&
			backend?.type === "passt" &&
			"the 'passt' backend needs interface type 'user' or 'vhostuser'",
	},
	{
		code: "INTERNAL_ERROR",
		broken: (net) => net.type === "vhostuser" && !isVirtio(net) && "interface type 'vhostuser' needs model 'virtio'",
	},
	{
		broken: ({ type, source }) =>
			type === "vhostuser" &&
			source?.socketMode === "server" &&
			source.reconnect?.enabled === true &&
			"'reconnect' is not supported for a vhost-user socket of mode 'server'",
	},
];

const countIps = ({ ip }: InterfaceDef, family: "ipv4" | "ipv6"): number =>
	ip.filter(({ address }) => ipFamily(address) === family).length;

/** Prefixes that QEMU's own network allows. */
const MIN_PREFIX = 4;
const MAX_PREFIX = 27;
const IPV6_PREFIX = 64;

/** Rules of QEMU's own network. */
const USER: readonly DeviceRule<InterfaceDef>[] = [
	{ broken: ({ route }) => route.length > 0 && "routes of the guest's side are not supported by QEMU" },
	{ broken: ({ ip }) => ip.some(({ peer }) => peer !== undefined) && "a peer of the guest's address is not supported" },
	{ broken: (net) => countIps(net, "ipv4") > 1 && "only one IPv4 address per interface is allowed" },
	{
		code: "XML_ERROR",
		broken: ({ ip }) =>
			ip.some(
				({ address, prefix = 0 }) =>
					ipFamily(address) === "ipv4" && prefix > 0 && (prefix < MIN_PREFIX || prefix > MAX_PREFIX),
			) && `the prefix of an IPv4 address must be ${MIN_PREFIX} to ${MAX_PREFIX}`,
	},
	{ broken: (net) => countIps(net, "ipv6") > 1 && "only one IPv6 address per interface is allowed" },
	{
		broken: ({ ip }) =>
			ip.some(({ address, prefix }) => ipFamily(address) === "ipv6" && prefix && prefix !== IPV6_PREFIX) &&
			`the prefix of an IPv6 address must be ${IPV6_PREFIX}`,
	},
];

const VDPA: readonly DeviceRule<InterfaceDef>[] = [
	{
		broken: (_, { caps }) =>
			!caps.hasSchema("netdev_add/arg-type/+vhost-vdpa") && "vDPA devices are not supported with this QEMU binary",
	},
	{
		broken: ({ model }) =>
			model?.type !== "virtio" && `interface type 'vdpa' needs model 'virtio', not '${model?.type ?? ""}'`,
	},
];

const OTHERS: readonly DeviceRule<InterfaceDef>[] = [
	{
		broken: ({ ip, route }) =>
			ip.length + route.length > 0 && "addresses and routes of the guest's side are not supported by QEMU",
	},
];

/** Rules of QEMU's for any type. */
const DRIVER: readonly DeviceRule<InterfaceDef>[] = [
	...(["rx_queue_size", "tx_queue_size"] as const).map((name) => ({
		broken: (net: InterfaceDef) =>
			isVirtio(net) && !isPowerOfTwo(net.driver?.[name] ?? 0) && `${name} has to be a power of two`,
	})),
	...(["rss", "rss_hash_report"] as const).map((name) => ({
		broken: (net: InterfaceDef, { caps }: DefineContext) =>
			isVirtio(net) &&
			net.driver?.[name] !== undefined &&
			!caps.has("virtio-net-pci", "rss") &&
			`${name} is not supported with this QEMU binary`,
	})),
	{
		broken: ({ mtu, type, backend }) =>
			mtu?.size !== undefined &&
			!SIZED.has(type) &&
			!(type === "user" && backend?.type === "passt") &&
			`setting the MTU of an interface of type '${type}' is not supported`,
	},
	{
		broken: (net) =>
			net.teaming?.type === "persistent" &&
			!isVirtio(net) &&
			`the persistent interface of a team needs model 'virtio', not '${net.model?.type ?? ""}'`,
	},
	{
		broken: ({ teaming, type }) =>
			teaming?.type === "transient" &&
			!TEAMED.has(type) &&
			`the transient interface of a team needs type 'hostdev', not '${type}'`,
	},
	{
		broken: ({ coalesce, type }) =>
			coalesce?.rx?.frames?.max !== undefined &&
			!BRIDGED.has(type) &&
			`coalesce settings on interface type '${type}' are not supported`,
	},
];

function checkInterface(net: InterfaceDef, context: DefineContext): void {
	checkDeviceRules(COMMON, net, context);
	if (!isVirtio(net)) refuseVirtioOptions(net.driver);
	checkDeviceRules(COMMON_LAST, net, context);
	const ofType = net.type === "user" ? USER : net.type === "vdpa" ? VDPA : OTHERS;
	checkDeviceRules([...ofType, ...DRIVER], net, context);
}

function pciNeed(net: InterfaceDef, context: DefineContext): PciNeed | undefined {
	const { type, model, hostKind, address } = net;
	const name = model?.type;
	if (type === "hostdev") return hostKind === "usb" ? undefined : expressSlot(context);
	if (name === "usb-net") {
		if (!address) refuseDevice(net, "a card of model 'usb-net' needs an address of type 'usb'", "INTERNAL_ERROR");
		return undefined;
	}
	if (isVirtioModel(name)) return virtioSlot(context, name);
	return name === "e1000e" || !isKnownModel(name) ? expressSlot(context) : conventionalSlot();
}

/** The first number from which on no interface is named so. */
export function nextNumber(def: DomainDef, prefix: string): number {
	const { interfaces, hostdevs } = def.devices;
	const taken = [...interfaces, ...hostdevs].flatMap(({ alias = "" }) =>
		alias.startsWith(prefix) && /^\d+$/.test(alias.slice(prefix.length)) ? [Number(alias.slice(prefix.length))] : [],
	);
	return Math.max(-1, ...taken) + 1;
}

/** First register of network cards on pSeries' virtual bus. */
const SPAPR_VLAN_REGISTER = 0x1000;

export const networkInterface: DeviceEntry<InterfaceDef> = {
	kind: "interface",
	list: (def) => def.devices.interfaces,
	alias: (net, _, { def }) => {
		const prefix = isHostInterface(net) ? "hostdev" : "net";
		return `${prefix}${nextNumber(def, prefix)}`;
	},
	complete: completeInterface,
	check: checkInterface,
	pci: pciNeed,
	usb: (net) => isHostInterface(net) && net.hostKind === "usb",
	spaprVio: ({ model }) => ({ register: SPAPR_VLAN_REGISTER, always: model?.type === "spapr-vlan" }),
	virtio: isVirtio,
	build: (net, context) => {
		if (!isHostInterface(net)) buildInterface(net, context);
	},
	hotplug: interfaceHotplug,
};
