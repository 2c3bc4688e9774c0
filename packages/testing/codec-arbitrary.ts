// Generated values for any codec, by the description it carries: what round-trip tests of the wire protocol run on.

import type { Codec, Shape } from "@virtkit/xdr/codec";
import fc from "fast-check";

/** Lists and byte strings are kept short; the limits themselves are tested on their own. */
const LENGTH_MAX = 4;

type ShapeOf<K extends Shape["kind"]> = Extract<Shape, { readonly kind: K }>;
type Generators = { readonly [K in Shape["kind"]]: (shape: ShapeOf<K>) => fc.Arbitrary<unknown> };

const INT = { min: -(2 ** 31), max: 2 ** 31 - 1 };
const hyperMax = 2n ** 63n;
/** Text without NUL and unpaired surrogates: neither exists in UTF-8 from a C program. */
const text = fc.string({ unit: "binary", maxLength: 12 }).filter((value) => !value.includes("\0"));
const textUpTo = (bytes: number) => text.filter((value) => Buffer.byteLength(value) <= bytes);

const GENERATORS: Generators = {
	void: () => fc.constant(undefined),
	bool: () => fc.boolean(),
	int: () => fc.integer(INT),
	uint: () => fc.integer({ min: 0, max: 2 ** 32 - 1 }),
	hyper: () => fc.bigInt({ min: -hyperMax, max: hyperMax - 1n }),
	uhyper: () => fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
	double: () => fc.double(),
	enum: ({ values }) => fc.constantFrom(...values),
	range: ({ min, max }) => fc.integer({ min, max }),
	opaque: ({ min, max }) =>
		fc
			.uint8Array({ minLength: min, maxLength: Math.min(max, Math.max(min, LENGTH_MAX)) })
			.map((bytes) => Buffer.from(bytes)),
	string: ({ max }) => textUpTo(max),
	chars: ({ max }) => textUpTo(max),
	uuid: () => fc.uuid(),
	array: ({ min, max, element }) =>
		fc.array(arbitraryOf(element), { minLength: min, maxLength: Math.min(max, Math.max(min, LENGTH_MAX)) }),
	optional: ({ value }) => fc.option(arbitraryOf(value)),
	struct: ({ fields }) =>
		fc.record(Object.fromEntries(Object.entries(fields).map(([name, codec]) => [name, arbitraryOf(codec)])), {
			noNullPrototype: true,
		}),
	union: ({ arms }) =>
		fc.oneof(...[...arms].map(([type, codec]) => arbitraryOf(codec).map((value) => ({ type, value })))),
};

/** Values that `codec` carries. */
export function arbitraryOf<T>(codec: Codec<T>): fc.Arbitrary<T> {
	const generate = GENERATORS[codec.shape.kind] as (shape: Shape) => fc.Arbitrary<unknown>;
	// The shape describes exactly the values of T: that is what it is for.
	return generate(codec.shape) as fc.Arbitrary<T>;
}
