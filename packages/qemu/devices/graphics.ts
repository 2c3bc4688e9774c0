// Graphical consoles: what cannot be had, and what a document means that leaves things out.

import type { GraphicsDef, GraphicsType } from "@virtkit/model/domain/graphics";
import { hasPort } from "@virtkit/model/domain/graphics-listen";
import { audioOf, missingAudio } from "./audio.ts";
import { checkDeviceRules, type DeviceRule, refuseDevice } from "./device-rule.ts";
import type { DefineContext, DeviceEntry, DomainStep } from "./entry.ts";
import { buildGraphics } from "./graphics-build.ts";
import { graphicsHotplug } from "./graphics-password.ts";

/** Longest password of VNC (RFC 6143, section 7.2.2). */
const VNC_PASSWORD_MAX = 8;

/** Kinds that QEMU has, and how it is known that this one has them. */
const KINDS: Partial<Record<GraphicsType, (context: DefineContext) => boolean>> = {
	sdl: ({ caps }) => caps.hasSchema("query-display-options/ret-type/+sdl"),
	vnc: ({ caps }) => caps.hasSchema("query-vnc"),
	spice: ({ caps }) => caps.hasOption("spice"),
	"egl-headless": ({ caps }) => caps.hasSchema("query-display-options/ret-type/+egl-headless"),
	dbus: ({ caps }) => caps.hasSchema("query-display-options/ret-type/+dbus"),
};

/** Kinds that can show what is drawn off the screen. */
const WITH_EGL_HEADLESS: ReadonlySet<GraphicsType> = new Set(["egl-headless", "vnc", "spice"]);

const hasEglHeadless = ({ def }: DefineContext): boolean =>
	def.devices.graphics.some(({ type }) => type === "egl-headless");

type Broken<D> = (device: D, context: DefineContext) => string | false | undefined;

/** A rule about consoles of one kind. */
const of =
	<T extends GraphicsType>(type: T, broken: Broken<Extract<GraphicsDef, { type: T }>>): Broken<GraphicsDef> =>
	(device, context) =>
		device.type === type && broken(device as Extract<GraphicsDef, { type: T }>, context);

/** Rules of any hypervisor. */
const COMMON: readonly DeviceRule<GraphicsDef>[] = [
	{
		code: "XML_ERROR",
		broken: (device) =>
			"listens" in device &&
			device.listens.some(({ type, network }) => type === "network" && network === undefined) &&
			"the attribute 'network' is required for listen type 'network'",
	},
	{ code: "XML_ERROR", broken: of("vnc", ({ audio }, { def }) => missingAudio(audio?.id, def)) },
	{
		code: "XML_ERROR",
		broken: of(
			"dbus",
			({ p2p, address }) => p2p === true && address !== undefined && "D-Bus p2p with an address is not supported",
		),
	},
];

/** Rules of QEMU's. */
const DRIVER: readonly DeviceRule<GraphicsDef>[] = [
	{
		broken: ({ type }, context) =>
			KINDS[type]?.(context) !== true && `graphics type '${type}' is not supported by this QEMU binary`,
	},
	{
		broken: ({ type }, context) =>
			hasEglHeadless(context) &&
			!WITH_EGL_HEADLESS.has(type) &&
			`graphics type 'egl-headless' goes with 'vnc' and 'spice' only, not with '${type}'`,
	},
	{
		broken: of(
			"spice",
			({ gl }, context) =>
				gl?.enable === true && hasEglHeadless(context) && "QEMU has one OpenGL display at most: drop spice's <gl>",
		),
	},
	{
		broken: of(
			"spice",
			(device, { settings }) =>
				(device.tlsPort ?? 0) > 0 &&
				hasPort(device) &&
				settings.spiceTls !== true &&
				`spice cannot listen on TLS port ${device.tlsPort}: set spice_tls in qemu.conf`,
		),
	},
	{
		broken: of(
			"spice",
			({ gl }, { caps }) =>
				gl?.enable === true && !caps.hasOption("spice", "gl") && "spice OpenGL is not supported by this QEMU binary",
		),
	},
	{
		broken: of(
			"spice",
			({ gl }, { caps }) =>
				gl?.enable === true &&
				gl.rendernode !== undefined &&
				!caps.hasOption("spice", "rendernode") &&
				"the rendernode of spice OpenGL is not supported by this QEMU binary",
		),
	},
	{
		broken: of(
			"egl-headless",
			({ gl }, { caps }) =>
				gl?.rendernode !== undefined &&
				!caps.hasSchema("query-display-options/ret-type/+egl-headless/rendernode") &&
				"the rendernode of egl-headless is not supported by this QEMU binary",
		),
	},
	{
		broken: of(
			"vnc",
			({ powerControl }, { caps }) =>
				powerControl !== undefined &&
				!caps.hasOption("vnc", "power-control") &&
				"VNC power control is not supported by this QEMU binary",
		),
	},
	{
		broken: of("vnc", ({ passwd = "" }) => {
			const { length } = Buffer.from(passwd);
			return length > VNC_PASSWORD_MAX && `a VNC password has at most ${VNC_PASSWORD_MAX} characters, not ${length}`;
		}),
	},
	{
		broken: of("dbus", ({ audio }, { def }) => {
			const type = audio && audioOf(def, audio.id)?.type;
			return type !== undefined && type !== "dbus" && `a dbus console needs audio of type 'dbus', not '${type}'`;
		}),
	},
];

/** Throws CONFIG_UNSUPPORTED where there are two consoles of a type: QEMU has one at most. */
export const checkGraphicsToStart: DomainStep = ({ def: { devices } }) => {
	const listening = devices.graphics.find((device) => "listens" in device && device.listens.length > 1);
	if (listening) refuseDevice(listening, "QEMU does not support multiple listens for one graphics device");
	const types = devices.graphics.map(({ type }) => type);
	const second = devices.graphics.find(({ type }, index) => types.indexOf(type) < index);
	if (second)
		refuseDevice(second, `QEMU has one graphics device of each type at most, and '${second.type}' is there twice`);
};

/** SPICE without a port, and none to be chosen, listens nowhere. */
export function completeGraphics({ def }: Pick<DefineContext, "def">): void {
	for (const device of def.devices.graphics) {
		if (device.type !== "spice" || device.autoport || device.port || device.tlsPort) continue;
		const [first] = device.listens;
		if (first?.type === "address") device.listens[0] = { type: "none" };
	}
}

export const graphics: DeviceEntry<GraphicsDef> = {
	kind: "graphics",
	list: ({ devices }) => devices.graphics,
	alias: (_, index) => `graphics${index}`,
	check: (device, context) => checkDeviceRules([...COMMON, ...DRIVER], device, context),
	build: buildGraphics,
	hotplug: graphicsHotplug,
};
