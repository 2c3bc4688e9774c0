// Serial ports: which kind a machine has, where they sit, and their options.

import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { SerialDef, SerialModel, SerialTarget } from "@virtkit/model/domain/serial";
import { conventionalSlot } from "../addresses/pci-need.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { isArm, isMachine, isRiscv, isS390, isX86 } from "../machine.ts";
import { addChardev } from "./chardev-build.ts";
import { checkChardev } from "./chardev-check.ts";
import { findChardev, refuseTwin, settleTerminal } from "./chardev-plug.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule, refuseDevice } from "./device-rule.ts";
import type { BuildContext, DefineContext, DeviceEntry } from "./entry.ts";

/** Kinds of addresses of ports that can have one. */
const ADDRESSES: Partial<Record<SerialTarget, string>> = {
	"isa-serial": "isa",
	"isa-debug": "isa",
	"usb-serial": "usb",
	"pci-serial": "pci",
	"spapr-vio-serial": "spapr-vio",
};

/** The kind of port that each model is. */
const TARGETS: Readonly<Record<SerialModel, SerialTarget>> = {
	"isa-serial": "isa-serial",
	"usb-serial": "usb-serial",
	"pci-serial": "pci-serial",
	"spapr-vty": "spapr-vio-serial",
	pl011: "system-serial",
	"16550a": "system-serial",
	sclpconsole: "sclp-serial",
	sclplmconsole: "sclp-serial",
	"isa-debugcon": "isa-debug",
};

/** The model of each kind; those that are part of the machine differ by machine. */
const MODELS: Partial<Record<SerialTarget, SerialModel>> = {
	"isa-serial": "isa-serial",
	"usb-serial": "usb-serial",
	"pci-serial": "pci-serial",
	"spapr-vio-serial": "spapr-vty",
	"sclp-serial": "sclpconsole",
	"isa-debug": "isa-debugcon",
};

/** The kind of port a machine has; undefined where nobody knows. */
function machineTarget(def: DomainDef): SerialTarget | undefined {
	if (isX86(def)) return "isa-serial";
	if (isMachine(def, "pseries")) return "spapr-vio-serial";
	if (isMachine(def, "armVirt") || isMachine(def, "riscvVirt")) return "system-serial";
	return isS390(def) ? "sclp-serial" : undefined;
}

function machineModel(def: DomainDef): SerialModel | undefined {
	if (isMachine(def, "armVirt")) return "pl011";
	return isMachine(def, "riscvVirt") ? "16550a" : undefined;
}

/** Fills in kind, model and number. Throws CONFIG_UNSUPPORTED for a debug port outside x86. */
export function completeSerial(serial: SerialDef, { def }: DefineContext): void {
	const { target } = serial;
	// Documents of old say isa-serial where they mean the machine's own.
	const given = target.type === "isa-serial" || target.type === "none" ? undefined : target.type;
	const type = given ?? machineTarget(def);
	if (type === undefined) delete target.type;
	else target.type = type;
	if (type !== undefined && (target.model?.name ?? "none") === "none") {
		const name = type === "system-serial" ? machineModel(def) : MODELS[type];
		if (name !== undefined) target.model = { name };
	}
	if (type === "isa-debug" && !isX86(def)) refuseDevice(serial, "serial type isa-debug is only valid on x86");
	target.port ??= 1 + Math.max(-1, ...def.devices.serials.map((each) => each.target.port ?? -1));
}

/** ISA serial ports that a machine can have. */
const MAX_ISA_PORTS = 4;

/** Gives ISA serial ports without a number the lowest free one. Throws INTERNAL_ERROR for more than four, or one twice. */
export function numberIsaSerials({ def }: DefineContext): void {
	const ports = def.devices.serials.filter(({ target }) => target.type === "isa-serial");
	const taken = new Set<number>();
	for (const [index, serial] of ports.entries()) {
		const { port } = serial.target;
		if (index >= MAX_ISA_PORTS || (port ?? 0) >= MAX_ISA_PORTS)
			refuseDevice(serial, `a machine has at most ${MAX_ISA_PORTS} ISA serial ports`, "INTERNAL_ERROR");
		if (port === undefined) continue;
		if (taken.has(port)) refuseDevice(serial, `target port '${port}' is already taken`, "INTERNAL_ERROR");
		taken.add(port);
	}
	for (const { target } of ports) {
		if (target.port !== undefined) continue;
		target.port = [0, 1, 2, 3].find((port) => !taken.has(port)) ?? 0;
		taken.add(target.port);
	}
}

/** Whether the machine can have a port of that kind and model. */
function fitsMachine({ target }: SerialDef, def: DomainDef): boolean {
	const model = target.model?.name;
	if (target.type === "system-serial") {
		if (model === "pl011" && !isMachine(def, "armVirt")) return false;
		if (model === "16550a" && !isMachine(def, "riscvVirt")) return false;
	}
	if (target.type === "spapr-vio-serial" || model === "spapr-vty") return isMachine(def, "pseries");
	if (target.type === "sclp-serial" || model === "sclpconsole" || model === "sclplmconsole") return isS390(def);
	return true;
}

const RULES: readonly DeviceRule<SerialDef>[] = [
	{
		broken: ({ target: { type = "none" }, address }) => {
			const wanted = type === "none" ? undefined : ADDRESSES[type];
			return (
				wanted !== undefined &&
				address !== undefined &&
				address.type !== wanted &&
				`serial target type '${type}' needs an address of type '${wanted}'`
			);
		},
	},
	{
		broken: ({ target: { type }, address }) =>
			(type === "system-serial" || type === "sclp-serial") &&
			address !== undefined &&
			`serial target type '${type}' cannot have an address`,
	},
	{
		broken: ({ target: { type = "none", model } }) => {
			const name = model?.name ?? "none";
			const wanted = name === "none" ? undefined : TARGETS[name];
			return wanted !== undefined && wanted !== type && `serial model '${name}' needs target type '${wanted}'`;
		},
	},
	{
		broken: (serial, { def }) =>
			!fitsMachine(serial, def) &&
			`serial target type '${serial.target.type}' with model '${serial.target.model?.name}' does not fit the machine`,
	},
];

/** Whether the port is part of the machine: it is only told its character device. */
function isBuiltIn({ target }: SerialDef, def: DomainDef): boolean {
	const model = target.model?.name;
	if (target.type === "system-serial") return (isArm(def) && model === "pl011") || (isRiscv(def) && model === "16550a");
	return (target.type ?? "none") === "none";
}

/** The properties of a port that can be plugged in, for -device and device_add. */
export function serialProps(serial: SerialDef, { def }: DefineContext): JsonObject {
	const { alias, target } = serial;
	const driver = target.model?.name ?? "none";
	if (driver === "none") refuseDevice(serial, "the serial port has no model", "INTERNAL_ERROR");
	return {
		driver,
		chardev: `char${alias}`,
		id: alias,
		index: driver === "isa-serial" ? target.port : undefined,
		...addressProps(serial, def),
	};
}

function buildSerial(serial: SerialDef, context: BuildContext): void {
	const { command, def, caps } = context;
	const model = serial.target.model?.name ?? "none";
	if (serial.type === "spiceport" && !def.devices.graphics.some(({ type }) => type === "spice")) return;
	addChardev(serial, `char${serial.alias}`, context);
	if (model !== "none" && model !== "16550a" && !caps.has(model))
		refuseDevice(serial, `'${model}' is not supported by this QEMU binary`);
	if (isBuiltIn(serial, def)) command.add("-serial", `chardev:char${serial.alias}`);
	else addDevice(serial, serialProps(serial, context), context);
}

/** First register of terminals on pSeries' virtual bus. */
const SPAPR_VTY_REGISTER = 0x30000000;

export const serial: DeviceEntry<SerialDef> = {
	kind: "serial",
	list: ({ devices }) => devices.serials,
	alias: (_, index) => `serial${index}`,
	complete: completeSerial,
	check: (device, context) => {
		checkChardev(device, device, context);
		checkDeviceRules(RULES, device, context);
	},
	pci: ({ target }) => (target.type === "pci-serial" ? conventionalSlot() : undefined),
	usb: ({ target }) => target.type === "usb-serial",
	spaprVio: ({ target }) => ({ register: SPAPR_VTY_REGISTER, always: target.type === "spapr-vio-serial" }),
	zpci: false,
	build: buildSerial,
	hotplug: {
		checkAttach: (device, { def }, live) => {
			refuseTwin(device, def.devices.serials);
			refuseFixedPort(device.target.type, live);
		},
		plugged: settleTerminal,
		find: findChardev("serial", ({ def }) => def.devices.serials),
		checkDetach: ({ target }) => refuseFixedPort(target.type, true),
	},
};

/** Ports that are soldered on come and go with the machine. */
function refuseFixedPort(type: string | undefined, live: boolean): void {
	if (live && type !== "usb-serial" && type !== "pci-serial")
		throw new VirtError("INTERNAL_ERROR", `serial ports of type '${type ?? "none"}' cannot be hot plugged`);
}
