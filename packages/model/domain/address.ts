// Where in the guest a device sits: the <address> element of every device, one variant a bus.

import type { Codec } from "@virtkit/xml/codec";
import { hex, integer, onOff, uint } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose, type Schema, variants } from "@virtkit/xml/schema";

/** Nesting of USB hubs that a port path may name (VIR_DOMAIN_DEVICE_USB_MAX_PORT_DEPTH). */
export const USB_MAX_PORT_DEPTH = 4;

const USB_PORT = /^\s*\d+(?:\.\s*\d+)*\.?$/;

/** A USB port path such as 1.4.2, hub by hub; a first port of 0 means none. */
export const usbPort: Codec<number[]> = {
	parse: (text) => {
		if (!USB_PORT.test(text)) return undefined;
		const ports = text.replace(/\.$/, "").split(".").map(Number);
		if (ports.length > USB_MAX_PORT_DEPTH || ports.some((port) => port > 0xffffffff)) return undefined;
		const end = ports.indexOf(0);
		return end === -1 ? ports : ports.slice(0, end);
	},
	format: (ports) => ports.join("."),
	allowed: `up to ${USB_MAX_PORT_DEPTH} port numbers joined by dots`,
	json: {
		type: "array",
		items: { type: "integer", minimum: 1 },
		maxItems: USB_MAX_PORT_DEPTH,
	},
};

const number = (digits: number): Codec<number> => hex(digits, 0xffffffff);
/** C's base 16: with or without 0x. */
const hexadecimal = (digits: number, max = 0xffffffff): Codec<number> =>
	integer({ min: 0, max, hexDigits: digits, base: "hexadecimal" });

/** PCI functions are written `0x` and the decimal number. */
const pciFunction: Codec<number> = {
	...number(1),
	format: (value) => `0x${value}`,
};

/** True for a PCI address that only says "on PCI", and for one that names nothing but a function. */
export function isEmptyPciAddress(address: Loose): boolean {
	return !address.domain && !address.bus && !address.slot;
}

const zpci = element({
	uid: attr(number(4), {
		doc: "User-defined identifier of the device on s390x, unique in the guest.",
	}),
	fid: attr(number(8), {
		doc: "Function identifier on s390x, unique in the guest.",
	}),
});

const notEmpty = { show: (self: Loose) => !isEmptyPciAddress(self) };

const byType = variants(
	"type",
	{
		pci: {
			domain: attr(number(4), {
				default: 0,
				...notEmpty,
				doc: "PCI domain; QEMU has only 0.",
			}),
			bus: attr(number(2), {
				default: 0,
				...notEmpty,
				doc: "Index of the PCI controller that provides the slot.",
			}),
			slot: attr(number(2), {
				default: 0,
				...notEmpty,
				doc: "Slot on that bus, 0 to 31.",
			}),
			function: attr(pciFunction, {
				default: 0,
				...notEmpty,
				doc: "Function in that slot, 0 to 7.",
			}),
			multifunction: attr(onOff, {
				doc: "Set on function 0 of a slot that holds more than one function.",
			}),
			zpci: child(zpci, {
				doc: "Identifiers that s390x adds to a PCI address.",
			}),
		},
		drive: {
			controller: attr(uint, {
				default: 0,
				doc: "Index of the disk controller.",
			}),
			bus: attr(uint, { default: 0, doc: "Channel of that controller." }),
			target: attr(uint, { default: 0, doc: "SCSI target on that bus." }),
			unit: attr(uint, { default: 0, doc: "Unit on the bus or target." }),
		},
		"virtio-serial": {
			controller: attr(uint, {
				default: 0,
				doc: "Index of the virtio-serial controller.",
			}),
			bus: attr(uint, { default: 0, doc: "Always 0." }),
			port: attr(uint, {
				default: 0,
				doc: "Port of that controller; 0 lets one be chosen.",
			}),
		},
		ccid: {
			controller: attr(uint, {
				default: 0,
				doc: "Index of the smartcard reader.",
			}),
			slot: attr(uint, { default: 0, doc: "Slot of that reader." }),
		},
		usb: {
			bus: attr(uint, { default: 0, doc: "Index of the USB controller." }),
			port: attr(usbPort, {
				code: "INTERNAL_ERROR",
				show: (self) => Array.isArray(self.port) && self.port.length > 0,
				doc: "Port on that controller, hub by hub.",
			}),
		},
		"spapr-vio": {
			reg: attr(hexadecimal(8, Number.MAX_SAFE_INTEGER), {
				doc: "Register value on the pSeries virtual bus.",
			}),
		},
		ccw: {
			cssid: attr(number(1), {
				doc: "Channel subsystem, 0xfe for virtual devices.",
			}),
			ssid: attr(number(1), { doc: "Subchannel set, 0 to 3." }),
			devno: attr(number(4), { doc: "Device number, 0 to 0xffff." }),
		},
		"virtio-mmio": {},
		isa: {
			iobase: attr(hexadecimal(1), { absent: 0, doc: "First I/O port." }),
			irq: attr(hexadecimal(1), { absent: 0, doc: "Interrupt line." }),
		},
		dimm: {
			slot: attr(uint, { required: true, doc: "Memory slot." }),
			base: attr(hexadecimal(1, Number.MAX_SAFE_INTEGER), {
				absent: 0,
				doc: "Guest-physical address, in bytes.",
			}),
		},
		unassigned: {},
		"virtio-s390": {},
	},
	{
		doc: "Where in the guest the device sits.",
		codes: { missing: "INTERNAL_ERROR", unknown: "CONFIG_UNSUPPORTED" },
	},
);

/** Where a device sits, of any kind. */
export type AddressDef = Infer<typeof byType>;
export type AddressType = AddressDef["type"];
type Of<T extends AddressType> = Extract<AddressDef, { type: T }>;
export type PciAddress = Of<"pci">;
export type DriveAddress = Of<"drive">;
export type UsbAddress = Of<"usb">;
export type VirtioSerialAddress = Of<"virtio-serial">;
export type CcidAddress = Of<"ccid">;
export type CcwAddress = Of<"ccw">;
export type SpaprVioAddress = Of<"spapr-vio">;
export type IsaAddress = Of<"isa">;
export type DimmAddress = Of<"dimm">;

/** The <address> element of a device. */
export const address: Schema<AddressDef> = { ...byType, onRead: checkAddress };

/** Largest values of a channel subsystem, subchannel set and device number. */
const CCW_MAX = { cssid: 0xfe, ssid: 3, devno: 0xffff };

function checkAddress(value: AddressDef): void {
	if (value.type === "pci") checkPci(value);
	else if (value.type === "ccw") checkCcw(value);
	else if (value.type === "virtio-s390")
		throw documentError(positionOf(value), "virtio-s390 bus doesn't have an address");
}

function checkPci(value: PciAddress): void {
	if (isEmptyPciAddress(value)) return;
	for (const [name, max] of [
		["bus", 0xff],
		["slot", 0x1f],
		["function", 7],
	] as const)
		if (value[name] > max)
			throw documentError(
				positionOf(value),
				`Invalid PCI address ${name}='0x${value[name].toString(16)}', must be <= 0x${max.toString(16).toUpperCase()}`,
			);
}

function checkCcw(value: CcwAddress): void {
	const { cssid = 0, ssid = 0, devno = 0 } = value;
	const given = [value.cssid, value.ssid, value.devno].filter((part) => part !== undefined).length;
	if (cssid > CCW_MAX.cssid || ssid > CCW_MAX.ssid || devno > CCW_MAX.devno)
		throw documentError(
			positionOf(value),
			`Invalid specification for virtio ccw address: cssid='0x${cssid.toString(16)}' ssid='0x${ssid.toString(16)}' devno='0x${devno.toString(16).padStart(4, "0")}'`,
			"INTERNAL_ERROR",
		);
	if (given !== 0 && given !== 3)
		throw documentError(
			positionOf(value),
			"Invalid partial specification for virtio ccw address: name all of cssid, ssid and devno, or none",
			"INTERNAL_ERROR",
		);
}
