// Codecs of single values: integers, booleans, enumerations, text, opaque bytes, UUIDs (RFC 4506, section 4).

import type { Codec } from "./codec.ts";
import { XdrError } from "./error.ts";
import { formatUuidBytes } from "./uuid.ts";

/** No value at all. */
export const voidCodec: Codec<void> = {
	shape: { kind: "void" },
	minBytes: 0,
	encode: () => undefined,
	decode: () => undefined,
};

export const int: Codec<number> = {
	shape: { kind: "int" },
	minBytes: 4,
	encode: (writer, value) => writer.int(value),
	decode: (reader) => reader.int(),
};

export const uint: Codec<number> = {
	shape: { kind: "uint" },
	minBytes: 4,
	encode: (writer, value) => writer.uint(value),
	decode: (reader) => reader.uint(),
};

export const hyper: Codec<bigint> = {
	shape: { kind: "hyper" },
	minBytes: 8,
	encode: (writer, value) => writer.hyper(value),
	decode: (reader) => reader.hyper(),
};

export const uhyper: Codec<bigint> = {
	shape: { kind: "uhyper" },
	minBytes: 8,
	encode: (writer, value) => writer.uhyper(value),
	decode: (reader) => reader.uhyper(),
};

export const double: Codec<number> = {
	shape: { kind: "double" },
	minBytes: 8,
	encode: (writer, value) => writer.double(value),
	decode: (reader) => reader.double(),
};

/** A C `int` used as a boolean: 0 is false, all else true. */
export const bool: Codec<boolean> = {
	shape: { kind: "bool" },
	minBytes: 4,
	encode: (writer, value) => writer.int(value ? 1 : 0),
	decode: (reader) => reader.int() !== 0,
};

/** An integer from `min` to `max` that travels in four bytes (C's `char`, `short` and their unsigned sisters). */
export function range(min: number, max: number): Codec<number> {
	const check = (value: number): number => {
		if (value < min || value > max) throw new XdrError(`${value} is not in the range of ${min} to ${max}`);
		return value;
	};
	return {
		shape: { kind: "range", min, max },
		minBytes: 4,
		encode: (writer, value) => writer.int(check(value)),
		decode: (reader) => check(reader.int()),
	};
}

/** One of the declared numbers; any other is refused. */
export function enumeration<const V extends number>(...values: readonly V[]): Codec<V> {
	const known = new Set<number>(values);
	const check = (value: number): V => {
		if (!known.has(value)) throw new XdrError(`${value} is not one of ${values.join(", ")}`);
		return value as V;
	};
	return {
		shape: { kind: "enum", values },
		minBytes: 4,
		encode: (writer, value) => writer.int(check(value)),
		decode: (reader) => check(reader.int()),
	};
}

/** UTF-8 text of at most `max` bytes. */
export function string(max: number): Codec<string> {
	return {
		shape: { kind: "string", max },
		minBytes: 4,
		encode: (writer, value) => writer.string(value, max),
		decode: (reader) => reader.string(max),
	};
}

/** At most `max` bytes, with their length. */
export function opaque(max: number): Codec<Uint8Array> {
	return {
		shape: { kind: "opaque", min: 0, max },
		minBytes: 4,
		encode: (writer, value) => writer.opaque(value, max),
		decode: (reader) => reader.opaque(max),
	};
}

/** Exactly `length` bytes. */
export function fixedOpaque(length: number): Codec<Uint8Array> {
	return {
		shape: { kind: "opaque", min: length, max: length },
		minBytes: (length + 3) & ~3,
		encode: (writer, value) => {
			if (value.length !== length) throw new XdrError(`${value.length} bytes, exactly ${length} expected`);
			writer.fixedOpaque(value);
		},
		decode: (reader) => reader.fixedOpaque(length),
	};
}

/** Sixteen opaque bytes as the text of a UUID, lower case with dashes. */
export const uuid: Codec<string> = {
	shape: { kind: "uuid" },
	minBytes: 16,
	encode: (writer, value) => writer.uuid(value),
	decode: (reader) => formatUuidBytes(reader.fixedOpaque(16)),
};
