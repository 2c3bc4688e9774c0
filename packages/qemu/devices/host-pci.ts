// What the host's sysfs says of one PCI device, where it says anything.

import { formatPciPlace, type PciPlace } from "../addresses/pci-set.ts";
import type { HostFiles } from "../host-files.ts";

const folder = (place: PciPlace): string => `/sys/bus/pci/devices/${formatPciPlace(place)}`;

/** Bytes of the configuration space of conventional PCI; that of PCI Express is larger. */
const CONVENTIONAL_BYTES = 256;

/** Whether the host's device is conventional PCI; false for PCI Express and for devices that are not there. */
export function isConventional(place: PciPlace, files: HostFiles): boolean {
	const size = files.size(`${folder(place)}/config`);
	return size !== undefined && size <= CONVENTIONAL_BYTES;
}

/** Number of the group of devices that the host's IOMMU cannot tell apart; undefined where there is none. */
export function iommuGroup(place: PciPlace, files: HostFiles): number | undefined {
	const group = files
		.link(`${folder(place)}/iommu_group`)
		?.split("/")
		.at(-1);
	return group === undefined ? undefined : Number(group);
}
