// Devices of the host that are given to a guest: how <source> names a PCI, USB, SCSI or mediated device of the host.

import { type Codec, hex, integer, oneOf, str, uint64, uuid, yesNo } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, leaf, list, type Schema } from "@virtkit/xml/schema";
import { host, initiator } from "./disk-source.ts";
import { auth } from "./secret-reference.ts";

const number = (digits: number): Codec<number> => hex(digits, 0xffffffff);
const pciFunction: Codec<number> = { ...number(1), format: (value) => `0x${value}` };
/** As C's base 0 reads it. */
const anyBase = integer({ min: 0, max: 0xffffffff, base: "auto" });

/** The word on <address type='…'/> where the element around does not say the kind. */
const kindField = <W extends string>(word: W) => ({ type: attr(oneOf(word), { doc: "Kind of the device." }) });

const pciAddressFields = {
	domain: attr(number(4), { default: 0, doc: "PCI domain." }),
	bus: attr(number(2), { default: 0, doc: "PCI bus." }),
	slot: attr(number(2), { default: 0, doc: "Slot on that bus." }),
	function: attr(pciFunction, { default: 0, doc: "Function in that slot." }),
};

const PCI_MAX = { bus: 0xff, slot: 0x1f, function: 7 } as const;

function checkPciAddress(value: { domain: number; bus: number; slot: number; function: number }): void {
	if (!value.domain && !value.bus && !value.slot) return;
	for (const [name, max] of Object.entries(PCI_MAX) as [keyof typeof PCI_MAX, number][])
		if (value[name] > max)
			throw documentError(
				positionOf(value),
				`Invalid PCI address ${name}='0x${value[name].toString(16)}', must be <= 0x${max.toString(16).toUpperCase()}`,
			);
}

const hostPciAddressFields = element(pciAddressFields);
/** A PCI function of the host. */
export type HostPciAddress = Infer<typeof hostPciAddressFields>;
const hostPciAddress: Schema<HostPciAddress> = { ...hostPciAddressFields, onRead: checkPciAddress };

const writeFiltering = attr(yesNo, { doc: "Whether writes to the device's configuration space are filtered (Xen)." });

const pciSourceFields = element({
	writeFiltering,
	address: child(hostPciAddress, { required: true, implied: true, keepEmpty: true, doc: "The function." }),
});
/** A PCI device of the host. */
export type HostPciSource = Infer<typeof pciSourceFields>;
/** <source> of a PCI host device. */
export const pciSource: Schema<HostPciSource> = pciSourceFields;
/** The same in an interface, where the address says that it is a PCI one. */
export const typedPciSource = element({
	writeFiltering,
	address: child(element({ ...kindField("pci"), ...pciAddressFields }, { onRead: checkPciAddress }), {
		required: true,
		implied: true,
		doc: "The function.",
	}),
});

const usbId = (digits: number): Codec<number> => integer({ min: 0, max: 0xffffffff, hexDigits: digits, base: "auto" });
const vendor = element({
	id: attr(
		{ ...usbId(4), parse: (text) => usbId(4).parse(text) || undefined },
		{ required: true, doc: "USB vendor, not 0." },
	),
});
const product = element({ id: attr(usbId(4), { required: true, doc: "USB product." }) });

const usbFields = {
	startupPolicy: attr(oneOf("mandatory", "requisite", "optional"), {
		doc: "Whether the guest starts without the device.",
	}),
	autoAddress: attr(yesNo, {
		show: (self: { readonly autoAddress?: unknown }, options: { readonly migratable?: boolean }) =>
			self.autoAddress === true && options.migratable === true,
		doc: "Set where the address was found by vendor and product.",
	}),
	missing: attr(yesNo, { live: true, doc: "Set where the device is not there." }),
	guestReset: attr(oneOf("off", "uninitialized", "on"), { doc: "Whether the guest may reset the device." }),
	vendor: child(vendor, { doc: "Who made it." }),
	product: child(product, { doc: "What it is." }),
};

const usbAddressFields = {
	bus: attr(anyBase, { required: true, doc: "USB bus of the host." }),
	device: attr(anyBase, { doc: "Number of the device on that bus." }),
};
/** What the device may be found by in its number's place. */
const usbPort = attr(str, { doc: "Port of that bus that the device is plugged into, 1.2." });

function checkUsb(value: {
	vendor?: unknown;
	product?: unknown;
	address?: { device?: number | undefined; port?: string | undefined } | undefined;
}): void {
	if (value.address && value.address.device === undefined && value.address.port === undefined)
		throw documentError(positionOf(value), "Missing required attribute 'device' in element 'address'");
	if ((value.vendor === undefined) !== (value.product === undefined))
		throw documentError(
			positionOf(value),
			value.vendor === undefined ? "missing vendor" : "missing product",
			"INTERNAL_ERROR",
		);
}

const hasAddress = (self: { readonly address?: unknown }): boolean => {
	const { bus, device, port } = (self.address ?? {}) as { bus?: number; device?: number; port?: string };
	return Boolean(bus || device || port);
};

const usbSourceFields = element({
	...usbFields,
	address: child(element({ ...usbAddressFields, port: usbPort }), {
		show: hasAddress,
		doc: "Where the device is plugged in.",
	}),
});
/** A USB device of the host. */
export type HostUsbSource = Infer<typeof usbSourceFields>;
/** <source> of a USB host device. */
export const usbSource: Schema<HostUsbSource> = { ...usbSourceFields, onRead: checkUsb };
/** The same in an interface. */
export const typedUsbSource = element(
	{
		...usbFields,
		address: child(element({ ...kindField("usb"), ...usbAddressFields }), {
			show: hasAddress,
			doc: "Where the device is plugged in.",
		}),
	},
	{ onRead: checkUsb },
);

const isIscsi = (self: { readonly protocol?: unknown }): boolean => self.protocol === "iscsi";
const isHostScsi = (self: { readonly protocol?: unknown }): boolean => !isIscsi(self);

const scsiAddress = element({
	bus: attr(anyBase, { required: true, doc: "Channel of the adapter." }),
	target: attr(anyBase, { required: true, doc: "Target on that channel." }),
	unit: attr(uint64, { required: true, doc: "Unit of that target." }),
});

const scsiSourceFields = element({
	protocol: attr(oneOf("adapter", "iscsi"), {
		absent: "adapter",
		code: "CONFIG_UNSUPPORTED",
		doc: "iscsi for a unit of an iSCSI target; an adapter of the host otherwise.",
	}),
	name: attr(str, { when: isIscsi, doc: "Name of the iSCSI target, with /UNIT." }),
	adapter: child(element({ name: attr(str, { doc: "Name of the adapter, scsi_hostN." }) }), {
		when: isHostScsi,
		doc: "Adapter of the host.",
	}),
	address: child(scsiAddress, { when: isHostScsi, doc: "Unit of that adapter." }),
	host: list(host, { when: isIscsi, doc: "The iSCSI server." }),
	auth: child(auth, { when: isIscsi, doc: "Authentication towards it." }),
	initiator: child(initiator, { when: isIscsi, doc: "Who the server sees." }),
});
/** A SCSI unit of the host or of an iSCSI server. */
export type HostScsiSource = Infer<typeof scsiSourceFields>;
/** <source> of a SCSI host device. */
export const scsiSource: Schema<HostScsiSource> = { ...scsiSourceFields, onRead: checkScsi };

function checkScsi(value: HostScsiSource): void {
	const fail = (message: string, code?: Parameters<typeof documentError>[2]): never => {
		throw documentError(positionOf(value), message, code);
	};
	if (!isIscsi(value)) {
		if (!value.address) fail("'address' must be specified for scsi hostdev source");
		if (value.adapter?.name === undefined) fail("'adapter' name must be specified for scsi hostdev source");
		return;
	}
	if (value.name === undefined) fail("missing iSCSI hostdev source path name");
	if (value.host.length === 0) fail("missing the host address for the iSCSI hostdev");
	if (value.host.length > 1) fail("only one source host address may be specified for the iSCSI hostdev");
	const secret = value.auth?.secret.type;
	if (value.auth && secret !== "iscsi") fail(`hostdev invalid secret type '${secret ?? ""}'`, "INTERNAL_ERROR");
}

const WWPN = /^naa\.[0-9a-fA-F]{16}$/;

/** <source> of a SCSI host adapter that the kernel serves (vhost-scsi). */
export const scsiHostSource = element(
	{
		protocol: attr(oneOf("vhost"), { required: true, code: "CONFIG_UNSUPPORTED", doc: "vhost." }),
		wwpn: attr(str, { doc: "Name of the kernel's target, naa. and 16 hexadecimal digits." }),
	},
	{
		onRead: (value) => {
			if (value.wwpn === undefined) throw documentError(positionOf(value), "missing vhost-scsi hostdev source wwpn");
			if (!WWPN.test(value.wwpn)) throw documentError(positionOf(value), `malformed 'wwpn' value '${value.wwpn}'`);
		},
	},
);
export type ScsiHostSource = Infer<typeof scsiHostSource>;

/** <source> of a mediated device: a share of a device of the host. */
export const mdevSource = element(
	{
		address: child(element({ uuid: attr(uuid, { code: "INTERNAL_ERROR", doc: "UUID of the mediated device." }) }), {
			doc: "The device.",
		}),
	},
	{
		onRead: (value) => {
			if (value.address?.uuid === undefined)
				throw documentError(
					positionOf(value),
					value.address ? "Missing 'uuid' attribute for element <address>" : "Missing <address> element",
					"CONFIG_UNSUPPORTED",
				);
		},
	},
);
export type MdevSource = Infer<typeof mdevSource>;

/** The <driver> of a PCI host device: who hands it over. */
export const hostPciDriver = element({
	name: attr(oneOf("kvm", "vfio", "xen"), { doc: "Driver on the host: vfio." }),
	model: attr(str, { absent: "", doc: "Kernel module that is used in place of vfio-pci." }),
	iommufd: attr(yesNo, { doc: "Whether the device is handed over by /dev/iommu." }),
});

/** <source> of a capability of the host: a device node or interface of a container. */
export const capabilitySource = element({
	block: leaf(str, { doc: "Block device." }),
	char: leaf(str, { doc: "Character device." }),
	interface: leaf(str, { doc: "Network interface." }),
});

/** Two interfaces that the guest joins into one: the one that stays during migration, and the one that goes. */
export const teaming = element(
	{
		type: attr(oneOf("persistent", "transient"), { code: "CONFIG_UNSUPPORTED", doc: "Which of the two it is." }),
		persistent: attr(str, { doc: "Alias of the one that stays, on the one that goes." }),
	},
	{
		onRead: (value) => {
			if (value.type === undefined && value.persistent !== undefined)
				throw documentError(positionOf(value), "unknown teaming type '(null)'", "CONFIG_UNSUPPORTED");
		},
	},
);
export type TeamingDef = Infer<typeof teaming>;
