// Devices of the host that are given to the guest.

import { oneOf, onOff, yesNo } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, flag, type Infer, type Loose, type Schema } from "@virtkit/xml/schema";
import { romDeviceInfo } from "./device-common.ts";
import {
	capabilitySource,
	hostPciDriver,
	mdevSource,
	pciSource,
	scsiHostSource,
	scsiSource,
	teaming,
	usbSource,
} from "./host-device.ts";
import { ipFields } from "./ip-address.ts";

const SUBSYSTEMS = ["usb", "pci", "scsi", "scsi_host", "mdev"] as const;
const CAPABILITIES = ["storage", "misc", "net"] as const;

const isSubsystem = (self: Loose): boolean => self.mode === "subsystem";
const isType =
	(...types: readonly string[]) =>
	(self: Loose): boolean =>
		isSubsystem(self) && types.includes(String(self.type));
const isCapability = (self: Loose): boolean => self.mode === "capabilities";

const source = <T>(schema: Schema<T>, type: string) =>
	child(schema, { name: "source", when: isType(type), doc: "The device of the host." });

const hostdevFields = element({
	mode: attr(oneOf("subsystem", "capabilities"), {
		default: "subsystem",
		code: "CONFIG_UNSUPPORTED",
		doc: "Whether a whole device is given, or a node of a container.",
	}),
	type: attr(oneOf(...SUBSYSTEMS, ...CAPABILITIES), { required: true, code: "CONFIG_UNSUPPORTED", doc: "Kind of it." }),
	managed: attr(
		{ ...yesNo, parse: (text) => text === "yes" },
		{ when: isSubsystem, default: false, doc: "Whether it is taken from its driver and given back." },
	),
	sgio: attr(oneOf("filtered", "unfiltered"), { when: isSubsystem, doc: "Whether the kernel filters SCSI commands." }),
	rawio: attr(yesNo, { when: isSubsystem, doc: "Whether QEMU gets the right to send any SCSI command." }),
	model: attr(
		oneOf("default", "virtio", "virtio-transitional", "virtio-non-transitional", "vfio-pci", "vfio-ccw", "vfio-ap"),
		{ when: isSubsystem, absent: "default", doc: "What the guest sees of a mediated device or SCSI adapter." },
	),
	display: attr(onOff, { when: isType("mdev", "pci"), doc: "Whether a mediated GPU shows the guest's screen." }),
	ramfb: attr(onOff, { when: isType("mdev", "pci"), doc: "Whether it shows the firmware's screen as well." }),
	driver: child(hostPciDriver, { when: isType("pci"), doc: "Driver on the host." }),
	usb: source(usbSource, "usb"),
	pci: source(pciSource, "pci"),
	scsi: source(scsiSource, "scsi"),
	scsiHost: source(scsiHostSource, "scsi_host"),
	mdev: source(mdevSource, "mdev"),
	capability: child(capabilitySource, { name: "source", when: isCapability, doc: "The node of the host." }),
	ip: { ...ipFields.ip, when: isCapability },
	route: { ...ipFields.route, when: isCapability },
	teaming: child(teaming, { doc: "Interface that the guest joins it with." }),
	readonly: flag({ when: isType("scsi"), doc: "The guest cannot write." }),
	shareable: flag({ when: isType("scsi"), doc: "Several guests may use it at once." }),
	...romDeviceInfo,
});

/** A device of the host. */
export type HostdevDef = Infer<typeof hostdevFields>;
/** The <hostdev> element. */
export const hostdev: Schema<HostdevDef> = { ...hostdevFields, onRead: check };

const VHOST_MODELS: readonly unknown[] = [undefined, "virtio", "virtio-transitional", "virtio-non-transitional"];
const MDEV_MODELS: readonly unknown[] = ["vfio-pci", "vfio-ccw", "vfio-ap"];

/** What stands in the field of the source of each type. */
const SOURCES = {
	usb: "usb",
	pci: "pci",
	scsi: "scsi",
	scsi_host: "scsiHost",
	mdev: "mdev",
} as const;

function check(value: HostdevDef): void {
	const { mode, type, model } = value;
	const fail = (message: string, code?: Parameters<typeof documentError>[2]): never => {
		throw documentError(positionOf(value), message, code);
	};
	const isKnown = (mode === "subsystem" ? SUBSYSTEMS : CAPABILITIES).some((known) => known === type);
	if (!isKnown) fail(`unknown host device source address type '${type}'`, "CONFIG_UNSUPPORTED");
	if (mode === "capabilities") {
		if (!value.capability) fail("Missing <source> element in hostdev device");
		return;
	}
	if (!value[SOURCES[type as keyof typeof SOURCES]]) fail("Missing <source> element in hostdev device");
	for (const name of ["sgio", "rawio"] as const)
		if (value[name] !== undefined && type !== "scsi") fail(`${name} is only supported for scsi host device`);
	if (type === "mdev") {
		if (!MDEV_MODELS.includes(model)) fail(`Missing or unknown required attribute 'model' of a mediated device`);
	} else if (type === "scsi_host") {
		if (!VHOST_MODELS.includes(model)) fail(`Invalid value for attribute 'model' in element 'hostdev': '${model}'`);
	} else if (model !== undefined) fail(`'model' attribute in <hostdev> is not supported when type='${type}'`);
}
