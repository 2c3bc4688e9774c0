// What devices of many kinds share: boot order, option ROM, ACPI index, virtio options, and the fields that hold them.

import { integer, matching, onOff, str, yesNo } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer } from "@virtkit/xml/schema";
import { address } from "./address.ts";
import { alias } from "./alias.ts";
import { numberSetCode, someNumbers } from "./number-sets.ts";

/** A number from 1 that fits 32 bits. */
const positive = integer({ min: 1, max: 0xffffffff });

/** The name that s390x firmware is told: up to eight of A–Z, 0–9, dot and blank. */
export const loadparm = matching(/^[a-zA-Z0-9. ]{1,8}$/, "1 to 8 letters, digits, dots or blanks", (text) =>
	text.toUpperCase(),
);

/** The device's place in the order in which firmware tries devices. */
export const boot = element({
	order: attr(positive, {
		required: true,
		doc: "Place in the boot order, from 1; unique in the guest.",
	}),
	loadparm: attr(loadparm, {
		code: "INTERNAL_ERROR",
		doc: "Which boot entry an s390x guest loads.",
	}),
});

/** The option ROM of a PCI device. */
export const rom = element(
	{
		enabled: attr(yesNo, {
			doc: "Whether the device has an option ROM at all.",
		}),
		bar: attr(onOff, {
			doc: "Whether the ROM is visible in the guest's memory map.",
		}),
		file: attr(str, { doc: "Image file on the host that is the ROM." }),
	},
	{
		onRead: (value) => {
			if (value.enabled === false && (value.bar !== undefined || value.file !== undefined))
				throw documentError(
					positionOf(value),
					"ROM tuning is not supported when ROM is disabled",
					"CONFIG_UNSUPPORTED",
				);
		},
	},
);

/** ACPI data of a PCI device. */
export const acpi = element({
	index: attr(positive, {
		doc: "Stable index from which Linux names a network interface (enoN); unique in the guest.",
	}),
	nodeset: attr(someNumbers, { code: numberSetCode, doc: "NUMA nodes of the guest that the device is near to." }),
});

const bootField = {
	boot: child(boot, { doc: "The device's place in the boot order." }),
};
const acpiField = { acpi: child(acpi, { doc: "ACPI data of the device." }) };
const addressField = {
	address: child(address, { doc: "Where in the guest the device sits." }),
};

/** Last children of every device: alias, acpi, address. */
export const deviceInfo = { alias, ...acpiField, ...addressField };
/** The same of a device that can be booted from. */
export const bootDeviceInfo = { ...bootField, ...deviceInfo };
/** The same of a device that can be booted from and has an option ROM. */
export const romDeviceInfo = {
	...bootField,
	alias,
	rom: child(rom, { doc: "The device's option ROM." }),
	...acpiField,
	...addressField,
};

/** What every device definition has at least. */
export const device = element(deviceInfo);
/** Any device, seen through what all have in common. */
export type DeviceInfo = Infer<typeof device>;

/** Attributes of <driver> that every virtio device has. */
export const virtioOptions = {
	iommu: attr(onOff, {
		doc: "The device goes through the guest's emulated IOMMU.",
	}),
	ats: attr(onOff, {
		doc: "Address translation service of PCIe for the device.",
	}),
	packed: attr(onOff, { doc: "Packed virtqueues (virtio 1.1)." }),
	page_per_vq: attr(onOff, {
		doc: "A page of its own for each virtqueue's notification.",
	}),
};
/** A <driver> element that holds nothing but virtio options. */
export const virtioDriver = element(virtioOptions);
export type VirtioOptions = Infer<typeof virtioDriver>;
