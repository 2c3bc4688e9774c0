// Amounts of bytes that are written with the largest unit that divides them, as libvirt's virFormatIntPretty does.

import { childNamed } from "@virtkit/xml/node";
import { documentError } from "@virtkit/xml/read";
import { readAmount } from "@virtkit/xml/scaled";
import { type FieldOptions, type SpecialField, special } from "@virtkit/xml/schema";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `bytes` with its largest whole unit up to TiB: 3145728 is 3 MiB. */
export function formatPretty(bytes: number): { value: number; unit: string } {
	let value = bytes;
	let power = 0;
	while (value !== 0 && value % 1024 === 0 && power < UNITS.length - 1) {
		value /= 1024;
		power++;
	}
	return { value, unit: UNITS[power] ?? "B" };
}

type Options = FieldOptions & { readonly assumed?: string };

/** Attribute `name` in bytes, with its unit in attribute `unit`. */
export function prettyAmount(name: string, options: Options = {}): SpecialField<number, true> {
	return special<number>({
		...options,
		required: true,
		read: (element) => {
			const text = element.attributes[name];
			if (text === undefined)
				throw documentError(element, `Missing required attribute '${name}' in element '${element.name}'`);
			return readAmount(element, { unit: "b", assumed: options.assumed ?? "b" }, text);
		},
		write: (bytes) => {
			const { value, unit } = formatPretty(bytes);
			return { attributes: ` ${name}='${value}' unit='${unit}'` };
		},
		json: { type: "integer", minimum: 0 },
		takes: { attributes: [name, "unit"] },
	});
}

/** Child element `name` whose text is an amount in bytes. */
export function prettyLeaf(name: string, options: Options = {}): SpecialField<number, false> {
	return special<number>({
		...options,
		read: (element) => {
			const found = childNamed(element, name);
			return found && readAmount(found, { unit: "b", assumed: options.assumed ?? "b" });
		},
		write: (bytes, indent) => {
			const { value, unit } = formatPretty(bytes);
			return `${" ".repeat(indent)}<${name} unit='${unit}'>${value}</${name}>\n`;
		},
		json: { type: "integer", minimum: 0 },
		takes: { children: [name] },
	});
}
