// USB devices of a client that are redirected into the guest, and the filter that decides which may be.

import { type Codec, oneOf, parseInteger, yesNo } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, element, type Infer, list, type Schema } from "@virtkit/xml/schema";
import { CHARDEV_TYPES, chardevFields, settleChardev } from "./chardev.ts";
import { bootDeviceInfo } from "./device-common.ts";

const redirdevFields = element({
	bus: attr(oneOf("usb"), { default: "usb", code: "CONFIG_UNSUPPORTED", doc: "Bus of the device: usb." }),
	type: attr(oneOf(...CHARDEV_TYPES), {
		required: true,
		missing: "INTERNAL_ERROR",
		code: "CONFIG_UNSUPPORTED",
		doc: "Kind of the host's side.",
	}),
	...chardevFields,
	...bootDeviceInfo,
});
/** A redirected USB device. */
export type RedirdevDef = Infer<typeof redirdevFields>;
/** The <redirdev> element. */
export const redirdev: Schema<RedirdevDef> = {
	...redirdevFields,
	onRead: (value, found, context) => {
		settleChardev(value, found, context);
		if (value.type === "dbus") {
			value.source ??= { mode: "connect", seclabels: [] };
			value.source.channel ??= "org.qemu.usbredir";
		}
		if (value.address && value.address.type !== "usb")
			throw documentError(positionOf(value), "Invalid address for a USB device");
	},
};

/** A number written in upper-case hexadecimal; negative ones mean any and are dropped. */
const upperHex = (digits: number): Codec<number> => ({
	parse: (text) => parseInteger(text),
	format: (value) => `0x${value.toString(16).toUpperCase().padStart(digits, "0")}`,
	allowed: "a number, or -1 for any",
	json: { type: "integer" },
});

const VERSION = /^\s*(\d{1,2})\.(\d{1,2})$/;

/** A USB version such as 2.0 or 1.10, as binary-coded decimal 0x0200 or 0x0110; -1 for any. */
const usbVersion: Codec<number> = {
	parse: (text) => {
		if (text === "-1") return -1;
		const [, major = "", minor = ""] = VERSION.exec(text) ?? [];
		return major === "" ? undefined : Number.parseInt(major.padStart(2, "0") + minor.padEnd(2, "0"), 16);
	},
	format: (value) => {
		const digits = value.toString(16).padStart(4, "0");
		return `${Number(digits.slice(0, 2))}.${digits.slice(2)}`;
	},
	allowed: "a version such as 2.0, or -1 for any",
	json: { type: "integer" },
};

const any = { absent: -1 } as const;
const usbdev = element(
	{
		class: attr(upperHex(2), { ...any, doc: "Class of the device." }),
		vendor: attr(upperHex(4), { ...any, doc: "Who made it." }),
		product: attr(upperHex(4), { ...any, doc: "What it is." }),
		version: attr(usbVersion, { ...any, doc: "Version of the device." }),
		allow: attr(yesNo, { required: true, doc: "Whether such a device may be redirected." }),
	},
	{
		onRead: (value) => {
			const { class: code } = value;
			if (code !== undefined && (code < 0 || code > 0xff))
				throw documentError(positionOf(value), `Invalid USB Class code ${code}`, "INTERNAL_ERROR");
		},
	},
);
/** One rule of the filter. */
export type RedirFilterRule = Infer<typeof usbdev>;

/** The <redirfilter> element: the first rule that fits decides. */
export const redirfilter = element({ usbdev: list(usbdev, { doc: "A rule." }) });
export type RedirFilterDef = Infer<typeof redirfilter>;
