// Graphical consoles: VNC, SPICE, a window on the host's screen, D-Bus and RDP.

import { int, integer, matching, oneOf, onOff, str, yesNo } from "@virtkit/xml/codec";
import type { FormatOptions } from "@virtkit/xml/format";
import type { XmlElement } from "@virtkit/xml/node";
import { documentError, type ReadContext } from "@virtkit/xml/read";
import {
	attr,
	child,
	element,
	type Infer,
	type Loose,
	list,
	type Schema,
	special,
	variants,
} from "@virtkit/xml/schema";
import { compatibleListen, compatibleSocket, hasPort, listens, settleListens } from "./graphics-listen.ts";

const positive = integer({ min: 1, max: 0xffffffff });
const audio = child(element({ id: attr(positive, { required: true, doc: "Number of the audio backend." }) }), {
	doc: "Audio backend whose sound goes to the client.",
});

const VALID_TO = /^\s*(\d{4})-(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01])T([01]?\d|2[0-3]):([0-5]?\d):([0-5]?\d)$/;

/** A time in UTC such as 2010-11-28T14:29:01. */
const utcTime = matching(VALID_TO, "a time in UTC such as 2010-11-28T14:29:01", (text) => {
	const [year = 0, month = 1, ...rest] = (VALID_TO.exec(text)?.slice(1) ?? []).map(Number);
	const [day = 1, hour = 0, minute = 0, second = 0] = rest;
	return new Date(Date.UTC(year, month - 1, day, hour, minute, second)).toISOString().slice(0, 19);
});

const hasPassword = (self: Loose): boolean => self.passwd !== undefined;
const password = {
	passwd: attr(str, { show: (_, { secure }) => secure === true, doc: "Password of clients." }),
	passwdValidTo: attr(utcTime, { when: hasPassword, code: "INTERNAL_ERROR", doc: "When the password ends, in UTC." }),
	connected: attr(oneOf("fail", "disconnect", "keep"), {
		when: hasPassword,
		code: "CONFIG_UNSUPPORTED",
		doc: "What happens to connected clients when the password changes.",
	}),
};

/** A TCP port as an attribute: which one, or -1 while one is still to be chosen. 0 for none. */
function portAttribute(name: "port" | "websocket", doc: string, text: (self: Loose, inactive: boolean) => string) {
	return special<number>({
		doc,
		required: true,
		read: (holder) => {
			const written = holder.attributes[name];
			const value = written === undefined ? 0 : int.parse(written);
			if (value !== undefined) return value;
			throw documentError(
				holder,
				`cannot parse ${holder.attributes.type} ${name} '${written}'`,
				name === "port" ? "INTERNAL_ERROR" : "XML_ERROR",
			);
		},
		write: (_, __, { inactive }, self) => {
			const value = hasPort(self) ? text(self, inactive === true) : "";
			return value === "" ? "" : { attributes: ` ${name}='${value}'` };
		},
		json: { type: "integer" },
		takes: { attributes: [name] },
	});
}

const vnc = {
	socket: compatibleSocket,
	port: portAttribute("port", "TCP port, 5900 and up.", ({ port, autoport }, inactive) => {
		if (port && (!autoport || !inactive)) return String(port);
		return autoport ? "-1" : "";
	}),
	autoport: attr(
		{ ...yesNo, parse: (text) => yesNo.parse(text) ?? true },
		{ default: true, show: hasPort, doc: "Whether the port is chosen at each start." },
	),
	websocket: portAttribute("websocket", "TCP port for WebSocket clients; -1 lets one be chosen.", (self, inactive) => {
		if (self.websocketGenerated && inactive) return "-1";
		return self.websocket ? String(self.websocket) : "";
	}),
	websocketGenerated: attr(
		{ ...yesNo, parse: (text) => yesNo.parse(text) ?? false },
		{ live: true, show: (_, { status }) => status === true, doc: "Set where the WebSocket port was chosen." },
	),
	listen: compatibleListen,
	keymap: attr(str, { doc: "Keyboard layout of the client." }),
	sharePolicy: attr(oneOf("default", "allow-exclusive", "force-shared", "ignore"), {
		absent: "default",
		doc: "How a client that wants the console for itself is treated.",
	}),
	powerControl: attr(yesNo, { doc: "Whether clients may shut down, reboot and reset the guest." }),
	wait: attr(yesNo, { doc: "Whether the guest waits for a first client (bhyve)." }),
	...password,
	listens: listens("vnc"),
	audio,
} as const;

const CHANNELS = ["main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir"] as const;
const MODES = ["any", "secure", "insecure"] as const;
const tcpPort = (doc: string) => attr(int, { absent: 0, show: hasPort, doc });

const spiceChannel = element({
	name: attr(oneOf(...CHANNELS), { required: true, doc: "Which channel." }),
	mode: attr(oneOf(...MODES), { required: true, doc: "Whether it must be, or must not be, encrypted." }),
});
const enabled = (doc: string) => element({ enable: attr(yesNo, { required: true, doc }) });
const compression = <const W extends string>(...words: readonly W[]) =>
	element({ compression: attr(oneOf(...words), { required: true, doc: "How it is compressed." }) });

const spiceGl = element({
	enable: attr(yesNo, { required: true, doc: "Whether OpenGL is used." }),
	rendernode: attr(str, { doc: "Device node of the host's GPU." }),
});

const spice = {
	port: tcpPort("TCP port."),
	tlsPort: tcpPort("TCP port for encrypted connections."),
	autoport: special<boolean>({
		doc: "Whether the ports are chosen at each start.",
		required: true,
		read: (holder) => {
			const written = holder.attributes.autoport ?? "no";
			const value = yesNo.parse(written);
			if (value === undefined) throw documentError(holder, `Invalid value for attribute 'autoport': '${written}'`);
			return value;
		},
		write: (value, _, { migratable }, self) => {
			const [first] = self.listens as readonly Loose[];
			if (hasPort(self)) return { attributes: ` autoport='${value ? "yes" : "no"}'` };
			if (!migratable) return "";
			if (first?.type === "none") return { attributes: " autoport='no'" };
			return first?.fromConfig ? { attributes: " autoport='yes'" } : "";
		},
		json: { type: "boolean" },
		takes: { attributes: ["autoport"] },
	}),
	listen: compatibleListen,
	keymap: attr(str, { doc: "Keyboard layout of the client." }),
	defaultMode: attr(oneOf(...MODES), { absent: "any", doc: "Whether channels must be, or must not be, encrypted." }),
	...password,
	listens: listens("spice"),
	channel: list(spiceChannel, { doc: "Encryption of one channel." }),
	image: child(compression("auto_glz", "auto_lz", "quic", "glz", "lz", "off"), { doc: "Pictures." }),
	jpeg: child(compression("auto", "never", "always"), { doc: "Lossy compression of pictures over slow networks." }),
	zlib: child(compression("auto", "never", "always"), { doc: "Lossless compression of pictures over slow networks." }),
	playback: child(element({ compression: attr(onOff, { required: true, doc: "Whether it is compressed." }) }), {
		doc: "Sound.",
	}),
	streaming: child(
		element({ mode: attr(oneOf("filter", "all", "off"), { required: true, doc: "What is taken for video." }) }),
		{ doc: "Video." },
	),
	mouse: child(element({ mode: attr(oneOf("server", "client"), { required: true, doc: "Who draws it." }) }), {
		doc: "The pointer.",
	}),
	clipboard: child(element({ copypaste: attr(yesNo, { required: true, doc: "Whether it is shared." }) }), {
		doc: "The clipboard.",
	}),
	filetransfer: child(enabled("Whether files can be dropped into the guest."), { doc: "Files." }),
	gl: child(spiceGl, { doc: "OpenGL." }),
} as const;

/** Written only where true. */
const onlyTrue = (doc: string) => attr(yesNo, { absent: false, doc });
/** The same, but any word that is not `yes` means no. */
const onlyYes = (doc: string) => attr({ ...yesNo, parse: (text: string) => text === "yes" }, { absent: false, doc });

const rdp = {
	port: portAttribute("port", "TCP port.", ({ port, autoport }) => (port ? String(port) : autoport ? "0" : "")),
	autoport: onlyYes("Whether the port is chosen at each start."),
	replaceUser: onlyYes("Whether a new client takes the place of the old one."),
	multiUser: onlyYes("Whether several clients may connect."),
	username: attr(str, { doc: "Name that clients log in with." }),
	passwd: attr(str, { show: (_: Loose, { secure }: FormatOptions) => secure === true, doc: "Password of clients." }),
	listen: compatibleListen,
	listens: listens("rdp"),
} as const;

const byType = variants(
	"type",
	{
		sdl: {
			display: attr(str, { doc: "X display." }),
			xauth: attr(str, { doc: "X authority file." }),
			fullscreen: onlyTrue("Whether the window fills the screen."),
			gl: child(enabled("Whether OpenGL is used."), { doc: "OpenGL." }),
		},
		vnc,
		rdp,
		desktop: {
			display: attr(str, { doc: "X display." }),
			fullscreen: onlyTrue("Whether the window fills the screen."),
		},
		spice,
		"egl-headless": {
			gl: child(element({ rendernode: attr(str, { doc: "Device node of the host's GPU." }) }), { doc: "OpenGL." }),
		},
		dbus: {
			p2p: onlyTrue("Whether clients are connected directly, without a bus."),
			address: attr(str, { doc: "Address of the bus." }),
			gl: child(spiceGl, { doc: "OpenGL." }),
			audio,
			fromConfig: attr(integer({ min: 0, max: 1 }), {
				live: true,
				show: (_, { status }) => status === true,
				doc: "Set where the configuration named the bus.",
			}),
		},
	},
	{ doc: "A graphical console." },
);

/** A graphical console. */
export type GraphicsDef = Infer<typeof byType>;
export type GraphicsType = GraphicsDef["type"];
type Of<T extends GraphicsType> = Extract<GraphicsDef, { type: T }>;
export type VncDef = Of<"vnc">;
export type SpiceDef = Of<"spice">;
export type RdpDef = Of<"rdp">;

/** The <graphics> element. */
export const graphics: Schema<GraphicsDef> = { ...byType, onRead: settle };

function settle(value: GraphicsDef, found: XmlElement, context: ReadContext): void {
	if (value.type === "vnc" || value.type === "spice" || value.type === "rdp")
		settleListens(value.listens, value.type, found, context);
	if (value.type === "vnc") settleVnc(value, found, context);
	else if (value.type === "spice") settleSpice(value, context);
	else if (value.type === "rdp") settleRdp(value, found, context);
	else if (value.type === "dbus" && value.address !== undefined && context.live) value.fromConfig ??= 1;
}

function settleVnc(value: VncDef, found: XmlElement, { live }: ReadContext): void {
	const { port, autoport } = found.attributes;
	const chosen = yesNo.parse(autoport ?? "");
	value.autoport = chosen ?? (port === undefined || value.port === -1);
	if (!live && (value.port === -1 || chosen === true)) value.port = 0;
	if (value.connected !== undefined && value.connected !== "keep")
		throw documentError(found, "VNC supports connected='keep' only", "CONFIG_UNSUPPORTED");
}

function settleSpice(value: SpiceDef, { live }: ReadContext): void {
	if (value.port === -1 && value.tlsPort === -1) value.autoport = true;
	if (value.autoport && !live) {
		delete value.port;
		delete value.tlsPort;
	}
	const modes = new Map(value.channel.map(({ name, mode }) => [name, mode]));
	value.channel = CHANNELS.flatMap((name) => {
		const mode = modes.get(name) ?? "any";
		return mode === "any" ? [] : [{ name, mode }];
	});
}

function settleRdp(value: RdpDef, found: XmlElement, { live }: ReadContext): void {
	if (value.port === -1 || found.attributes.port === undefined) value.autoport = true;
	if (value.autoport && !live) value.port = 0;
}
