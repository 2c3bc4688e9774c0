// Text in C arrays of `char`, which rpcgen sends as one four-byte integer per character.

import type { Codec } from "./codec.ts";
import { XdrError } from "./error.ts";
import type { XdrReader } from "./reader.ts";
import type { XdrWriter } from "./writer.ts";

function readChars(reader: XdrReader, count: number): string {
	const bytes = Buffer.alloc(count);
	for (let index = 0; index < count; index++) bytes[index] = reader.int() & 0xff;
	const nul = bytes.indexOf(0);
	return bytes.toString("utf8", 0, nul < 0 ? count : nul);
}

function writeChars(writer: XdrWriter, bytes: Uint8Array): void {
	for (const byte of bytes) writer.int((byte << 24) >> 24);
}

function charsOf(text: string, max: number): Buffer {
	const bytes = Buffer.from(text);
	if (bytes.length > max) throw new XdrError(`a text of ${bytes.length} bytes, at most ${max} are allowed`);
	if (bytes.includes(0)) throw new XdrError("a text with a NUL character in it");
	return bytes;
}

/** `char name[size]`: text of less than `size` bytes, filled up with NULs. */
export function fixedChars(size: number): Codec<string> {
	return {
		shape: { kind: "chars", max: size - 1 },
		minBytes: size * 4,
		encode: (writer, value) => {
			const bytes = Buffer.alloc(size);
			bytes.set(charsOf(value, size - 1));
			writeChars(writer, bytes);
		},
		decode: (reader) => readChars(reader, size),
	};
}

/** `char name<size>`: text of less than `size` bytes; the NUL at its end travels too, as C clients copy up to it. */
export function chars(size: number): Codec<string> {
	return {
		shape: { kind: "chars", max: size - 1 },
		minBytes: 4,
		encode: (writer, value) => {
			const bytes = charsOf(value, size - 1);
			writer.uint(bytes.length + 1);
			writeChars(writer, bytes);
			writer.int(0);
		},
		decode: (reader) => readChars(reader, reader.count(size, 4)),
	};
}

/** `char name<size>` that carries bytes rather than text (SASL's data). */
export function charBytes(size: number): Codec<Uint8Array> {
	return {
		shape: { kind: "opaque", min: 0, max: size },
		minBytes: 4,
		encode: (writer, value) => {
			if (value.length > size) throw new XdrError(`${value.length} bytes, at most ${size} are allowed`);
			writer.uint(value.length);
			writeChars(writer, value);
		},
		decode: (reader) => {
			const bytes = Buffer.alloc(reader.count(size, 4));
			for (let index = 0; index < bytes.length; index++) bytes[index] = reader.int() & 0xff;
			return bytes;
		},
	};
}
