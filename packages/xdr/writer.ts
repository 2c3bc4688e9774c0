// A growing buffer that XDR values are appended to; finished messages are handed out as views without a copy (RFC 4506).

import { XdrError } from "./error.ts";
import { writeUuidBytes } from "./uuid.ts";

const SLAB_BYTES = 64 * 1024;
/** Strings up to this many UTF-16 units are written without measuring them first. */
const SHORT_STRING_UNITS = 4096;
/** Strings up to this many UTF-16 units are copied by the loop below when they are ASCII: cheaper than a native call. */
const LOOPED_STRING_UNITS = 32;

/**
 * Appends XDR primitives to a buffer.
 *
 * Several messages may be written one after the other; `take()` hands out everything written since the last `take()`.
 * The view stays valid: later writing goes behind it or into a new buffer.
 */
export class XdrWriter {
	#buffer: Buffer;
	#view: DataView;
	#start = 0;
	#end = 0;

	constructor(capacity: number = SLAB_BYTES) {
		this.#buffer = Buffer.allocUnsafeSlow(capacity);
		this.#view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.byteLength);
	}

	/** How many bytes were written since the last `take()`; also the position to give to `patchUint`. */
	get length(): number {
		return this.#end - this.#start;
	}

	/** Hands out what was written, as a view on the buffer, and starts anew behind it. */
	take(): Buffer {
		const taken = this.#buffer.subarray(this.#start, this.#end);
		this.#start = this.#end;
		return taken;
	}

	/** Forgets everything written from position `length` on (undoes a message that could not be encoded). */
	truncate(length: number): void {
		this.#end = this.#start + length;
	}

	/** Overwrites the four bytes at `position` (as `length` gave it), for length fields known only afterwards. */
	patchUint(position: number, value: number): void {
		this.#view.setUint32(this.#start + position, value);
	}

	int(value: number): void {
		if ((value | 0) !== value) throw new XdrError(`${value} is not a 32-bit signed integer`);
		this.#reserve(4);
		this.#view.setInt32(this.#end, value);
		this.#end += 4;
	}

	uint(value: number): void {
		if (value >>> 0 !== value) throw new XdrError(`${value} is not a 32-bit unsigned integer`);
		this.#reserve(4);
		this.#view.setUint32(this.#end, value);
		this.#end += 4;
	}

	hyper(value: bigint): void {
		if (BigInt.asIntN(64, value) !== value) throw new XdrError(`${value} is not a 64-bit signed integer`);
		this.#reserve(8);
		this.#view.setBigInt64(this.#end, value);
		this.#end += 8;
	}

	uhyper(value: bigint): void {
		if (BigInt.asUintN(64, value) !== value) throw new XdrError(`${value} is not a 64-bit unsigned integer`);
		this.#reserve(8);
		this.#view.setBigUint64(this.#end, value);
		this.#end += 8;
	}

	double(value: number): void {
		this.#reserve(8);
		this.#view.setFloat64(this.#end, value);
		this.#end += 8;
	}

	/** Bytes without a length, padded with zeros to a multiple of four. */
	fixedOpaque(bytes: Uint8Array): void {
		const padded = (bytes.length + 3) & ~3;
		this.#reserve(padded);
		this.#buffer.set(bytes, this.#end);
		this.#pad(this.#end + bytes.length, this.#end + padded);
	}

	/** The sixteen bytes of a UUID's text. */
	uuid(text: string): void {
		this.#reserve(16);
		writeUuidBytes(text, this.#buffer, this.#end);
		this.#end += 16;
	}

	/** Bytes behind their length, at most `max` of them, padded. */
	opaque(bytes: Uint8Array, max: number): void {
		if (bytes.length > max) throw new XdrError(`${bytes.length} bytes of opaque data, at most ${max} are allowed`);
		this.uint(bytes.length);
		this.fixedOpaque(bytes);
	}

	/** Bytes as they are, neither length nor padding (the payload of stream packets). */
	raw(bytes: Uint8Array): void {
		this.#reserve(bytes.length);
		this.#buffer.set(bytes, this.#end);
		this.#end += bytes.length;
	}

	/** UTF-8 text behind its length in bytes, at most `max` bytes, padded. */
	string(text: string, max: number): void {
		const bound = text.length <= SHORT_STRING_UNITS ? text.length * 3 : Buffer.byteLength(text);
		this.#reserve(bound + 8);
		const at = this.#end + 4;
		const bytes = this.#writeAscii(text, at) ? text.length : this.#buffer.write(text, at);
		if (bytes > max) throw new XdrError(`a string of ${bytes} bytes, at most ${max} are allowed`);
		this.#view.setUint32(this.#end, bytes);
		this.#pad(at + bytes, at + ((bytes + 3) & ~3));
	}

	#writeAscii(text: string, at: number): boolean {
		if (text.length > LOOPED_STRING_UNITS) return false;
		const buffer = this.#buffer;
		for (let index = 0; index < text.length; index++) {
			const unit = text.charCodeAt(index);
			if (unit > 0x7f) return false;
			buffer[at + index] = unit;
		}
		return true;
	}

	#pad(from: number, to: number): void {
		for (let at = from; at < to; at++) this.#buffer[at] = 0;
		this.#end = to;
	}

	#reserve(bytes: number): void {
		if (this.#end + bytes > this.#buffer.length) this.#grow(bytes);
	}

	/** Moves what was not yet taken into a new buffer, large enough for `bytes` more. */
	#grow(bytes: number): void {
		const pending = this.#end - this.#start;
		const capacity = Math.max(SLAB_BYTES, (pending + bytes) * 2);
		const grown = Buffer.allocUnsafeSlow(capacity);
		this.#buffer.copy(grown, 0, this.#start, this.#end);
		this.#buffer = grown;
		this.#view = new DataView(grown.buffer, grown.byteOffset, grown.byteLength);
		this.#start = 0;
		this.#end = pending;
	}
}
