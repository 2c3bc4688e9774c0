// Serial ports.

import { oneOf, uint } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Schema } from "@virtkit/xml/schema";
import { chardevFields, chardevType, settleChardev } from "./chardev.ts";
import { deviceInfo } from "./device-common.ts";

/** Kinds of serial ports, by the bus they sit on (virDomainChrSerialTargetType). */
export const SERIAL_TARGETS = [
	"isa-serial",
	"usb-serial",
	"pci-serial",
	"spapr-vio-serial",
	"system-serial",
	"sclp-serial",
	"isa-debug",
] as const;
export type SerialTarget = (typeof SERIAL_TARGETS)[number];

/** Models of serial ports (virDomainChrSerialTargetModel). */
export const SERIAL_MODELS = [
	"isa-serial",
	"usb-serial",
	"pci-serial",
	"spapr-vty",
	"pl011",
	"sclpconsole",
	"sclplmconsole",
	"16550a",
	"isa-debugcon",
] as const;
export type SerialModel = (typeof SERIAL_MODELS)[number];

const model = element({
	name: attr(oneOf("none", ...SERIAL_MODELS), {
		absent: "none",
		code: "CONFIG_UNSUPPORTED",
		doc: "Model of the port, which follows from its kind.",
	}),
});

const target = element({
	type: attr(oneOf("none", ...SERIAL_TARGETS), {
		absent: "none",
		code: "CONFIG_UNSUPPORTED",
		doc: "Kind of the port; the machine's own where absent.",
	}),
	port: attr(uint, { doc: "Number of the port, from 0." }),
	model: child(model, { doc: "Model of the port." }),
});

const serialFields = element({
	type: chardevType("pty"),
	...chardevFields,
	target: child(target, { required: true, implied: true, doc: "What the guest sees." }),
	...deviceInfo,
});
/** A serial port. */
export type SerialDef = Infer<typeof serialFields>;
/** The <serial> element. */
export const serial: Schema<SerialDef> = {
	...serialFields,
	onRead: (value, found, context) => {
		settleChardev(value, found, context);
		if (value.type === "spicevmc")
			throw documentError(positionOf(value), "spicevmc device type only supports virtio", "CONFIG_UNSUPPORTED");
		if (value.target.type === "usb-serial" && value.address && value.address.type !== "usb")
			throw documentError(positionOf(value), "usb-serial requires address of usb type", "CONFIG_UNSUPPORTED");
	},
};
