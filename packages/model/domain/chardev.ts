// The host's side of character devices: a pseudo-terminal, a file, a socket, …; shared by all devices that have one.

import { integer, oneOf, onOff, str, yesNo } from "@virtkit/xml/codec";
import { elementsOf, type XmlElement } from "@virtkit/xml/node";
import { documentError, type ReadContext } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose, list } from "@virtkit/xml/schema";
import { checkDeviceSeclabels, deviceSeclabels } from "./device-seclabel.ts";
import { reconnect } from "./disk-source.ts";

/** Kinds of host sides (virDomainChrType). */
export const CHARDEV_TYPES = [
	"null",
	"vc",
	"pty",
	"dev",
	"file",
	"pipe",
	"stdio",
	"udp",
	"tcp",
	"unix",
	"spicevmc",
	"spiceport",
	"nmdm",
	"qemu-vdagent",
	"dbus",
] as const;
export type ChardevType = (typeof CHARDEV_TYPES)[number];

const inType =
	(...types: readonly ChardevType[]) =>
	(_: Loose, parent: Loose | undefined): boolean =>
		types.includes(parent?.type as ChardevType);

/** Kinds that a file or device on the host stands behind. */
const PATHS = ["file", "pty", "dev", "pipe"] as const;

const source = element({
	mode: attr(oneOf("connect", "bind"), {
		when: inType("unix", "tcp"),
		default: "connect",
		doc: "Whether QEMU connects to the socket or makes it.",
	}),
	path: attr(str, {
		when: inType(...PATHS, "unix"),
		show: (_, options, parent) => !(options.inactive && parent?.type === "pty"),
		doc: "Path of the file, device, pipe or socket; of a pseudo-terminal, only while the guest runs.",
	}),
	append: attr(onOff, { when: inType("file"), doc: "Whether the file is continued rather than begun anew." }),
	host: attr(str, { when: inType("tcp"), doc: "Host name or address." }),
	service: attr(str, { when: inType("tcp"), doc: "Port or its name." }),
	tls: attr(yesNo, {
		when: inType("tcp"),
		show: (self, options) => !(options.migratable && self.tlsFromConfig),
		doc: "Whether the connection is encrypted.",
	}),
	tlsFromConfig: attr(integer({ min: 0, max: 1 }), {
		when: inType("tcp"),
		live: true,
		show: (_, options) => options.status === true,
		doc: "Set where the driver's settings decided about encryption.",
	}),
	channel: attr(str, { when: inType("spiceport", "dbus"), doc: "Name towards the client." }),
	master: attr(str, { when: inType("nmdm"), doc: "Master side of a null-modem pair." }),
	slave: attr(str, { when: inType("nmdm"), doc: "Slave side of a null-modem pair." }),
	seclabels: { ...deviceSeclabels, when: inType(...PATHS, "unix") },
	reconnect: child(reconnect, { when: inType("tcp", "unix"), doc: "How a lost connection is made again." }),
	clipboard: child(element({ copypaste: attr(yesNo, { required: true, doc: "Whether it is shared." }) }), {
		when: inType("qemu-vdagent"),
		doc: "The clipboard.",
	}),
	mouse: child(element({ mode: attr(oneOf("server", "client"), { required: true, doc: "Who draws the pointer." }) }), {
		when: inType("qemu-vdagent"),
		doc: "The mouse.",
	}),
});
/** The host's side of a character device, but for UDP. */
export type ChardevSourceDef = Infer<typeof source>;

const endpoint = element({
	mode: attr(oneOf("connect", "bind"), { default: "connect", doc: "Whether it is where data goes, or comes from." }),
	host: attr(str, { doc: "Host name or address." }),
	service: attr(str, { doc: "Port or its name." }),
});
/** One end of a UDP character device. */
export type ChardevEndpoint = Infer<typeof endpoint>;

const log = element({
	file: attr(str, { doc: "Path of the log." }),
	append: attr(onOff, { doc: "Whether the log is continued rather than begun anew." }),
});

const is =
	(...types: readonly ChardevType[]) =>
	(self: Loose): boolean =>
		types.includes(self.type as ChardevType);

/** Kinds of which there is nothing to say. */
const SOURCELESS: ReadonlySet<unknown> = new Set(["null", "vc", "stdio", "spicevmc"]);

function showsSource(self: Loose): boolean {
	const { path, channel, clipboard, mouse } = (self.source ?? {}) as ChardevSourceDef;
	if (is("unix")(self)) return path !== undefined;
	if (is("spiceport", "dbus")(self)) return channel !== undefined;
	if (is("qemu-vdagent")(self)) return clipboard !== undefined || mouse !== undefined;
	return !SOURCELESS.has(self.type);
}

/** Fields of every element that has a character device, after its `type`. */
export const chardevFields = {
	source: child(source, { when: (self) => !is("udp")(self), show: showsSource, doc: "The host's side." }),
	endpoints: list(endpoint, { name: "source", when: is("udp"), doc: "Where UDP data comes from and goes to." }),
	protocol: child(
		element({
			type: attr(oneOf("raw", "telnet", "telnets", "tls"), {
				default: "raw",
				code: "CONFIG_UNSUPPORTED",
				doc: "What is spoken on the connection.",
			}),
		}),
		{ when: is("tcp"), doc: "Protocol of a TCP connection." },
	),
	log: child(log, {
		show: (self) => (self.log as Loose).file !== undefined,
		doc: "File that all output is written to as well.",
	}),
};

/** An element's type of character device, for those that have one by default. */
export const chardevType = (fallback: ChardevType) =>
	attr(oneOf(...CHARDEV_TYPES), { default: fallback, code: "CONFIG_UNSUPPORTED", doc: "Kind of the host's side." });

/** A character device, seen through what all have in common. */
export type ChardevHolder = Infer<typeof holder>;
const holder = element({ type: chardevType("pty"), ...chardevFields });

/** A device that has a character device only in some of its kinds. */
type MaybeHolder = Partial<Omit<ChardevHolder, "type">> & { type?: ChardevType | undefined };

/** Checks and settles the character device of `value` as read from `found`. Throws XML_ERROR. */
export function settleChardev(value: MaybeHolder, found: XmlElement, { live }: ReadContext): void {
	checkCounts(value, found);
	if (value.type === "tcp") {
		value.source ??= { mode: "connect", seclabels: [] };
		value.protocol ??= { type: "raw" };
	}
	if (value.type === "pty" && !live) delete value.source?.path;
	if (value.type === "udp") settleEndpoints(value);
	if (value.source) checkDeviceSeclabels(value.source.seclabels ?? []);
}

function checkCounts({ type }: MaybeHolder, found: XmlElement): void {
	for (const [name, most] of Object.entries({ source: type === "udp" ? 2 : 1, log: 1, protocol: 1 }))
		if (elementsOf(found).filter((each) => each.name === name).length > most)
			throw documentError(found, `only ${most === 1 ? "one" : "two"} ${name} element is allowed for character device`);
}

/** At most one end of each mode, that which is bound first; ends that say nothing are dropped. */
function settleEndpoints(value: MaybeHolder): void {
	const ends = value.endpoints ?? [];
	value.endpoints = (["bind", "connect"] as const).flatMap((wanted) => {
		const end = ends.find(
			({ mode, host, service }) => mode === wanted && (host !== undefined || service !== undefined),
		);
		return end ? [end] : [];
	});
}

/** The end of a UDP character device that receives (`bind`) or to which it sends (`connect`). */
export function endpointOf({ endpoints }: Pick<ChardevHolder, "endpoints">, mode: "bind" | "connect") {
	return endpoints.find((end) => end.mode === mode);
}
