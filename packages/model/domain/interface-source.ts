// What a network interface is connected to on the host: <source>, one set of attributes a type of interface.

import { type Codec, int, integer, oneOf, str, uuid } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose, type Schema } from "@virtkit/xml/schema";
import { reconnect } from "./disk-source.ts";
import { ipFields } from "./ip-address.ts";

/** Types of interfaces (virDomainNetType). */
export const INTERFACE_TYPES = [
	"user",
	"ethernet",
	"vhostuser",
	"server",
	"client",
	"mcast",
	"network",
	"bridge",
	"internal",
	"direct",
	"hostdev",
	"udp",
	"vdpa",
	"null",
	"vds",
] as const;
export type InterfaceType = (typeof INTERFACE_TYPES)[number];

const inType =
	(...types: readonly InterfaceType[]) =>
	(_: Loose, parent: Loose | undefined): boolean =>
		types.includes(parent?.type as InterfaceType);

/** True for one of these types where a live document shows what a network turned out to be. */
const isPasst = (_: Loose, __: unknown, parent: Loose | undefined): boolean =>
	parent?.type !== "user" || (parent.backend as Loose | undefined)?.type === "passt";

const number: Codec<number> = integer({ base: "auto" });
const SOCKETS = ["server", "client", "mcast", "udp"] as const;

const local = element({
	address: attr(str, { required: true, doc: "Address that is bound." }),
	port: attr(int, { required: true, doc: "UDP port that is bound." }),
});

const sourceFields = element({
	type: attr(oneOf("unix"), { when: inType("vhostuser"), code: "CONFIG_UNSUPPORTED", doc: "Kind of socket." }),
	path: attr(str, { when: inType("vhostuser"), doc: "Path of the vhost-user socket." }),
	network: attr(str, { when: inType("network"), doc: "Name of the virtual network." }),
	portgroup: attr(str, { when: inType("network"), doc: "Group of ports of that network." }),
	portid: attr(uuid, { when: inType("network"), live: true, doc: "The network's port of the running guest." }),
	bridge: attr(str, { when: inType("bridge"), doc: "Bridge on the host." }),
	dev: attr(str, {
		when: inType("direct", "vdpa", "user", "vhostuser"),
		show: isPasst,
		doc: "Interface of the host, or vDPA device.",
	}),
	mode: attr(oneOf("vepa", "private", "bridge", "passthrough"), {
		when: inType("direct"),
		doc: "How a macvtap interface switches between its siblings.",
	}),
	socketMode: attr(oneOf("client", "server"), {
		name: "mode",
		when: inType("vhostuser"),
		doc: "Which side QEMU is of a vhost-user socket.",
	}),
	name: attr(str, { when: inType("internal"), doc: "Name of the internal network." }),
	address: attr(str, { when: inType(...SOCKETS), doc: "Address of the socket." }),
	port: attr(int, { when: inType(...SOCKETS), doc: "Port of the socket." }),
	switchid: attr(uuid, { when: inType("vds"), doc: "Distributed switch (VMware)." }),
	vdsPortid: attr(number, { name: "portid", when: inType("vds"), doc: "Port of that switch." }),
	portgroupid: attr(str, { when: inType("vds"), doc: "Group of ports of that switch." }),
	connectionid: attr(number, { when: inType("vds"), doc: "Connection to that switch." }),
	reconnect: child(reconnect, { when: inType("vhostuser"), doc: "How a lost vhost-user connection is made again." }),
	local: child(local, { when: inType("udp"), doc: "Where a UDP tunnel receives." }),
	...ipFields,
});

/** What an interface is connected to. */
export type InterfaceSourceDef = Infer<typeof sourceFields>;

/** Attributes that a source of each type must have. */
const REQUIRED: Partial<Record<InterfaceType, readonly (keyof InterfaceSourceDef)[]>> = {
	network: ["network"],
	bridge: ["bridge"],
	direct: ["dev"],
	vdpa: ["dev"],
	internal: ["name"],
	server: ["port"],
	client: ["address", "port"],
	mcast: ["address", "port"],
	udp: ["address", "port", "local"],
	vds: ["switchid", "vdsPortid", "portgroupid", "connectionid"],
};
const NAMES: Readonly<Record<string, string>> = { socketMode: "mode", vdsPortid: "portid" };

function requireFields(value: InterfaceSourceDef, names: readonly (keyof InterfaceSourceDef)[]): void {
	for (const name of names) {
		if (value[name] !== undefined && value[name] !== "") continue;
		const what = name === "local" ? "element" : "attribute";
		throw documentError(positionOf(value), `Missing required ${what} '${NAMES[name] ?? name}' in element 'source'`);
	}
}

/** Throws where a vhost-user socket that nobody makes here is not named whole. */
export function checkVhostUserSource(value: InterfaceSourceDef): void {
	requireFields(value, ["type", "path", "socketMode"]);
}

/** Whether an interface of that type must have a <source>. */
export function needsSource(type: InterfaceType): boolean {
	return type in REQUIRED;
}

/** The <source> of an interface. */
export const interfaceSource: Schema<InterfaceSourceDef> = {
	...sourceFields,
	onRead: (value, _, { parent }) => {
		const type = parent?.type as InterfaceType;
		requireFields(value, REQUIRED[type] ?? []);
		if (type === "direct") value.mode ??= "vepa";
	},
};
