// Consoles: those that are devices of their own. The first one is often just the first serial port by another name.

import { VirtError } from "@virtkit/base/errors";
import { type ConsoleDef, type ConsoleTarget, isSerialConsole } from "@virtkit/model/domain/console";
import type { SerialDef, SerialTarget } from "@virtkit/model/domain/serial";
import { copyPosition } from "@virtkit/xml/read";
import { findController } from "../addresses/controllers.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { addChardev } from "./chardev-build.ts";
import { checkChardev } from "./chardev-check.ts";
import { findChardev, refuseTwin, settleTerminal } from "./chardev-plug.ts";
import { controller } from "./controller.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { refuseDevice } from "./device-rule.ts";
import type { BuildContext, DefineContext, DeviceEntry, DomainStep } from "./entry.ts";
import { completeSerial } from "./serial.ts";

/** Kinds of serial ports that an operator expects to be the console. */
const CONSOLE_SERIALS: ReadonlySet<SerialTarget | "none" | undefined> = new Set([
	undefined,
	"none",
	"isa-serial",
	"spapr-vio-serial",
	"system-serial",
	"sclp-serial",
] as const);

/**
 * Makes first console and first serial port one (libvirt's virDomainDefAddConsoleCompat): either implies the other.
 *
 * Throws CONFIG_UNSUPPORTED where another console than the first is a serial port.
 */
export function linkSerialConsole(context: DefineContext): void {
	const { devices, os } = context.def;
	const { consoles, serials } = devices;
	const [first] = consoles;
	const other = consoles.slice(1).find(isSerialConsole);
	if (other) refuseDevice(other, "only the first console can be a serial port");
	if (os.type.type === "hvm") {
		if (first && isSerialConsole(first)) {
			if (serials.length === 0) serials.push(serialOf(first));
		} else if (serials[0] && CONSOLE_SERIALS.has(serials[0].target.type)) consoles.unshift(consoleOf(serials[0]));
	}
	if (serials[0]) completeSerial(serials[0], context);
}

function serialOf(console: ConsoleDef): SerialDef {
	const { tty: _, target: __, ...rest } = console;
	return copyPosition(console, { ...rest, target: { port: 0 } });
}

function consoleOf({ target, ...rest }: SerialDef): ConsoleDef {
	const console: ConsoleDef = { ...rest, target: { type: "serial" } };
	if (target.port !== undefined) console.target.port = target.port;
	return console;
}

/** Shows a first console that is the first serial port as that port is now. */
export function copySerialConsole({ def: { devices } }: Pick<DefineContext, "def">): void {
	const { consoles, serials } = devices;
	if (!consoles[0] || !serials[0] || !isSerialConsole(consoles[0])) return;
	const { tty } = consoles[0];
	consoles[0] = { ...consoleOf(serials[0]), ...(tty === undefined ? {} : { tty }) };
}

/** QEMU's drivers of consoles that are devices. */
const DRIVERS: Partial<Record<ConsoleTarget, string>> = {
	virtio: "virtconsole",
	sclp: "sclpconsole",
	sclplm: "sclplmconsole",
};

const driverOf = ({ target: { type = "none" } }: ConsoleDef): string | undefined =>
	type === "none" ? undefined : DRIVERS[type];
const isVirtio = ({ target }: ConsoleDef): boolean => target.type === "virtio";

/** Throws CONFIG_UNSUPPORTED for a console that QEMU has not. */
export const checkConsoles: DomainStep = ({ def, caps }) => {
	for (const console of def.devices.consoles) {
		if (isSerialConsole(console)) continue;
		const driver = driverOf(console);
		if (driver === undefined) refuseDevice(console, `console type '${console.target.type}' is unknown to QEMU`);
		if (!isVirtio(console) && !caps.has(driver))
			refuseDevice(console, `${driver} is not supported by this QEMU binary`);
	}
};

/** The properties of a console that is a device, for -device and device_add. */
export function consoleProps(console: ConsoleDef, { def }: DefineContext): JsonObject {
	const { alias } = console;
	return {
		driver: driverOf(console),
		...(isVirtio(console) ? addressProps(console, def) : {}),
		chardev: `char${alias}`,
		id: alias,
	};
}

function buildConsole(console: ConsoleDef, context: BuildContext): void {
	if (isSerialConsole(console)) return;
	if (
		isVirtio(console) &&
		console.address &&
		console.address.type !== "virtio-serial" &&
		console.address.type !== "ccw"
	)
		refuseDevice(console, "a virtio console needs an address of type 'virtio-serial'", "INTERNAL_ERROR");
	addChardev(console, `char${console.alias}`, context);
	addDevice(console, consoleProps(console, context), context);
}

/** The first serial port by another name comes and goes with that port, which is soldered on. */
function refuseSerial(console: ConsoleDef): void {
	if (!isVirtio(console))
		throw new VirtError("OPERATION_UNSUPPORTED", `consoles of type '${console.target.type}' cannot be hot plugged`);
}

export const consoleEntry: DeviceEntry<ConsoleDef> = {
	kind: "console",
	list: ({ devices }) => devices.consoles,
	alias: (_, index) => `console${index}`,
	complete: (console) => {
		if (isSerialConsole(console)) console.target.type = "serial";
	},
	check: (device, context) => checkChardev(device, device, context),
	virtioSerial: (console) => (isVirtio(console) ? "console" : undefined),
	zpci: false,
	build: buildConsole,
	hotplug: {
		checkAttach: (device, { def }, live) => {
			refuseTwin(device, def.devices.consoles);
			if (live) refuseSerial(device);
		},
		needs: (_, context) =>
			findController(context.def, "virtio-serial", 0)
				? []
				: [{ entry: controller, device: { type: "virtio-serial", index: 0 } }],
		plugged: settleTerminal,
		find: findChardev("console", ({ def }) => def.devices.consoles),
		checkDetach: refuseSerial,
	},
};
