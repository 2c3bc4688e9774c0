// Controllers: the buses of the guest and the adapters that disks, USB devices and channels are plugged into.

import { type Codec, hex, integer, oneOf, onOff, str, uint, ulong } from "@virtkit/xml/codec";
import { elementsOf, type XmlElement } from "@virtkit/xml/node";
import { documentError } from "@virtkit/xml/read";
import { amountLeaf } from "@virtkit/xml/scaled";
import { attr, child, element, type Infer, type Loose, leaf, type Schema } from "@virtkit/xml/schema";
import { deviceInfo, virtioOptions } from "./device-common.ts";
import { queueThreads } from "./queue-threads.ts";

const VIRTIO_SCSI = ["virtio-scsi", "virtio-transitional", "virtio-non-transitional"] as const;

/** Models of each type of controller; types without models take none. */
export const CONTROLLER_MODELS = {
	ide: ["piix3", "piix4", "ich6"],
	fdc: [],
	scsi: [
		"auto",
		"buslogic",
		"lsilogic",
		"lsisas1068",
		"vmpvscsi",
		"ibmvscsi",
		"lsisas1078",
		"ncr53c90",
		"dc390",
		"am53c974",
		...VIRTIO_SCSI,
	],
	sata: [],
	"virtio-serial": ["virtio", "virtio-transitional", "virtio-non-transitional"],
	ccid: [],
	usb: [
		"piix3-uhci",
		"piix4-uhci",
		"ehci",
		"ich9-ehci1",
		"ich9-uhci1",
		"ich9-uhci2",
		"ich9-uhci3",
		"vt82c686b-uhci",
		"pci-ohci",
		"nec-xhci",
		"qusb1",
		"qusb2",
		"qemu-xhci",
		"none",
	],
	pci: [
		"pci-root",
		"pcie-root",
		"pci-bridge",
		"dmi-to-pci-bridge",
		"pcie-to-pci-bridge",
		"pcie-root-port",
		"pcie-switch-upstream-port",
		"pcie-switch-downstream-port",
		"pci-expander-bus",
		"pcie-expander-bus",
	],
	xenbus: [],
	isa: [],
	nvme: [],
} as const;
export type ControllerType = keyof typeof CONTROLLER_MODELS;
export type ControllerModel = (typeof CONTROLLER_MODELS)[ControllerType][number];
export type PciControllerModel = (typeof CONTROLLER_MODELS)["pci"][number];
export type UsbControllerModel = (typeof CONTROLLER_MODELS)["usb"][number];
export type ScsiControllerModel = (typeof CONTROLLER_MODELS)["scsi"][number];

const TYPES = Object.keys(CONTROLLER_MODELS) as ControllerType[];
const MODELS = [...new Set(Object.values(CONTROLLER_MODELS).flat())] as ControllerModel[];

/** The QEMU device that a PCI controller is (virDomainControllerPCIModelName). */
export const PCI_MODEL_NAMES = [
	"pci-bridge",
	"i82801b11-bridge",
	"ioh3420",
	"x3130-upstream",
	"xio3130-downstream",
	"pxb",
	"pxb-pcie",
	"pcie-root-port",
	"spapr-pci-host-bridge",
	"pcie-pci-bridge",
] as const;
export type PciModelName = (typeof PCI_MODEL_NAMES)[number];

const count = integer({ min: 0, max: 0x7fffffff });
/** As C's base 0 reads it. */
const number = integer({ min: 0, max: 0x7fffffff, base: "auto" });
const port: Codec<number> = hex(1, 0x7fffffff);

const isType =
	(...types: readonly ControllerType[]) =>
	(self: Loose): boolean =>
		types.includes(self.type as ControllerType);

const driver = element({
	queues: attr(uint, { absent: 0, doc: "Request queues of a virtio SCSI controller." }),
	cmd_per_lun: attr(uint, { absent: 0, doc: "Commands that may wait for one unit." }),
	max_sectors: attr(uint, { absent: 0, doc: "Sectors of the largest request." }),
	ioeventfd: attr(onOff, { doc: "Whether the guest's notifications are handled outside its virtual CPU." }),
	iothread: attr(uint, { absent: 0, doc: "Number of the I/O thread that serves the controller." }),
	...virtioOptions,
	iothreads: child(queueThreads, { doc: "I/O threads that serve the queues of a virtio SCSI controller." }),
});

const modelName = element({
	name: attr(oneOf("none", ...PCI_MODEL_NAMES), { absent: "none", doc: "The QEMU device." }),
});

const target = element({
	chassisNr: attr(number, { doc: "Number of a pci-bridge, 1 to 255, unique in the guest." }),
	chassis: attr(number, { doc: "Chassis of a PCIe port, 0 to 255." }),
	port: attr(port, { doc: "Port number of a PCIe port, 0 to 255." }),
	busNr: attr(number, { doc: "Bus number of an expander bus, 1 to 254." }),
	index: attr(number, { doc: "Number of a pSeries host bridge, 0 to 31." }),
	hotplug: attr(onOff, { doc: "Whether devices can be plugged into it while the guest runs." }),
	memReserve: attr(ulong, { doc: "KiB of memory addresses that firmware keeps free behind a PCIe root port." }),
	node: leaf(count, { doc: "NUMA node of the guest that the bus belongs to." }),
});

const master = element({
	startport: attr(uint, { default: 0, doc: "First port of the EHCI controller that it serves." }),
});

/** Ports of the EHCI controller that its UHCI companions serve. */
const COMPANION_PORTS: Readonly<Record<string, number>> = { "ich9-uhci1": 0, "ich9-uhci2": 2, "ich9-uhci3": 4 };

const hasHole = (self: Loose): boolean => self.model === "pci-root" || self.model === "pcie-root";
/** A USB controller of model none stands for "no USB": it has no place in the guest. */
const isDevice = (self: Loose): boolean => !(self.type === "usb" && self.model === "none");

const controllerFields = element({
	type: attr(oneOf(...TYPES), { default: "ide", doc: "Kind of the controller." }),
	index: attr(count, { doc: "Number of the controller within its type: what addresses name." }),
	model: attr(oneOf(...MODELS), { code: "CONFIG_UNSUPPORTED", doc: "Model of that type." }),
	ports: attr(count, {
		show: isType("virtio-serial", "usb"),
		doc: "Ports of a virtio-serial or USB controller.",
	}),
	vectors: attr(count, { when: isType("virtio-serial"), doc: "Interrupt vectors." }),
	maxGrantFrames: attr(count, { when: isType("xenbus"), doc: "Grant frames of a Xen guest." }),
	maxEventChannels: attr(count, { when: isType("xenbus"), doc: "Event channels of a Xen guest." }),
	modelName: child(modelName, {
		name: "model",
		when: isType("pci"),
		show: showsModelName,
		doc: "The QEMU device it is.",
	}),
	target: child(target, { when: isType("pci"), doc: "What the guest sees of a PCI controller." }),
	driver: child(driver, { doc: "How QEMU serves the controller." }),
	alias: deviceInfo.alias,
	master: child(master, { when: isDevice, doc: "Marks a companion of an EHCI controller." }),
	acpi: deviceInfo.acpi,
	address: { ...deviceInfo.address, when: isDevice },
	serial: leaf(str, { when: isType("nvme"), doc: "Serial number of an NVMe controller." }),
	pcihole64: amountLeaf("pcihole64", { when: hasHole, doc: "Size of the 64-bit window of a root bus." }),
});

/** A controller. */
export type ControllerDef = Infer<typeof controllerFields>;
/** The <controller> element. */
export const controller: Schema<ControllerDef> = { ...controllerFields, onRead: settle };

/** pSeries' default host bridge had no model name once; documents for migration leave it out. */
function showsModelName(self: Loose, options: { readonly migratable?: boolean }): boolean {
	const { name } = (self.modelName ?? {}) as Loose;
	return !(options.migratable && self.model === "pci-root" && name === "spapr-pci-host-bridge");
}

function settle(value: ControllerDef, found: XmlElement): void {
	const models: readonly string[] = CONTROLLER_MODELS[value.type];
	if (value.model !== undefined && !models.includes(value.model))
		throw documentError(found, `Unknown model type '${value.model}' of ${value.type} controller`, "CONFIG_UNSUPPORTED");
	for (const name of ["model", "target"])
		if (elementsOf(found).filter((each) => each.name === name).length > 1)
			throw documentError(found, `Multiple <${name}> elements in controller definition not allowed`);
	const startport = value.type === "usb" ? COMPANION_PORTS[value.model ?? ""] : undefined;
	if (startport !== undefined) value.master ??= { startport };
}
