// Controllers of a command line as <controller> elements, by QEMU's names of them.

import { type XmlElement, xmlElement } from "@virtkit/xml/node";
import { type Props, textOf } from "./native-options.ts";
import { placeOf } from "./place.ts";

interface Kind {
	readonly type: string;
	readonly model?: string;
	/** Ids are this, then the index; index 0 may have none. */
	readonly id: RegExp;
	/** What is particular to it. */
	target?(props: Props): XmlElement;
	driver?(props: Props): XmlElement | undefined;
}

const USB = { type: "usb", id: /^usb(\d*)$/ };
const PCI = { type: "pci", id: /^pci\.(\d+)$/ };
const SCSI = { type: "scsi", id: /^scsi(\d*)$/ };

const usb = (model: string): Kind => ({ ...USB, model });
const scsi = (model: string): Kind => ({ ...SCSI, model });
const pci = (model: string, target?: Kind["target"]): Kind => ({ ...PCI, model, ...(target && { target }) });

const rootPort = ({ chassis, port }: Props): XmlElement =>
	xmlElement("target", { chassis: textOf(chassis), port: `0x${Number(textOf(port)).toString(16)}` });
const expander = ({ bus_nr, numa_node }: Props): XmlElement =>
	xmlElement("target", { busNr: textOf(bus_nr) }, [
		numa_node === undefined ? undefined : xmlElement("node", {}, [textOf(numa_node) ?? ""]),
	]);

const scsiDriver = ({ num_queues, cmd_per_lun, max_sectors, ioeventfd, iothread }: Props): XmlElement =>
	xmlElement("driver", {
		queues: textOf(num_queues),
		cmd_per_lun: textOf(cmd_per_lun),
		max_sectors: textOf(max_sectors),
		ioeventfd: ioeventfd === undefined ? undefined : ioeventfd === true ? "on" : "off",
		iothread: /^iothread(\d+)$/.exec(textOf(iothread) ?? "")?.[1],
	});

/** By QEMU's name of the device; the companions of an EHCI controller stand for themselves. */
const KINDS: Readonly<Record<string, Kind>> = {
	"pcie-root-port": pci("pcie-root-port", rootPort),
	"pci-bridge": pci("pci-bridge", ({ chassis_nr }) => xmlElement("target", { chassisNr: textOf(chassis_nr) })),
	"pcie-pci-bridge": pci("pcie-to-pci-bridge"),
	"i82801b11-bridge": pci("dmi-to-pci-bridge"),
	"x3130-upstream": pci("pcie-switch-upstream-port"),
	"xio3130-downstream": pci("pcie-switch-downstream-port", rootPort),
	pxb: pci("pci-expander-bus", expander),
	"pxb-pcie": pci("pcie-expander-bus", expander),
	"piix3-usb-uhci": usb("piix3-uhci"),
	"piix4-usb-uhci": usb("piix4-uhci"),
	"usb-ehci": usb("ehci"),
	"ich9-usb-ehci1": usb("ich9-ehci1"),
	"ich9-usb-uhci1": usb("ich9-uhci1"),
	"ich9-usb-uhci2": usb("ich9-uhci2"),
	"ich9-usb-uhci3": usb("ich9-uhci3"),
	"vt82c686b-usb-uhci": usb("vt82c686b-uhci"),
	"pci-ohci": usb("pci-ohci"),
	"nec-usb-xhci": usb("nec-xhci"),
	"qemu-xhci": usb("qemu-xhci"),
	"virtio-scsi-pci": { ...scsi("virtio-scsi"), driver: scsiDriver },
	"virtio-scsi-ccw": { ...scsi("virtio-scsi"), driver: scsiDriver },
	lsi: scsi("lsilogic"),
	mptsas1068: scsi("lsisas1068"),
	megasas: scsi("lsisas1078"),
	pvscsi: scsi("vmpvscsi"),
	ahci: { type: "sata", id: /^sata(\d*)$/ },
	"usb-ccid": { type: "ccid", id: /^ccid(\d*)$/ },
	"virtio-serial-pci": { type: "virtio-serial", id: /^virtio-serial(\d*)$/ },
	"virtio-serial-ccw": { type: "virtio-serial", id: /^virtio-serial(\d*)$/ },
};

/** The <controller> of a device; undefined where it is none. */
export function nativeController(props: Props): XmlElement | undefined {
	const kind = KINDS[textOf(props.driver) ?? ""];
	if (kind === undefined) return undefined;
	const { type, model } = kind;
	// A companion has no id of its own: it is named after the controller that it stands beside.
	const id = textOf(props.id) ?? (textOf(props.masterbus) ?? "").replace(/\.0$/, "");
	const index = kind.id.exec(id)?.[1];
	const ports = props.p2 ?? props.ports;
	return xmlElement(
		"controller",
		{
			type,
			index: index === undefined ? undefined : index || 0,
			model,
			ports: type === "usb" ? textOf(ports) : textOf(props.max_ports),
			vectors: textOf(props.vectors),
		},
		[
			kind.target?.(props),
			kind.driver?.(props),
			props.masterbus === undefined ? undefined : xmlElement("master", { startport: textOf(props.firstport) }),
			...placeOf(props),
		],
	);
}
