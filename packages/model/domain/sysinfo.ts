// What the guest reads in its SMBIOS tables and in QEMU's fw_cfg.

import { nonEmpty, str } from "@virtkit/xml/codec";
import { elementsOf, textOf } from "@virtkit/xml/node";
import { documentError } from "@virtkit/xml/read";
import {
	attr,
	child,
	element,
	type Infer,
	list,
	type SpecialField,
	special,
	text,
	variants,
} from "@virtkit/xml/schema";
import { escapeXml } from "@virtkit/xml/write";

/** `<entry name='NAME'>value</entry>`. */
function entry(name: string, doc: string): SpecialField<string, false> {
	return special<string>({
		doc,
		read: (holder) => {
			const found = elementsOf(holder).find((node) => node.name === "entry" && node.attributes.name === name);
			return (found && textOf(found)) || undefined;
		},
		write: (value, indent) => `${" ".repeat(indent)}<entry name='${name}'>${escapeXml(value)}</entry>\n`,
		json: { type: "string" },
		takes: { children: ["entry"] },
	});
}

/** Whether `text` is a date as SMBIOS has it: mm/dd/yyyy from 1900 on, or mm/dd/yy. */
function isBiosDate(text: string): boolean {
	const [, month, day, year] = /^\s*(\d+)\/\s*(\d+)\/\s*(\d+)$/.exec(text)?.map(Number) ?? [];
	if (month === undefined || day === undefined || year === undefined) return false;
	return month >= 1 && month <= 12 && day >= 1 && day <= 31 && (year < 100 || year >= 1900);
}

const bios = element(
	{
		vendor: entry("vendor", "Maker of the firmware."),
		version: entry("version", "Version of the firmware."),
		date: entry("date", "Release date as mm/dd/yyyy."),
		release: entry("release", "Release as major.minor."),
	},
	{
		onRead(value, node) {
			if (value.date !== undefined && !isBiosDate(value.date))
				throw documentError(node, `Invalid BIOS 'date' format: '${value.date}' is not mm/dd/yyyy`, "XML_DETAIL");
		},
	},
);

const system = element({
	manufacturer: entry("manufacturer", "Maker of the machine."),
	product: entry("product", "Name of the machine."),
	version: entry("version", "Version of the machine."),
	serial: entry("serial", "Serial number of the machine."),
	uuid: entry("uuid", "UUID of the machine; the domain's own."),
	sku: entry("sku", "Stock-keeping unit."),
	family: entry("family", "Family of machines it belongs to."),
});

const baseBoard = element({
	manufacturer: entry("manufacturer", "Maker of the board."),
	product: entry("product", "Name of the board."),
	version: entry("version", "Version of the board."),
	serial: entry("serial", "Serial number of the board."),
	asset: entry("asset", "Asset tag of the board."),
	location: entry("location", "Place of the board in the chassis."),
});

const chassis = element({
	manufacturer: entry("manufacturer", "Maker of the chassis."),
	version: entry("version", "Version of the chassis."),
	serial: entry("serial", "Serial number of the chassis."),
	asset: entry("asset", "Asset tag of the chassis."),
	sku: entry("sku", "Stock-keeping unit of the chassis."),
});

const oemString = element({ value: text(nonEmpty, { required: true, doc: "One string of the maker." }) });

const fwCfgEntry = element(
	{
		name: attr(str, { required: true, doc: "Name under which the guest reads it." }),
		file: attr(nonEmpty, { doc: "File with its content." }),
		value: text(str, { doc: "Its content." }),
	},
	{
		onRead(value, node) {
			if (value.value === undefined && value.file === undefined)
				throw documentError(node, `Firmware entry '${value.name}' must have either a value or attribute 'file'`);
			if (value.file !== undefined) value.value = undefined;
		},
	},
);

export const sysinfo = variants("type", {
	smbios: {
		bios: child(bios, { doc: "SMBIOS type 0." }),
		system: child(system, { doc: "SMBIOS type 1." }),
		baseBoard: list(baseBoard, { doc: "SMBIOS type 2." }),
		chassis: child(chassis, { doc: "SMBIOS type 3." }),
		oemStrings: child(element({ entry: list(oemString) }), { doc: "SMBIOS type 11." }),
	},
	fwcfg: { entry: list(fwCfgEntry, { doc: "Data that the guest reads through fw_cfg." }) },
});

export type SysinfoDef = Infer<typeof sysinfo>;
export type SmbiosDef = Extract<SysinfoDef, { type: "smbios" }>;
