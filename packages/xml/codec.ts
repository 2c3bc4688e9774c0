// Codecs: how one attribute's or text's value is read, written, described and typed.

/** A JSON Schema fragment. */
export type JsonSchema = { readonly [key: string]: unknown };

/** How the text of an attribute or element becomes a value and back. */
export interface Codec<T> {
	/** The value, or undefined when the text is not one. */
	parse(text: string): T | undefined;
	format(value: T): string;
	/** What is allowed, for messages and the reference: "one of 'yes', 'no'". */
	readonly allowed: string;
	readonly json: JsonSchema;
}

const INTEGER = /^\s*[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+)\s*$/;

/** A decimal, octal (leading 0) or hexadecimal (0x) integer as C's strtol with base 0 reads it; undefined if it is none. */
export function parseInteger(text: string): number | undefined {
	if (!INTEGER.test(text)) return undefined;
	const trimmed = text.trim();
	const negative = trimmed.startsWith("-");
	const digits = trimmed.replace(/^[+-]/, "");
	const octal = /^0[0-9]+$/.test(digits);
	if (octal && /[89]/.test(digits)) return undefined;
	const value = Number(octal ? `0o${digits.slice(1)}` : digits);
	return negative ? -value : value;
}

/** A decimal integer, leading zeros allowed; undefined if it is none. */
export function parseDecimal(text: string): number | undefined {
	return /^\s*[+-]?[0-9]+\s*$/.test(text) ? Number(text) : undefined;
}

/** A hexadecimal integer, with or without 0x; undefined if it is none. */
export function parseHexadecimal(text: string): number | undefined {
	const match = /^\s*\+?(?:0[xX])?([0-9a-fA-F]+)\s*$/.exec(text);
	return match ? Number(`0x${match[1]}`) : undefined;
}

/** Any text, kept to the letter. */
export const str: Codec<string> = {
	parse: (text) => text,
	format: (value) => value,
	allowed: "any text",
	json: { type: "string" },
};

/** Text with at least one character. */
export const nonEmpty: Codec<string> = {
	parse: (text) => (text === "" ? undefined : text),
	format: (value) => value,
	allowed: "text that is not empty",
	json: { type: "string", minLength: 1 },
};

/** An absolute path. */
export const absolutePath: Codec<string> = {
	parse: (text) => (text.startsWith("/") ? text : undefined),
	format: (value) => value,
	allowed: "an absolute path",
	json: { type: "string", pattern: "^/" },
};

/** One of the words given. */
export function oneOf<const W extends string>(...words: readonly W[]): Codec<W> {
	const known: ReadonlySet<string> = new Set(words);
	return {
		parse: (text) => (known.has(text) ? (text as W) : undefined),
		format: (value) => value,
		allowed: `one of ${words.map((word) => `'${word}'`).join(", ")}`,
		json: { enum: words },
	};
}

function switchCodec(on: string, off: string): Codec<boolean> {
	return {
		parse: (text) => (text === on ? true : text === off ? false : undefined),
		format: (value) => (value ? on : off),
		allowed: `'${on}' or '${off}'`,
		json: { type: "boolean" },
	};
}

/** `yes` or `no`. */
export const yesNo = switchCodec("yes", "no");
/** `on` or `off`. */
export const onOff = switchCodec("on", "off");

/** Bounds and base of an integer. */
export interface IntegerOptions {
	readonly min?: number;
	readonly max?: number;
	/** `auto`: decimal, 0x and leading-0 octal are read, as C's base 0; `decimal` (the default) and `hexadecimal` (0x or not) that alone. */
	readonly base?: "auto" | "decimal" | "hexadecimal";
	/** Written as 0x with at least this many hexadecimal digits. */
	readonly hexDigits?: number;
}

function integerReader({ base, hexDigits }: IntegerOptions): (text: string) => number | undefined {
	if (base === "hexadecimal") return parseHexadecimal;
	return base === "auto" || (base === undefined && hexDigits !== undefined) ? parseInteger : parseDecimal;
}

/** A whole number within `min` and `max`. */
export function integer(options: IntegerOptions = {}): Codec<number> {
	const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER, hexDigits } = options;
	const read = integerReader(options);
	return {
		parse: (text) => {
			const value = read(text);
			return value !== undefined && value >= min && value <= max ? value : undefined;
		},
		format: (value) => (hexDigits === undefined ? String(value) : `0x${value.toString(16).padStart(hexDigits, "0")}`),
		allowed: `a whole number${options.min === undefined ? "" : ` from ${min}`}${options.max === undefined ? "" : ` up to ${max}`}`,
		json: {
			type: "integer",
			...(options.min === undefined ? {} : { minimum: min }),
			...(options.max === undefined ? {} : { maximum: max }),
		},
	};
}

/** An unsigned 32-bit number. */
export const uint = integer({ min: 0, max: 0xffffffff });
/** A signed 32-bit number. */
export const int = integer({ min: -0x80000000, max: 0x7fffffff });
/** An unsigned number as far as doubles count exactly (2^53 − 1). */
export const ulong = integer({ min: 0 });
/** A number written `0x…` with at least `digits` digits; decimal and octal are read too. */
export const hex = (digits: number, max = 2 ** (4 * digits) - 1): Codec<number> =>
	integer({ min: 0, max, hexDigits: digits });

/** An unsigned 64-bit number. */
export const uint64: Codec<bigint> = {
	parse: (text) => {
		if (!/^\s*(?:0[xX][0-9a-fA-F]+|[0-9]+)\s*$/.test(text)) return undefined;
		const value = BigInt(text.trim());
		return value < 1n << 64n ? value : undefined;
	},
	format: String,
	allowed: "an unsigned 64-bit number",
	json: { type: "string", pattern: "^[0-9]+$" },
};

/** A codec that accepts what `pattern` matches and keeps it, passed through `normalise`. */
export function matching(
	pattern: RegExp,
	allowed: string,
	normalise: (text: string) => string = String,
): Codec<string> {
	return {
		parse: (text) => (pattern.test(text) ? normalise(text) : undefined),
		format: (value) => value,
		allowed,
		json: { type: "string", pattern: pattern.source },
	};
}

/** An Ethernet address; written in lower case with colons, as given otherwise. */
export const mac = matching(
	/^[0-9a-fA-F]{1,2}(?:[:-][0-9a-fA-F]{1,2}){5}$/,
	"an Ethernet address such as 52:54:00:12:34:56",
	(text) =>
		text
			.toLowerCase()
			.split(/[:-]/)
			.map((octet) => octet.padStart(2, "0"))
			.join(":"),
);

/** A UUID, with or without dashes; written with dashes in lower case. */
export const uuid = matching(
	/^\s*(?:[0-9a-fA-F]-?){31}[0-9a-fA-F]\s*$/,
	"a UUID such as 4dea22b3-1d52-d8f3-2516-782e98ab3fa0",
	(text) =>
		text
			.trim()
			.replace(/-/g, "")
			.toLowerCase()
			.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5"),
);
