// Input devices: mice, tablets, keyboards, and devices of the host.

import { VirtError } from "@virtkit/base/errors";
import type { InputBus, InputDef, InputType } from "@virtkit/model/domain/input";
import { virtioSlot } from "../addresses/pci-need.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { isPpc64, isX86 } from "../machine.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { DefineContext, DeviceEntry, DomainStep } from "./entry.ts";
import { findDescribed } from "./plug-find.ts";
import { virtioDriver, virtioProps } from "./virtio.ts";

/** QEMU's names of the devices, by bus and type. */
const USB_DRIVERS: Partial<Record<InputType, string>> = {
	mouse: "usb-mouse",
	tablet: "usb-tablet",
	keyboard: "usb-kbd",
};
const VIRTIO_DRIVERS: Partial<Record<InputType, string>> = {
	mouse: "virtio-mouse",
	tablet: "virtio-tablet",
	keyboard: "virtio-keyboard",
	passthrough: "virtio-input-host",
};

const COMMON: readonly DeviceRule<InputDef>[] = [
	{
		code: "INTERNAL_ERROR",
		broken: ({ bus, type }) =>
			bus === "ps2" && type !== "mouse" && type !== "keyboard" && `ps2 bus does not support ${type} input device`,
	},
	{
		code: "INTERNAL_ERROR",
		broken: ({ bus }) => bus === "xen" && `unsupported input bus ${bus}`,
	},
	{
		broken: ({ type, source }) =>
			type !== "passthrough" &&
			type !== "evdev" &&
			source?.evdev !== undefined &&
			"a device of the host is only for inputs of type 'passthrough'",
	},
	{
		broken: ({ type, bus }) =>
			type === "passthrough" && bus !== "virtio" && "only bus 'virtio' is supported for 'passthrough' input devices",
	},
	{
		broken: ({ type, bus }) => type === "evdev" && bus !== undefined && "input evdev doesn't support bus element",
	},
	{
		broken: ({ model, bus }) =>
			model !== undefined && bus !== "virtio" && `only bus 'virtio' is supported for input model '${model}'`,
	},
];

const DRIVER: readonly DeviceRule<InputDef>[] = [
	{
		broken: ({ bus }, { def, caps }) =>
			bus === "ps2" && !isX86(def) && !caps.has("i8042") && "ps2 is not supported by this QEMU binary",
	},
	{
		broken: ({ bus, type }, { caps }) =>
			bus === "usb" &&
			type === "keyboard" &&
			!caps.has("usb-kbd") &&
			"usb keyboard is not supported by this QEMU binary",
	},
	{
		broken: ({ bus, model, type }) =>
			bus === "virtio" &&
			model !== undefined &&
			model !== "virtio" &&
			`virtio (non-)transitional models are not supported for input type=${type}`,
	},
	{
		broken: ({ bus, type, address }, { caps }) => {
			if (bus !== "virtio") return false;
			const driver = VIRTIO_DRIVERS[type] ?? "input-linux";
			const device = driver === "virtio-input-host" ? "virtio-input-host-device" : `${driver}-device`;
			const there = caps.has(device) && (address?.type !== "ccw" || caps.has(`${driver}-ccw`));
			return !there && `${driver} is not supported by this QEMU binary`;
		},
	},
];

/** Adds an input device unless the guest has one of its type on its bus. */
function addInput({ def }: DefineContext, type: InputType, bus: InputBus): void {
	const { inputs } = def.devices;
	if (!inputs.some((other) => other.type === type && other.bus === bus)) inputs.push({ type, bus });
}

/** Adds the mouse and the keyboard that every PC has. */
export const addMachineInputs: DomainStep = (context) => {
	if (!isX86(context.def) || context.def.features?.ps2?.state === false) return;
	addInput(context, "mouse", "ps2");
	addInput(context, "keyboard", "ps2");
};

/** Adds USB input devices to guests of POWER that have a screen. */
export const addUsbInputs: DomainStep = (context) => {
	const { devices } = context.def;
	if (!isPpc64(context.def) || devices.graphics.length === 0) return;
	const hasTablet = devices.inputs.some(({ type, bus }) => type === "tablet" && bus === "usb");
	addInput(context, "keyboard", "usb");
	if (!hasTablet) addInput(context, "mouse", "usb");
};

/** The properties of a device on USB or virtio, for -device and device_add; undefined for those that need none. */
export function inputProps(device: InputDef, context: DefineContext): JsonObject | undefined {
	const place = { id: device.alias, ...addressProps(device, context.def) };
	if (device.bus === "usb") return { driver: USB_DRIVERS[device.type], ...place };
	if (device.bus !== "virtio") return undefined;
	const driver = virtioDriver(VIRTIO_DRIVERS[device.type] ?? device.type, device, context, device.model);
	return { driver, ...virtioProps(device.driver), evdev: device.source?.evdev, ...place };
}

/** The object that gives the host's event device to the guest, for -object and object-add. */
export function evdevObject({ alias: id, source }: InputDef): JsonObject {
	return {
		"qom-type": "input-linux",
		id,
		evdev: source?.dev,
		repeat: source?.repeat,
		grab_all: source?.grab === "all" ? true : undefined,
		"grab-toggle": source?.grabToggle,
	};
}

const refusePs2 =
	(what: string) =>
	({ bus }: InputDef): void => {
		if (bus !== "usb" && bus !== "virtio")
			throw new VirtError("OPERATION_UNSUPPORTED", `input device on bus '${bus}' cannot be ${what}.`);
	};

export const input: DeviceEntry<InputDef> = {
	kind: "input",
	list: ({ devices }) => devices.inputs,
	alias: (_, index) => `input${index}`,
	checkCommon: (device, context) => checkDeviceRules(COMMON, device, context),
	check: (device, context) => checkDeviceRules(DRIVER, device, context),
	pci: ({ bus }, context) => (bus === "virtio" ? virtioSlot(context) : undefined),
	usb: ({ bus }) => bus === "usb",
	virtio: ({ bus }) => bus === "virtio",
	build: (device, context) => {
		if (device.type === "evdev") return context.command.addJson("-object", evdevObject(device));
		const props = inputProps(device, context);
		if (props) addDevice(device, props, context);
	},
	hotplug: {
		checkAttach: (device, _, live) => {
			if (live) refusePs2("hot plugged")(device);
		},
		checkDetach: refusePs2("detached"),
		find: findDescribed(
			({ def }) => def.devices.inputs,
			() => "matching input device not found",
		),
	},
};
