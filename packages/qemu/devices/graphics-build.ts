// Graphical consoles on the command line: -vnc, -spice and -display.

import { VirtError } from "@virtkit/base/errors";
import type { GraphicsDef, GraphicsType, SpiceDef, VncDef } from "@virtkit/model/domain/graphics";
import type { ListenDef } from "@virtkit/model/domain/graphics-listen";
import { escapeCommas } from "../command-line/command-line.ts";
import { audioId } from "./audio.ts";
import { refuseDevice } from "./device-rule.ts";
import type { BuildContext } from "./entry.ts";
import { addTlsCredentials } from "./tls.ts";

/** The ports that stand for those that a start would choose. */
const DRY_RUN_PORT = { vnc: 5900, spice: 5901, spiceTls: 5902 } as const;
/** Folder of SPICE's certificates where the settings name none. */
const SPICE_CERTIFICATES = "/etc/pki/libvirt-spice";
/** Id of the certificates of VNC. */
const VNC_TLS = "vnc-tls-creds0";
const CHANNEL_ORDER = ["main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir"] as const;

function firstListen({ listens: [first] }: { readonly listens: readonly ListenDef[] }): ListenDef {
	if (!first) throw new VirtError("INTERNAL_ERROR", "missing listen element");
	return first;
}

/** The value of -vnc. */
function formatVnc(device: VncDef, context: BuildContext): string {
	const { def, dryRun, settings, command } = context;
	const listen = firstListen(device);
	const port = dryRun && device.autoport ? DRY_RUN_PORT.vnc : device.port;
	const options: string[] = [];
	if (listen.type === "socket") options.push(`vnc=unix:${escapeCommas(listen.socket ?? "")}`);
	else if (listen.type === "none") options.push("none");
	else {
		if (!device.autoport && (port < 5900 || port > 65535))
			refuseDevice(device, `vnc port must be in range [5900,65535], not ${port}`);
		const address = listen.address ?? "";
		options.push(`${address.includes(":") ? `[${address}]` : address}:${port - 5900}`);
		const websocket = device.websocket === -1 && dryRun ? 5700 : device.websocket;
		if (websocket) options.push(`websocket=${websocket}`);
	}
	if (device.sharePolicy !== undefined) options.push(`share=${device.sharePolicy}`);
	if ((device.passwd ?? settings.vncPassword) !== undefined) options.push("password=on");
	if (settings.vncTls) {
		const { vncTlsX509CertDir: dir, vncTlsX509Verify: verify } = settings;
		addTlsCredentials({ id: VNC_TLS, endpoint: "server", dir, verify }, context);
		options.push(`tls-creds=${VNC_TLS}`);
	}
	if (settings.vncSasl) {
		options.push("sasl=on");
		if (settings.vncSaslDir !== undefined) command.environment.SASL_CONF_PATH = settings.vncSaslDir;
	}
	if (device.powerControl !== undefined) options.push(`power-control=${device.powerControl ? "on" : "off"}`);
	options.push(`audiodev=${audioId(def, device.audio?.id)}`);
	return options.join(",");
}

interface SpicePlace {
	readonly options: string[];
	readonly secure: boolean;
	readonly plain: boolean;
}

/** Which ports a console whose ports are chosen needs: by how its channels must be encrypted. */
export function wantedPorts(device: SpiceDef, tls: boolean): { readonly plain: boolean; readonly secure: boolean } {
	if (!device.autoport) return { plain: false, secure: false };
	const modes = [device.defaultMode ?? "any", ...device.channel.map(({ mode }) => mode)];
	const [base] = modes;
	return {
		plain: modes.includes("insecure") || base === "any",
		secure: modes.includes("secure") || (base === "any" && tls),
	};
}

function spicePlace(device: SpiceDef, { dryRun, settings }: BuildContext): SpicePlace {
	const listen = firstListen(device);
	if (listen.type === "socket")
		return { options: ["unix", `addr=${escapeCommas(listen.socket ?? "")}`], secure: false, plain: true };
	if (listen.type === "none") return { options: ["port=0"], secure: false, plain: true };
	const chosen = device.port ?? 0;
	const wanted = wantedPorts(device, settings.spiceTls === true);
	const port = dryRun && (wanted.plain || chosen === -1) ? DRY_RUN_PORT.spice : chosen;
	const tlsChosen = device.tlsPort ?? 0;
	const tlsPort = dryRun && (wanted.secure || tlsChosen === -1) ? DRY_RUN_PORT.spiceTls : tlsChosen;
	const options: string[] = [];
	if (port > 0) options.push(`port=${port}`);
	if (tlsPort > 0) options.push(`tls-port=${tlsPort}`);
	if ((port > 0 || tlsPort > 0) && listen.address !== undefined) options.push(`addr=${listen.address}`);
	return { options, secure: tlsPort > 0, plain: port > 0 };
}

/** Options of channels that must be, or must not be, encrypted. */
function channelOptions(device: SpiceDef, { secure, plain }: SpicePlace): string[] {
	const option = (mode: string | undefined, channel: string): string[] => {
		if (mode === "secure" && !secure)
			refuseDevice(device, `spice ${channel} must be encrypted, but TLS connection is not available`);
		if (mode === "insecure" && !plain)
			refuseDevice(device, `spice ${channel} must not be encrypted, but plaintext connection is not available`);
		if (mode === "secure") return [`tls-channel=${channel}`];
		return mode === "insecure" ? [`plaintext-channel=${channel}`] : [];
	};
	const modes = new Map(device.channel.map(({ name, mode }) => [name, mode]));
	return [option(device.defaultMode, "default"), ...CHANNEL_ORDER.map((name) => option(modes.get(name), name))].flat();
}

/** The value of -spice. */
function formatSpice(device: SpiceDef, context: BuildContext): string {
	const { settings, command } = context;
	const place = spicePlace(device, context);
	const options = [...place.options];
	if (settings.spiceSasl) {
		options.push("sasl=on");
		if (settings.spiceSaslDir !== undefined) command.environment.SASL_CONF_PATH = settings.spiceSaslDir;
	}
	const add = (name: string, value: string | undefined): void => {
		if (value !== undefined) options.push(`${name}=${value}`);
	};
	const switched = (value: boolean | undefined): string | undefined =>
		value === undefined ? undefined : value ? "on" : "off";
	add("agent-mouse", switched(device.mouse && device.mouse.mode === "client"));
	if ((device.passwd ?? settings.spicePassword) === undefined) options.push("disable-ticketing=on");
	if (place.secure) add("x509-dir", escapeCommas(settings.spiceTlsX509CertDir ?? SPICE_CERTIFICATES));
	options.push(...channelOptions(device, place));
	add("image-compression", device.image?.compression);
	add("jpeg-wan-compression", device.jpeg?.compression);
	add("zlib-glz-wan-compression", device.zlib?.compression);
	add("playback-compression", switched(device.playback?.compression));
	add("streaming-video", device.streaming?.mode);
	if (device.clipboard?.copypaste === false) options.push("disable-copy-paste=on");
	if (device.filetransfer?.enable === false) options.push("disable-agent-file-xfer=on");
	if (device.gl?.enable) {
		options.push("gl=on");
		add("rendernode", device.gl.rendernode && escapeCommas(device.gl.rendernode));
	}
	options.push("seamless-migration=on");
	return options.join(",");
}

function formatDbus(device: Extract<GraphicsDef, { type: "dbus" }>, { def }: BuildContext): string {
	const { p2p, address, gl, audio } = device;
	const options = ["dbus", p2p ? "p2p=on" : `addr=${escapeCommas(address ?? "")}`];
	if (gl) options.push(`gl=${gl.enable ? "on" : "off"}`);
	if (gl?.rendernode !== undefined) options.push(`rendernode=${escapeCommas(gl.rendernode)}`);
	if (audio) options.push(`audiodev=${audioId(def, audio.id)}`);
	return options.join(",");
}

type Build = {
	readonly [T in GraphicsType]?: (device: Extract<GraphicsDef, { type: T }>, context: BuildContext) => void;
};

const BUILD: Build = {
	vnc: (device, context) => {
		context.command.add("-vnc", formatVnc(device, context));
		if (device.keymap !== undefined) context.command.add("-k", device.keymap);
	},
	spice: (device, context) => {
		context.command.add("-spice", formatSpice(device, context));
		if (device.keymap !== undefined) context.command.add("-k", device.keymap);
	},
	sdl: ({ xauth, display, fullscreen, gl }, { command }) => {
		if (xauth !== undefined) command.environment.XAUTHORITY = xauth;
		if (display !== undefined) command.environment.DISPLAY = display;
		if (fullscreen) command.add("-full-screen");
		command.add("-display", gl ? `sdl,gl=${gl.enable ? "on" : "off"}` : "sdl");
	},
	"egl-headless": ({ gl }, { command }) => {
		const node = gl?.rendernode;
		command.add("-display", node === undefined ? "egl-headless" : `egl-headless,rendernode=${escapeCommas(node)}`);
	},
	dbus: (device, context) => context.command.add("-display", formatDbus(device, context)),
};

/** Appends the console's options. */
export function buildGraphics(device: GraphicsDef, context: BuildContext): void {
	(BUILD[device.type] as ((device: GraphicsDef, context: BuildContext) => void) | undefined)?.(device, context);
}
