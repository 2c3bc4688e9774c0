// What the host's sysfs says of one PCI device, where it says anything.

import { readlinkSync, statSync } from "node:fs";
import { basename } from "node:path";
import { formatPciPlace, type PciPlace } from "../addresses/pci-set.ts";

const folder = (place: PciPlace): string => `/sys/bus/pci/devices/${formatPciPlace(place)}`;

/** Bytes of the configuration space of conventional PCI; that of PCI Express is larger. */
const CONVENTIONAL_BYTES = 256;

/** Whether the host's device is conventional PCI; false for PCI Express and for devices that are not there. */
export function isConventional(place: PciPlace): boolean {
	const config = statSync(`${folder(place)}/config`, { throwIfNoEntry: false });
	return config !== undefined && config.size <= CONVENTIONAL_BYTES;
}

/** Number of the group of devices that the host's IOMMU cannot tell apart; undefined where there is none. */
export function iommuGroup(place: PciPlace): number | undefined {
	try {
		return Number(basename(readlinkSync(`${folder(place)}/iommu_group`)));
	} catch {
		return undefined;
	}
}
