// Input devices: mice, tablets, keyboards, and devices of the host.

import { oneOf, onOff } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose, type Schema } from "@virtkit/xml/schema";
import { deviceInfo, virtioDriver } from "./device-common.ts";
import { sanitizedPath } from "./sanitized-path.ts";

export const INPUT_TYPES = ["mouse", "tablet", "keyboard", "passthrough", "evdev"] as const;
export type InputType = (typeof INPUT_TYPES)[number];
export const INPUT_BUSES = ["ps2", "usb", "xen", "parallels", "virtio"] as const;
export type InputBus = (typeof INPUT_BUSES)[number];

const isParent =
	(type: InputType) =>
	(_: Loose, parent: Loose | undefined): boolean =>
		parent?.type === type;

const source = element({
	evdev: attr(sanitizedPath, { when: isParent("passthrough"), doc: "Event device of the host." }),
	dev: attr(sanitizedPath, { when: isParent("evdev"), doc: "Event device of the host." }),
	grab: attr(oneOf("all"), { when: isParent("evdev"), doc: "Whether all devices are grabbed with this one." }),
	grabToggle: attr(oneOf("ctrl-ctrl", "alt-alt", "shift-shift", "meta-meta", "scrolllock", "ctrl-scrolllock"), {
		when: isParent("evdev"),
		doc: "Keys that give the devices to the guest and back.",
	}),
	repeat: attr(onOff, { when: isParent("evdev"), doc: "Whether held keys repeat." }),
});

const inputFields = element({
	type: attr(oneOf(...INPUT_TYPES), {
		required: true,
		missing: "INTERNAL_ERROR",
		code: "CONFIG_UNSUPPORTED",
		doc: "What it is.",
	}),
	bus: attr(oneOf(...INPUT_BUSES), {
		code: "CONFIG_UNSUPPORTED",
		doc: "Bus that it sits on; follows from type and machine where absent.",
	}),
	model: attr(oneOf("virtio", "virtio-transitional", "virtio-non-transitional"), {
		code: "CONFIG_UNSUPPORTED",
		doc: "Generation of a virtio device.",
	}),
	driver: child(virtioDriver, { doc: "How a virtio device is served." }),
	source: child(source, { doc: "Device of the host." }),
	...deviceInfo,
});
/** An input device. */
export type InputDef = Infer<typeof inputFields>;
/** The <input> element. */
export const input: Schema<InputDef> = {
	...inputFields,
	onRead: (value) => {
		const { type, bus, address, source: from } = value;
		if (bus === "usb" && address && address.type !== "usb")
			throw documentError(positionOf(value), "Invalid address for a USB device");
		if (from && (type === "passthrough" || type === "evdev") && (from.evdev ?? from.dev) === undefined)
			throw documentError(positionOf(value), "Missing evdev path for input device");
	},
};

/** The bus of an input device that names none. evdev devices sit on none. */
export function defaultInputBus(
	type: InputType,
	osType: string | undefined,
	arch: string | undefined,
): InputBus | undefined {
	if (osType === "xen" || osType === "xenpvh") return "xen";
	if (osType !== undefined && osType !== "hvm") return undefined;
	const x86 = arch === undefined || arch === "x86_64" || arch === "i686";
	if (x86 && (type === "mouse" || type === "keyboard")) return "ps2";
	if (arch === "s390" || arch === "s390x" || type === "passthrough") return "virtio";
	return type === "evdev" ? undefined : "usb";
}
