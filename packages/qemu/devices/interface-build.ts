// Network interfaces on the command line: the host's side (-netdev) and the guest's card (-device).

import { type InterfaceDef, isVirtioModel } from "@virtkit/model/domain/interface";
import { ipFamily } from "@virtkit/model/domain/ip-address";
import type { JsonObject } from "../command-line/command-line.ts";
import { bootIndexOf } from "../defaults/boot-index.ts";
import { isArm } from "../machine.ts";
import { chardevBackend } from "./chardev-backend.ts";
import { type ChardevParts, formatChardev } from "./chardev-build.ts";
import { inheritedDescriptors } from "./descriptors.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { BuildContext } from "./entry.ts";
import { romProps } from "./rom.ts";
import { virtioDriver, virtioProps } from "./virtio.ts";

const isOneOf =
	(...types: readonly InterfaceDef["type"][]) =>
	({ type }: InterfaceDef): boolean =>
		types.includes(type);

/** Types that are a plain tap device of the host. */
const isPlainTap = isOneOf("network", "bridge", "ethernet");
const hasQueues = isOneOf("network", "bridge", "direct", "ethernet", "vhostuser", "vdpa");

/** Rules that only hold once it is known what the interface is connected to. */
const START: readonly DeviceRule<InterfaceDef>[] = [
	{
		broken: ({ vlan, type, source, virtualport, mac }) =>
			vlan !== undefined &&
			!(
				(type === "direct" && source?.mode === "passthrough") ||
				(type === "bridge" && virtualport?.type === "openvswitch")
			) &&
			`interface ${mac.address}: vlan tags are not supported for this type of connection`,
	},
	{
		broken: (net) =>
			(net.driver?.queues ?? 0) > 0 &&
			!hasQueues(net) &&
			`interface ${net.mac.address}: multiqueue is not supported for interfaces of type ${net.type}`,
	},
	{
		broken: ({ filterref, virtualport, mac }) =>
			filterref !== undefined &&
			virtualport?.type !== undefined &&
			`interface ${mac.address}: filterref is not supported with virtualport type ${virtualport.type}`,
	},
	{
		broken: (net) =>
			net.backend?.tap !== undefined &&
			!isPlainTap(net) &&
			`interface ${net.mac.address}: a path of the tap device is not supported for interfaces of type ${net.type}`,
	},
	{
		broken: ({ script, type }) =>
			script?.path !== undefined && type !== "ethernet" && `scripts are not supported on interfaces of type ${type}`,
	},
];

/** Id of the host's side. */
export const netdevId = ({ alias }: InterfaceDef): string => `host${alias}`;

/** What QEMU is told of the descriptor of a vDPA device. */
export const vdpaDescriptor = ({ alias }: InterfaceDef): string => `${alias}-vdpa`;

/** Queues of which each has a descriptor. */
export const queuesOf = ({ driver }: InterfaceDef): number => Math.max(1, driver?.queues ?? 1);

/** `{"fd": "7"}`, or `{"fds": "7:8"}` for several. */
function named(name: string, numbers: readonly (number | string)[]): JsonObject {
	return numbers.length === 0 ? {} : { [numbers.length > 1 ? `${name}s` : name]: numbers.join(":") };
}

type NetdevProps = (net: InterfaceDef, context: BuildContext) => JsonObject;

/** The tap device's queues come first among the descriptors, those of the kernel's vhost after them. */
const tapProps: NetdevProps = (net, context) => {
	const queues = queuesOf(net);
	const numbers = inheritedDescriptors(net, queues, context);
	const vhost = numbers.slice(queues);
	return {
		type: "tap",
		...named("fd", numbers.slice(0, queues)),
		...(vhost.length > 0 ? { vhost: true, ...named("vhostfd", vhost) } : {}),
		sndbuf: net.tune?.sndbuf,
	};
};

const at = ({ source }: InterfaceDef): string => `${source?.address ?? ""}:${source?.port}`;

export const isPasst = ({ type, backend }: InterfaceDef): boolean =>
	(type === "user" || type === "vhostuser") && backend?.type === "passt";

/** What messages call the program that connects an interface. */
export const passtName = ({ alias }: InterfaceDef): string => `passt of ${alias}`;

/** Socket of the passt that the daemon starts for the interface. */
export function passtSocket({ alias }: InterfaceDef, workFolder: string): string {
	return `${workFolder}/${alias}-passt.socket`;
}

const userProps: NetdevProps = (net, { paths }) => {
	if (net.backend?.type === "passt")
		return { type: "stream", addr: { type: "unix", path: passtSocket(net, paths.work) }, server: false };
	const props: Record<string, string | number | undefined> = { type: "user" };
	for (const { address, prefix } of net.ip)
		if (ipFamily(address) === "ipv4") props.net = prefix ? `${address}/${prefix}` : address;
		else {
			props["ipv6-prefix"] = address;
			if (prefix) props["ipv6-prefixlen"] = prefix;
		}
	return props;
};

const severalQueues = ({ driver }: InterfaceDef): number | undefined =>
	driver?.queues !== undefined && driver.queues > 1 ? driver.queues : undefined;

const NETDEVS: Partial<Record<InterfaceDef["type"], NetdevProps>> = {
	network: tapProps,
	bridge: tapProps,
	direct: tapProps,
	ethernet: tapProps,
	client: (net) => ({ type: "socket", connect: at(net) }),
	server: (net) => ({ type: "socket", listen: at(net) }),
	mcast: (net) => ({ type: "socket", mcast: at(net) }),
	udp: (net) => ({
		type: "socket",
		udp: at(net),
		localaddr: `${net.source?.local?.address ?? ""}:${net.source?.local?.port}`,
	}),
	user: userProps,
	internal: () => ({ type: "user" }),
	vhostuser: (net) => ({ type: "vhost-user", chardev: `char${net.alias}`, queues: severalQueues(net) }),
	vdpa: (net, context) => {
		const [number = 0] = inheritedDescriptors(net, 1, context);
		return {
			type: "vhost-vdpa",
			vhostdev: context.command.addFdSet(number, vdpaDescriptor(net)),
			queues: severalQueues(net),
		};
	},
};

/** The host's side, for -netdev and netdev_add. Passes the interface's descriptors. */
export function netdevProps(net: InterfaceDef, context: BuildContext): JsonObject {
	return { ...NETDEVS[net.type]?.(net, context), id: netdevId(net) };
}

/** QEMU's words of how transmission goes on when a buffer is full. */
const TX_MODES = { iothread: "bh", timer: "timer" } as const;

function virtioNetProps(net: InterfaceDef, context: BuildContext): JsonObject {
	const { driver, address, mtu, teaming } = net;
	const queues = severalQueues(net);
	return {
		driver: virtioDriver("virtio-net", net, context, net.model?.type),
		...virtioProps(driver),
		tx: driver?.txmode && TX_MODES[driver.txmode],
		ioeventfd: driver?.ioeventfd,
		event_idx: driver?.event_idx,
		csum: driver?.host?.csum,
		gso: driver?.host?.gso,
		host_tso4: driver?.host?.tso4,
		host_tso6: driver?.host?.tso6,
		host_ecn: driver?.host?.ecn,
		host_ufo: driver?.host?.ufo,
		mrg_rxbuf: driver?.host?.mrg_rxbuf,
		guest_csum: driver?.guest?.csum,
		guest_tso4: driver?.guest?.tso4,
		guest_tso6: driver?.guest?.tso6,
		guest_ecn: driver?.guest?.ecn,
		guest_ufo: driver?.guest?.ufo,
		mq: queues === undefined ? undefined : true,
		// An interrupt for each queue, and two more; channel devices have none.
		vectors: queues === undefined || address?.type === "ccw" ? undefined : 2 * queues + 2,
		rx_queue_size: driver?.rx_queue_size,
		tx_queue_size: driver?.tx_queue_size,
		rss: driver?.rss,
		hash: driver?.rss_hash_report,
		host_mtu: mtu?.size,
		failover: teaming?.type === "persistent" ? true : undefined,
	};
}

/** The guest's card, for -device and device_add. */
export function nicProps(net: InterfaceDef, context: BuildContext): JsonObject {
	const model = isVirtioModel(net.model?.type) ? virtioNetProps(net, context) : { driver: net.model?.type };
	return {
		...model,
		netdev: netdevId(net),
		id: net.alias,
		mac: net.mac.address,
		bootindex: bootIndexOf(net, context),
		...addressProps(net, context.def),
		...romProps(net),
	};
}

/** A card that is part of an ARM board: it can only be named, not plugged in. */
function formatBoardNic({ mac, alias, model }: InterfaceDef): string {
	return `nic,macaddr=${mac.address},netdev=host${alias},model=${model?.type},id=${alias}`;
}

/** Appends the interface's options. */
export function buildInterface(net: InterfaceDef, context: BuildContext): void {
	const { command, def } = context;
	checkDeviceRules(START, net, context);
	if (net.type === "vhostuser") addVhostUserSocket(net, context);
	command.addJson("-netdev", netdevProps(net, context));
	const place = net.address?.type;
	if (isArm(def) && place !== "virtio-mmio" && place !== "pci") command.add("-net", formatBoardNic(net));
	else addDevice(net, nicProps(net, context), context);
}

function addVhostUserSocket(net: InterfaceDef, { command, paths }: BuildContext): void {
	const { alias, source, backend } = net;
	const chardev: ChardevParts = {
		type: "unix",
		endpoints: [],
		source: {
			mode: source?.socketMode === "server" ? "bind" : "connect",
			path: backend?.type === "passt" ? passtSocket(net, paths.work) : source?.path,
			reconnect: source?.reconnect,
			seclabels: [],
		},
	};
	const [id, options] = [`char${alias}`, { waits: true }];
	command.add("-chardev", formatChardev(chardev, id, options), chardevBackend(chardev, id, options));
}
