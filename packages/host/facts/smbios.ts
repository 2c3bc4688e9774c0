// The host's SMBIOS strings as the kernel shows them (/sys/class/dmi/id): who made the machine, what its firmware is.

import { HostFiles } from "./host-files.ts";

/** Sections and entries of libvirt's `<sysinfo type='smbios'>`, each with the kernel's file. */
const SECTIONS = {
	bios: { vendor: "bios_vendor", version: "bios_version", date: "bios_date", release: "bios_release" },
	system: {
		manufacturer: "sys_vendor",
		product: "product_name",
		version: "product_version",
		serial: "product_serial",
		uuid: "product_uuid",
		sku: "product_sku",
		family: "product_family",
	},
	baseBoard: {
		manufacturer: "board_vendor",
		product: "board_name",
		version: "board_version",
		serial: "board_serial",
		asset: "board_asset_tag",
	},
	chassis: {
		manufacturer: "chassis_vendor",
		version: "chassis_version",
		serial: "chassis_serial",
		asset: "chassis_asset_tag",
	},
} as const;

export type SmbiosSection = keyof typeof SECTIONS;

/** Entries by section; a section or entry that the firmware leaves empty is not there. */
export type Smbios = Readonly<Partial<Record<SmbiosSection, Readonly<Record<string, string>>>>>;

/** What the firmware tells; undefined where the host has no SMBIOS. Serial numbers and the UUID need root. */
export function readSmbios(files = new HostFiles()): Smbios | undefined {
	const sections = Object.entries(SECTIONS).flatMap(([section, entries]) => {
		const found = Object.entries(entries).flatMap(([entry, file]) => {
			const value = files.word(`sys/class/dmi/id/${file}`);
			return value === undefined ? [] : [[entry, value] as const];
		});
		return found.length === 0 ? [] : [[section, Object.fromEntries(found)] as const];
	});
	return sections.length === 0 ? undefined : Object.fromEntries(sections);
}
