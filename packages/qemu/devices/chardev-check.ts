// Rules about the host's side of any character device.

import type { ErrorCode } from "@virtkit/base/errors";
import { type ChardevHolder, endpointOf } from "@virtkit/model/domain/chardev";
import type { ChardevParts } from "./chardev-build.ts";
import { refuseDevice } from "./device-rule.ts";
import type { DefineContext } from "./entry.ts";

/** What a rule looks at beside the character device. */
interface Surroundings extends DefineContext {
	/** The driver chooses the path of a socket that has none. */
	readonly pathIsChosen: boolean;
}

interface ChardevRule {
	/** Kinds of host sides that the rule is about. */
	readonly types: readonly ChardevHolder["type"][];
	readonly code: ErrorCode;
	/** What is wrong; undefined or false where the rule holds. */
	broken(chardev: ChardevParts, surroundings: Surroundings): string | false | undefined;
}

const CHANNEL_NAME = /^[A-Za-z0-9_.-]*$/;

const reconnects = ({ source }: ChardevParts): boolean => source?.reconnect?.enabled !== undefined;

const hasSpice = ({ def }: DefineContext): boolean => def.devices.graphics.some(({ type }) => type === "spice");

const RULES: readonly ChardevRule[] = [
	{
		types: ["file", "dev", "pipe"],
		code: "INTERNAL_ERROR",
		broken: ({ source }) => source?.path === undefined && "Missing source path attribute for char device",
	},
	{
		types: ["nmdm"],
		code: "INTERNAL_ERROR",
		broken: ({ source }) =>
			(source?.master === undefined) !== (source?.slave === undefined) &&
			"Should define both master and slave path attributes for nmdm device",
	},
	{
		types: ["tcp"],
		code: "INTERNAL_ERROR",
		broken: ({ source }) => source?.host === undefined && "Missing source host attribute for char device",
	},
	{
		types: ["tcp"],
		code: "INTERNAL_ERROR",
		broken: ({ source }) => source?.service === undefined && "Missing source service attribute for char device",
	},
	{
		types: ["udp"],
		code: "INTERNAL_ERROR",
		broken: (chardev) =>
			endpointOf(chardev, "connect")?.service === undefined && "Missing source service attribute for char device",
	},
	{
		types: ["unix"],
		code: "INTERNAL_ERROR",
		broken: ({ source }, { pathIsChosen }) =>
			source?.path === undefined && !pathIsChosen && "Missing source path attribute for char device",
	},
	{
		types: ["tcp", "unix"],
		code: "INTERNAL_ERROR",
		broken: (chardev) =>
			chardev.source?.mode === "bind" && reconnects(chardev) && "chardev reconnect is possible only for connect mode",
	},
	{
		types: ["spiceport", "dbus"],
		code: "CONFIG_UNSUPPORTED",
		broken: ({ source }) => source?.channel === undefined && "Missing source channel attribute for char device",
	},
	{
		types: ["spiceport", "dbus"],
		code: "INVALID_ARG",
		broken: ({ source }) =>
			!CHANNEL_NAME.test(source?.channel ?? "") && `Invalid character in source channel '${source?.channel}'`,
	},
	{
		types: ["tcp", "unix"],
		code: "INVALID_ARG",
		broken: ({ source }) =>
			source?.reconnect?.enabled === true &&
			!source.reconnect.timeout &&
			"chardev reconnect source timeout cannot be '0'",
	},
	{
		types: ["qemu-vdagent"],
		code: "CONFIG_UNSUPPORTED",
		broken: ({ type }, { caps }) =>
			!caps.hasSchema("chardev-add/arg-type/backend/+qemu-vdagent") &&
			`chardev '${type}' not supported in this QEMU binary`,
	},
	{
		types: ["spicevmc", "spiceport"],
		code: "CONFIG_UNSUPPORTED",
		broken: ({ type }, context) => !hasSpice(context) && `chardev '${type}' not supported without spice graphics`,
	},
];

/** Throws where the character device of `device` cannot be had; `pathIsChosen` where the driver chooses a socket's path. */
export function checkChardev(
	chardev: ChardevParts,
	device: object,
	context: DefineContext,
	pathIsChosen = false,
): void {
	const surroundings = { ...context, pathIsChosen };
	for (const { types, code, broken } of RULES) {
		const message = types.includes(chardev.type) && broken(chardev, surroundings);
		if (message) refuseDevice(device, message, code);
	}
}
