// Where a device of a command line sits, and its id, as elements of its definition.

import { type XmlElement, xmlElement } from "@virtkit/xml/node";
import { type Props, textOf } from "./native-options.ts";

export type Content = readonly (XmlElement | undefined)[];

/** An element with one text. */
export const leaf = (name: string, text: string | undefined): XmlElement | undefined =>
	text === undefined ? undefined : xmlElement(name, {}, [text]);

const number = (text: string | undefined): number => Number.parseInt(text ?? "0", 16);

/** The <address> of a PCI device: bus `pci.N` or `pcie.0`, slot and function as `addr` has them. */
function pciAddress({ bus, addr, multifunction }: Props): XmlElement | undefined {
	const on = /^pcie?\.(\d+)$/.exec(textOf(bus) ?? "");
	if (on === null || addr === undefined) return undefined;
	const [slot, inSlot] = (textOf(addr) ?? "").split(".");
	return xmlElement("address", {
		type: "pci",
		bus: Number(on[1]),
		slot: number(slot),
		function: number(inSlot),
		multifunction: multifunction === undefined ? undefined : "on",
	});
}

/** The <address> of a USB device: bus `usb.0` or `usbN.0`. */
function usbAddress({ bus, port }: Props): XmlElement | undefined {
	const on = /^usb(\d*)\.0$/.exec(textOf(bus) ?? "");
	return on && port !== undefined
		? xmlElement("address", { type: "usb", bus: on[1] || 0, port: textOf(port) })
		: undefined;
}

/** The <address> of a port of a virtio-serial controller. */
function serialAddress({ bus, nr }: Props): XmlElement | undefined {
	const on = /^virtio-serial(\d+)\.0$/.exec(textOf(bus) ?? "");
	return on && nr !== undefined
		? xmlElement("address", { type: "virtio-serial", controller: on[1], bus: 0, port: textOf(nr) })
		: undefined;
}

/** The <address> of a channel device of s390x. */
function ccwAddress({ devno }: Props): XmlElement | undefined {
	const found = /^([0-9a-f]+)\.([0-9a-f])\.([0-9a-f]{4})$/.exec(textOf(devno) ?? "");
	return found
		? xmlElement("address", { type: "ccw", cssid: `0x${found[1]}`, ssid: `0x${found[2]}`, devno: `0x${found[3]}` })
		: undefined;
}

/** Where the device sits, what it is booted after, and its id where a user chose it. */
export function placeOf(props: Props): Content {
	const id = textOf(props.id);
	return [
		pciAddress(props) ?? usbAddress(props) ?? serialAddress(props) ?? ccwAddress(props),
		props.bootindex === undefined ? undefined : xmlElement("boot", { order: textOf(props.bootindex) }),
		id?.startsWith("ua-") ? xmlElement("alias", { name: id }) : undefined,
	];
}
