// Structures: a field list compiled, at first use, to one straight function for each direction.

import type { Codec, Infer } from "./codec.ts";
import type { XdrReader } from "./reader.ts";
import type { XdrWriter } from "./writer.ts";

type Fields = Readonly<Record<string, Codec<unknown>>>;
/** The values of a structure. */
type StructOf<F extends Fields> = { -readonly [N in keyof F]: Infer<F[N]> };

const IDENTIFIER = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * The fields one after the other, in the order given.
 *
 * Field names are checked to be identifiers, since the compiled functions name them: an object literal with fixed keys
 * decodes several times faster than one filled key by key.
 */
export function struct<const F extends Fields>(fields: F): Codec<StructOf<F>> {
	let encode = (writer: XdrWriter, value: StructOf<F>): void => {
		encode = compileEncode(fields);
		encode(writer, value);
	};
	let decode = (reader: XdrReader): StructOf<F> => {
		decode = compileDecode(fields);
		return decode(reader);
	};
	return {
		shape: { kind: "struct", fields },
		minBytes: Object.values(fields).reduce((sum, codec) => sum + codec.minBytes, 0),
		encode: (writer, value) => encode(writer, value),
		decode: (reader) => decode(reader),
	};
}

function compileEncode<F extends Fields>(fields: F): (writer: XdrWriter, value: StructOf<F>) => void {
	const steps = namesOf(fields).map((name, index) => `c${index}.encode(w, v.${name});`);
	return compile(fields, `(w, v) => { ${steps.join(" ")} }`) as (writer: XdrWriter, value: StructOf<F>) => void;
}

function compileDecode<F extends Fields>(fields: F): (reader: XdrReader) => StructOf<F> {
	// Properties of a literal are evaluated from left to right, which is the order on the wire.
	const members = namesOf(fields).map((name, index) => `${name}: c${index}.decode(r)`);
	return compile(fields, `(r) => ({ ${members.join(", ")} })`) as (reader: XdrReader) => StructOf<F>;
}

function compile(fields: Fields, source: string): unknown {
	const codecs = Object.values(fields);
	const parameters = codecs.map((_, index) => `c${index}`);
	return new Function(...parameters, `return ${source};`)(...codecs);
}

function namesOf(fields: Fields): string[] {
	const names = Object.keys(fields);
	for (const name of names) {
		if (!IDENTIFIER.test(name)) throw new TypeError(`'${name}' cannot be the name of a field`);
	}
	return names;
}
