// Amounts with a unit: `<memory unit='MiB'>512</memory>`, kept as one number of one unit.

import { childNamed, textOf, type XmlElement } from "./node.ts";
import { documentError } from "./read.ts";
import { type FieldOptions, type SpecialField, special } from "./schema.ts";

const BINARY = ["", "K", "M", "G", "T", "P", "E"];

/** Bytes in one `unit` (b, bytes, KB = 1000, K and KiB = 1024, … E); undefined for no such unit. Case does not matter. */
export function bytesOfUnit(unit: string): bigint | undefined {
	if (/^(?:b|bytes?)$/i.test(unit)) return 1n;
	const match = /^([KMGTPE])(|B|iB)$/i.exec(unit);
	if (!match) return undefined;
	const power = BigInt(BINARY.indexOf((match[1] ?? "").toUpperCase()));
	return (match[2]?.toUpperCase() === "B" ? 1000n : 1024n) ** power;
}

export interface AmountOptions {
	/** Unit of the value in the model and in what is written, `KiB` unless told. */
	readonly unit?: string;
	/** Unit of a document that names none; `unit` where absent. */
	readonly assumed?: string;
}

/** The amount that `element` holds, in `options.unit`, rounded up. Throws XML_ERROR for what is none. */
export function readAmount(element: XmlElement, options: AmountOptions = {}, content = textOf(element)): number {
	const { unit = "KiB", assumed = unit } = options;
	const written = element.attributes.unit ?? assumed;
	const factor = bytesOfUnit(written);
	const text = content.trim();
	if (factor === undefined)
		throw documentError(
			element,
			`Invalid unit '${written}' in element '${element.name}'. Allowed: b, bytes, KB, KiB, MB, MiB, … EiB`,
			"INVALID_ARG",
		);
	if (!/^\+?\d+$/.test(text))
		throw documentError(
			element,
			`Invalid value '${text}' of element '${element.name}'. Allowed: a whole number that is not negative`,
		);
	// A number that 64 bits do not hold is no number to libvirt; a product that they do not hold is too large.
	if (BigInt(text) >= 1n << 64n)
		throw documentError(element, `Invalid value '${text}' of element '${element.name}': it does not fit 64 bits`);
	const bytes = BigInt(text) * factor;
	if (bytes >= 1n << 63n)
		throw documentError(element, `Value '${text}' (${written}) of element '${element.name}' is too large`, "OVERFLOW");
	const divisor = bytesOfUnit(unit) ?? 1n;
	return Number((bytes + divisor - 1n) / divisor);
}

/** The element's own text with its `unit` attribute, as one number. */
export function amount(options: AmountOptions & FieldOptions & { readonly required: true }): SpecialField<number, true>;
export function amount(options?: AmountOptions & FieldOptions): SpecialField<number, false>;
export function amount(
	options: AmountOptions & FieldOptions & { readonly required?: boolean } = {},
): SpecialField<number> {
	const { unit = "KiB", assumed: _, ...rest } = options;
	return special<number>({
		...rest,
		required: true,
		read: (element) =>
			options.required !== true && textOf(element).trim() === "" ? undefined : readAmount(element, options),
		write: (value) => ({ attributes: ` unit='${unit}'`, text: String(value) }),
		json: { type: "integer", minimum: 0 },
		takes: { attributes: ["unit"], text: true },
	});
}

/** A child element that holds nothing but an amount. */
export function amountLeaf(name: string, options: AmountOptions & FieldOptions = {}): SpecialField<number, false> {
	const { unit = "KiB", assumed: _, ...rest } = options;
	return special<number>({
		...rest,
		read: (element) => {
			const found = childNamed(element, name);
			return found && readAmount(found, options);
		},
		write: (value, indent) => `${" ".repeat(indent)}<${name} unit='${unit}'>${value}</${name}>\n`,
		json: { type: "integer", minimum: 0 },
		takes: { children: [name] },
	});
}

/** An attribute `name` that holds an amount whose unit stands in attribute `unit` beside it. */
export function amountAttribute(
	name: string,
	options: AmountOptions & FieldOptions & { readonly required: true },
): SpecialField<number, true>;
export function amountAttribute(name: string, options?: AmountOptions & FieldOptions): SpecialField<number, false>;
export function amountAttribute(
	name: string,
	options: AmountOptions & FieldOptions & { readonly required?: boolean } = {},
): SpecialField<number> {
	const { unit = "KiB", assumed: _, ...rest } = options;
	return special<number>({
		...rest,
		required: true,
		read: (element) => {
			const text = element.attributes[name];
			if (text !== undefined) return readAmount(element, options, text);
			if (options.required !== true) return undefined;
			throw documentError(element, `Missing required attribute '${name}' in element '${element.name}'`);
		},
		write: (value) => ({ attributes: ` ${name}='${value}' unit='${unit}'` }),
		json: { type: "integer", minimum: 0 },
		takes: { attributes: [name, "unit"] },
	});
}
