// Network interfaces: the guest's network cards and what each is connected to.

import {
	type Codec,
	integer,
	mac as macAddress,
	matching,
	oneOf,
	onOff,
	str,
	uint,
	ulong,
	yesNo,
} from "@virtkit/xml/codec";
import { childNamed, type XmlElement } from "@virtkit/xml/node";
import { documentError, positionOf, type ReadContext } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose, leaf, list, type Schema, special } from "@virtkit/xml/schema";
import { bandwidth } from "./bandwidth.ts";
import { romDeviceInfo, virtioOptions } from "./device-common.ts";
import { filterref } from "./filterref.ts";
import { hostPciDriver, teaming, typedPciSource, typedUsbSource } from "./host-device.ts";
import { checkVhostUserSource, INTERFACE_TYPES, interfaceSource, needsSource } from "./interface-source.ts";
import { ipAddress, ipFields } from "./ip-address.ts";
import { type VirtualPortDef, virtualport } from "./virtualport.ts";
import { vlan } from "./vlan.ts";

/** Names of generated host interfaces: they are made anew at each start, and no part of the configuration. */
const GENERATED_NAME = /^(?:vnet|macvtap|macvlan)/;

/** Models that libvirt knows by its own spelling, whatever case a document uses. */
const MODELS = [
	"netfront",
	"rtl8139",
	"virtio",
	"e1000",
	"e1000e",
	"virtio-transitional",
	"virtio-non-transitional",
	"usb-net",
	"spapr-vlan",
	"lan9118",
	"scm91c111",
	"vlance",
	"vmxnet",
	"vmxnet2",
	"vmxnet3",
	"Am79C970A",
	"Am79C973",
	"82540EM",
	"82545EM",
	"82543GC",
];

const modelName: Codec<string> = matching(
	/^[A-Za-z0-9_-]*$/,
	"letters, digits, - and _",
	(text) => MODELS.find((known) => known.toLowerCase() === text.toLowerCase()) ?? text,
);

/** Whether libvirt knows the model: it is then no PCI Express device unless said so. */
export function isKnownModel(model: string | undefined): boolean {
	return model !== undefined && MODELS.includes(model);
}

/** True for models that are virtio devices. */
export function isVirtioModel(model: string | undefined): boolean {
	return model === "virtio" || model === "virtio-transitional" || model === "virtio-non-transitional";
}

const isMulticast = (address: string): boolean => (Number.parseInt(address.slice(0, 2), 16) & 1) === 1;

const mac = element(
	{
		address: attr(macAddress, { doc: "Ethernet address, made at random where absent." }),
		type: attr(oneOf("generated", "static"), { doc: "Where the address comes from (VMware)." }),
		check: attr(yesNo, { doc: "Whether the address is checked (VMware)." }),
		currentAddress: attr(macAddress, { live: true, doc: "Address that the guest has given the card itself." }),
	},
	{
		onRead: ({ address }, found) => {
			if (address !== undefined && isMulticast(address))
				throw documentError(found, `expected unicast mac address, found multicast '${address}'`);
		},
	},
);

const offload = (doc: string) => attr(onOff, { doc });

const hostOffloads = element({
	csum: offload("Checksums of frames from the guest."),
	gso: offload("Segmentation of frames from the guest."),
	tso4: offload("TCP segmentation over IPv4."),
	tso6: offload("TCP segmentation over IPv6."),
	ecn: offload("Congestion notification with segmentation."),
	ufo: offload("UDP fragmentation."),
	mrg_rxbuf: offload("Frames that span several receive buffers."),
});
const guestOffloads = element({
	csum: offload("Checksums of frames to the guest."),
	tso4: offload("TCP segmentation over IPv4."),
	tso6: offload("TCP segmentation over IPv6."),
	ecn: offload("Congestion notification with segmentation."),
	ufo: offload("UDP fragmentation."),
});

const isVirtio = (self: Loose): boolean => isVirtioModel((self.model as Loose | undefined)?.type as string | undefined);
/** Of the driver, other cards than virtio ones have nothing but the options of all virtio devices, which are refused later. */
const ofVirtio = (_: Loose, parent: Loose | undefined): boolean => parent !== undefined && isVirtio(parent);

const driver = element({
	name: attr(oneOf("qemu", "vhost"), { when: ofVirtio, doc: "Who serves the queues: QEMU, or the kernel's vhost." }),
	txmode: attr(oneOf("iothread", "timer"), {
		when: ofVirtio,
		doc: "How transmission is handled when a buffer is full.",
	}),
	ioeventfd: attr(onOff, {
		when: ofVirtio,
		doc: "Whether the guest's notifications are handled outside its virtual CPU.",
	}),
	event_idx: attr(onOff, {
		when: ofVirtio,
		doc: "Whether interrupts and notifications are held back where possible.",
	}),
	queues: attr(uint, { when: ofVirtio, absent: 0, doc: "Pairs of queues." }),
	rx_queue_size: attr(uint, { when: ofVirtio, absent: 0, doc: "Entries of each receive queue, a power of two." }),
	tx_queue_size: attr(uint, { when: ofVirtio, absent: 0, doc: "Entries of each transmit queue, a power of two." }),
	rss: attr(onOff, { when: ofVirtio, doc: "Receive side scaling." }),
	rss_hash_report: attr(onOff, { when: ofVirtio, doc: "Whether the hash is reported to the guest." }),
	...virtioOptions,
	host: child(hostOffloads, { when: ofVirtio, doc: "Work that the host does for the guest." }),
	guest: child(guestOffloads, { when: ofVirtio, doc: "Work that the guest does for itself." }),
});
export type InterfaceDriverDef = Infer<typeof driver>;

const port = integer({ min: 1, max: 0xffffffff });
const range = element({
	start: attr(port, { doc: "First port." }),
	end: attr(port, { show: (self) => self.start !== undefined, doc: "Last port." }),
	to: attr(port, { show: (self) => self.start !== undefined, doc: "First port in the guest." }),
	exclude: attr(yesNo, { doc: "Whether the ports are left out instead." }),
});
const portForward = element({
	proto: attr(oneOf("tcp", "udp"), { required: true, doc: "Protocol." }),
	address: attr(ipAddress, { doc: "Address of the host." }),
	dev: attr(str, { absent: "", doc: "Interface of the host." }),
	range: list(range, { doc: "Ports." }),
});

const target = element({
	dev: attr(str, {
		show: (self, options) => !(self.managed !== false && options.inactive && GENERATED_NAME.test(String(self.dev))),
		doc: "Name of the interface on the host.",
	}),
	managed: attr(yesNo, { doc: "Whether the host's interface is made, or there already." }),
});

const backend = element({
	type: attr(oneOf("passt", "default"), {
		absent: "default",
		doc: "Program that connects a user interface, in place of QEMU itself.",
	}),
	tap: attr(str, { absent: "", doc: "Path of the tap device in place of /dev/net/tun." }),
	vhost: attr(str, { absent: "", doc: "Path of the vhost device in place of /dev/vhost-net." }),
	logFile: attr(str, { absent: "", doc: "Log of the backend program." }),
	hostname: attr(str, { absent: "", doc: "Name that the guest is told (DHCP option 12)." }),
	fqdn: attr(str, { absent: "", doc: "Full name that the guest is told (DHCP option 81)." }),
});

const frames = element({
	max: attr(uint, { code: "XML_DETAIL", show: (self) => Boolean(self.max), doc: "Frames before an interrupt." }),
});
const coalesceRx = element({ frames: child(frames, { doc: "How many frames are gathered." }) });

const path = (doc: string) => element({ path: attr(str, { absent: "", doc }) });
const isHostdev = (self: Loose): boolean => self.type === "hostdev";
const isHostKind =
	(kind: string) =>
	(self: Loose): boolean =>
		self.hostKind === kind;

/** Which kind of host device a hostdev interface is; its source says so. */
function readHostKind(holder: XmlElement): "pci" | "usb" | undefined {
	if (holder.attributes.type !== "hostdev") return undefined;
	const source = childNamed(holder, "source");
	const given = source && childNamed(source, "address")?.attributes.type;
	const kind = given ?? (source && childNamed(source, "vendor") ? "usb" : undefined);
	if (kind === undefined) throw documentError(holder, "missing source address type");
	if (kind === "pci" || kind === "usb") return kind;
	throw documentError(holder, `unknown host device source address type '${kind}'`, "CONFIG_UNSUPPORTED");
}

/** Types whose switch knows of virtual ports. */
const VIRTUAL_PORTS: ReadonlySet<string> = new Set(["network", "bridge", "direct", "hostdev"]);
/** A virtual port, which only some switches know. */
const interfacePort: Schema<VirtualPortDef> = {
	...virtualport,
	onRead: (value, found, context) => {
		virtualport.onRead?.(value, found, context);
		const type = String(context.parent?.type);
		if (!VIRTUAL_PORTS.has(type))
			throw documentError(
				found,
				`<virtualport> element unsupported for <interface type='${type}'>`,
				"CONFIG_UNSUPPORTED",
			);
	},
};

const interfaceFields = element({
	type: attr(oneOf(...INTERFACE_TYPES), { default: "user", doc: "What the interface is connected to." }),
	managed: attr(
		{ ...yesNo, parse: (text) => text === "yes" },
		{ when: isHostdev, absent: false, doc: "Whether the host's device is taken from its driver and given back." },
	),
	trustGuestRxFilters: attr(yesNo, { doc: "Whether the host follows the guest's changes of address and filters." }),
	mac: child(mac, { required: true, implied: true, doc: "Ethernet address." }),
	hostKind: special<"pci" | "usb">({
		doc: "Kind of host device.",
		read: readHostKind,
		write: () => "",
		json: { enum: ["pci", "usb"] },
		takes: {},
	}),
	hostDriver: child(hostPciDriver, { name: "driver", when: isHostKind("pci"), doc: "Driver on the host." }),
	pci: child(typedPciSource, { name: "source", when: isHostKind("pci"), doc: "PCI device of the host." }),
	usb: child(typedUsbSource, { name: "source", when: isHostKind("usb"), doc: "USB device of the host." }),
	source: child(interfaceSource, { when: (self) => !isHostdev(self), doc: "What it is connected to on the host." }),
	vlan: child(vlan, { doc: "VLAN tags." }),
	virtualport: child(interfacePort, { doc: "How the switch knows it." }),
	bandwidth: child(bandwidth, {
		keepEmpty: true,
		show: ({ bandwidth: b }) => (b as Loose).inbound !== undefined || (b as Loose).outbound !== undefined,
		doc: "Limits of throughput.",
	}),
	port: child(element({ isolated: attr(yesNo, { doc: "Whether isolated ports cannot reach each other." }) }), {
		doc: "Options of the bridge's port.",
	}),
	...ipFields,
	portForward: list(portForward, { doc: "Ports of the host that lead into the guest." }),
	script: child(path("Path of the script."), { doc: "Script that connects the host's interface." }),
	downscript: child(path("Path of the script."), { doc: "Script that disconnects it." }),
	backenddomain: child(element({ name: attr(str, { absent: "", doc: "Name of the domain." }) }), {
		doc: "Xen domain that serves the interface.",
	}),
	target: child(target, { doc: "The interface on the host." }),
	guest: child(
		element({
			dev: attr(str, { absent: "", doc: "Name in a container." }),
			actual: attr(str, { absent: "", doc: "Name that it got." }),
		}),
		{ doc: "The interface in the guest." },
	),
	model: child(element({ type: attr(modelName, { absent: "", code: "INVALID_ARG", doc: "Name of the model." }) }), {
		doc: "Network card that the guest sees.",
	}),
	driver: child(driver, { when: (self) => !isHostdev(self), show: isVirtio, doc: "How a virtio card is served." }),
	backend: child(backend, { doc: "What serves the host's side." }),
	filterref: child(filterref, { doc: "Network filter." }),
	tune: child(element({ sndbuf: leaf(ulong, { doc: "Bytes of the tap device's send buffer." }) }), {
		doc: "Tuning of the tap device.",
	}),
	teaming: child(teaming, { doc: "Interface that the guest joins it with." }),
	link: child(
		element({
			state: attr(oneOf("up", "down"), { code: "CONFIG_UNSUPPORTED", doc: "Whether the cable is plugged in." }),
		}),
		{ doc: "State of the link." },
	),
	mtu: child(element({ size: attr(uint, { absent: 0, doc: "Bytes of the largest frame." }) }), { doc: "Frame size." }),
	coalesce: child(element({ rx: child(coalesceRx, { doc: "Received frames." }) }), {
		doc: "How interrupts are gathered.",
	}),
	...romDeviceInfo,
});

/** A network interface. */
export type InterfaceDef = Infer<typeof interfaceFields>;
/** The <interface> element. */
export const networkInterface: Schema<InterfaceDef> = { ...interfaceFields, onRead: settle };

const FILTERED: ReadonlySet<string> = new Set(["network", "bridge", "ethernet"]);

function settle(value: InterfaceDef, _: XmlElement, { live }: ReadContext): void {
	const { type, source } = value;
	const fail = (message: string, code?: Parameters<typeof documentError>[2]): never => {
		throw documentError(positionOf(value), message, code);
	};
	const isPasst = value.backend?.type === "passt";
	if (type === "vhostuser" && source && !isPasst) checkVhostUserSource(source);
	if (!source && (needsSource(type) || (type === "vhostuser" && !isPasst)))
		fail(`interface type='${type}' requires a 'source' element`);
	if (type === "hostdev" && !value.pci && !value.usb) fail("Missing <source> element in hostdev device");
	if (value.bandwidth?.inbound?.floor && type !== "network")
		fail("floor attribute is not supported for this config", "CONFIG_UNSUPPORTED");
	if (!FILTERED.has(type) || value.filterref?.filter === undefined) delete value.filterref;
	if (!live && value.target && value.target.managed !== false && GENERATED_NAME.test(value.target.dev ?? ""))
		delete value.target.dev;
	settleDriver(value);
}

function settleDriver(value: InterfaceDef): void {
	const { driver: given } = value;
	const virtio = isVirtio(value);
	if (given?.queues === 1) delete given.queues;
	if (value.backend?.vhost !== undefined && (!virtio || value.type === "hostdev")) delete value.backend.vhost;
	for (const name of ["tap", "vhost"] as const) {
		const path = value.backend?.[name];
		if (value.backend && path !== undefined) value.backend[name] = path.replace(/\/{2,}/g, "/").replace(/(.)\/$/, "$1");
	}
}
