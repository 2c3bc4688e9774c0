// Codecs made of others: arrays, optional values and discriminated unions (RFC 4506, sections 4.12 to 4.19).

import type { Codec, Infer } from "./codec.ts";
import { XdrError } from "./error.ts";

/** At most `max` elements, with their count. A count that the message cannot hold is refused before allocation. */
export function array<T>(element: Codec<T>, max: number): Codec<T[]> {
	return {
		shape: { kind: "array", min: 0, max, element },
		minBytes: 4,
		encode: (writer, values) => {
			if (values.length > max) throw new XdrError(`${values.length} elements, at most ${max} are allowed`);
			writer.uint(values.length);
			for (const value of values) element.encode(writer, value);
		},
		decode: (reader) => {
			const count = reader.count(max, element.minBytes);
			const values: T[] = [];
			for (let index = 0; index < count; index++) values.push(element.decode(reader));
			return values;
		},
	};
}

/** Exactly `length` elements, without a count. */
export function fixedArray<T>(element: Codec<T>, length: number): Codec<T[]> {
	return {
		shape: { kind: "array", min: length, max: length, element },
		minBytes: element.minBytes * length,
		encode: (writer, values) => {
			if (values.length !== length) throw new XdrError(`${values.length} elements, exactly ${length} expected`);
			for (const value of values) element.encode(writer, value);
		},
		decode: (reader) => Array.from({ length }, () => element.decode(reader)),
	};
}

/** A value that may be absent (a C pointer that may be NULL): null then. */
export function optional<T>(value: Codec<T>): Codec<T | null> {
	return {
		shape: { kind: "optional", value },
		minBytes: 4,
		encode: (writer, present) => {
			if (present === null) return writer.int(0);
			writer.int(1);
			value.encode(writer, present);
		},
		decode: (reader) => {
			const flag = reader.uint();
			if (flag > 1) throw new XdrError(`${flag} is not an optional value's presence, 0 or 1`);
			return flag === 0 ? null : value.decode(reader);
		},
	};
}

/** The values of a union: `{ type, value }`, one form for each arm. */
type UnionOf<A extends Readonly<Record<number, Codec<unknown>>>> = {
	[N in keyof A & number]: { readonly type: N; readonly value: Infer<A[N]> };
}[keyof A & number];

/** A value whose form the number before it tells; a number that no arm is declared for is refused. */
export function union<const A extends Readonly<Record<number, Codec<unknown>>>>(arms: A): Codec<UnionOf<A>> {
	const byType = new Map(Object.entries(arms).map(([type, codec]) => [Number(type), codec]));
	const armOf = (type: number): Codec<unknown> => {
		const arm = byType.get(type);
		if (arm === undefined) throw new XdrError(`${type} is not one of the union's ${[...byType.keys()].join(", ")}`);
		return arm;
	};
	return {
		shape: { kind: "union", arms: byType },
		minBytes: 4,
		encode: (writer, { type, value }) => {
			const arm = armOf(type);
			writer.int(type);
			arm.encode(writer, value);
		},
		decode: (reader) => {
			const type = reader.int();
			// armOf has checked that the number is one of the arms'.
			return { type, value: armOf(type).decode(reader) } as UnionOf<A>;
		},
	};
}
