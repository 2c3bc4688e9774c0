// What a codec is: how one type of value travels as XDR, and a description of it for generators, tests and documentation.

import { XdrReader } from "./reader.ts";
import { XdrWriter } from "./writer.ts";

/** The form of a codec's values, readable by programs. Bounds are inclusive, lengths in bytes or elements. */
export type Shape =
	| {
			readonly kind: "void" | "bool" | "double" | "int" | "uint" | "hyper" | "uhyper";
	  }
	| { readonly kind: "enum"; readonly values: readonly number[] }
	| { readonly kind: "range"; readonly min: number; readonly max: number }
	| { readonly kind: "opaque"; readonly min: number; readonly max: number }
	| { readonly kind: "string"; readonly max: number }
	| { readonly kind: "chars"; readonly max: number }
	| { readonly kind: "uuid" }
	| {
			readonly kind: "array";
			readonly min: number;
			readonly max: number;
			readonly element: Codec<unknown>;
	  }
	| { readonly kind: "optional"; readonly value: Codec<unknown> }
	| {
			readonly kind: "struct";
			readonly fields: Readonly<Record<string, Codec<unknown>>>;
	  }
	| {
			readonly kind: "union";
			readonly arms: ReadonlyMap<number, Codec<unknown>>;
	  };

/**
 * How values of type T travel.
 *
 * Both functions throw XdrError. `minBytes` is the least a value takes, by which announced lengths are refused before
 * anything is allocated.
 */
export interface Codec<T> {
	readonly shape: Shape;
	readonly minBytes: number;
	encode(writer: XdrWriter, value: T): void;
	decode(reader: XdrReader): T;
}

/** The type of values that a codec carries. */
export type Infer<C> = C extends Codec<infer T> ? T : never;

/** `value` alone, as bytes. */
export function encodeValue<T>(codec: Codec<T>, value: T): Buffer {
	const writer = new XdrWriter(256);
	codec.encode(writer, value);
	return writer.take();
}

/** The value that `bytes` are, all of them; bytes left over are an XdrError. */
export function decodeValue<T>(codec: Codec<T>, bytes: Buffer): T {
	const reader = new XdrReader(bytes);
	const value = codec.decode(reader);
	reader.finish();
	return value;
}
