// Reads XDR values off a received message, refusing every length that the message cannot hold (RFC 4506).

import { XdrError } from "./error.ts";

/** Reads XDR primitives from `start` to `end` of a buffer. Every method throws XdrError when the data does not fit. */
export class XdrReader {
	readonly #buffer: Buffer;
	#at: number;
	readonly #end: number;

	constructor(buffer: Buffer, start: number = 0, end: number = buffer.length) {
		this.#buffer = buffer;
		this.#at = start;
		this.#end = end;
	}

	/** How many bytes are left. */
	get remaining(): number {
		return this.#end - this.#at;
	}

	/** Throws unless everything was read: a message with bytes left over is not what its sender says it is. */
	finish(): void {
		if (this.#at !== this.#end) throw new XdrError(`${this.remaining} bytes left over at the end of the message`);
	}

	int(): number {
		const at = this.#advance(4);
		const buffer = this.#buffer;
		// The index is within bounds (#advance), which the type system cannot know.
		return (
			((buffer[at] as number) << 24) |
			((buffer[at + 1] as number) << 16) |
			((buffer[at + 2] as number) << 8) |
			(buffer[at + 3] as number)
		);
	}

	uint(): number {
		return this.int() >>> 0;
	}

	/** The integer that comes next, left unread; undefined where none is left. */
	peekInt(): number | undefined {
		return this.remaining < 4 ? undefined : this.#buffer.readInt32BE(this.#at);
	}

	hyper(): bigint {
		return this.#buffer.readBigInt64BE(this.#advance(8));
	}

	uhyper(): bigint {
		return this.#buffer.readBigUInt64BE(this.#advance(8));
	}

	double(): number {
		return this.#buffer.readDoubleBE(this.#advance(8));
	}

	/** The length of an array or opaque that follows: at most `max` elements, each of at least `elementBytes` bytes. */
	count(max: number, elementBytes: number): number {
		const count = this.uint();
		if (count > max) throw new XdrError(`${count} elements announced, at most ${max} are allowed`);
		if (count * elementBytes > this.remaining) {
			throw new XdrError(`${count} elements announced, ${this.remaining} bytes are left`);
		}
		return count;
	}

	/** A copy of the next `length` bytes; skips the padding to a multiple of four. */
	fixedOpaque(length: number): Buffer {
		const at = this.#advance((length + 3) & ~3);
		return Buffer.from(this.#buffer.subarray(at, at + length));
	}

	/** A copy of bytes behind their length, at most `max`. */
	opaque(max: number): Buffer {
		return this.fixedOpaque(this.count(max, 1));
	}

	/** A view of all that is left (the payload of stream packets). */
	rest(): Buffer {
		const at = this.#advance(this.remaining);
		return this.#buffer.subarray(at, this.#end);
	}

	/** UTF-8 text behind its length in bytes, at most `max`. Text with a NUL in it is refused: no C peer can send it. */
	string(max: number): string {
		const length = this.count(max, 1);
		const at = this.#advance((length + 3) & ~3);
		const text = this.#buffer.toString("utf8", at, at + length);
		if (text.includes("\0")) throw new XdrError("a string with a NUL character in it");
		return text;
	}

	#advance(bytes: number): number {
		const at = this.#at;
		if (bytes > this.#end - at) throw new XdrError(`${bytes} bytes expected, ${this.#end - at} are left`);
		this.#at = at + bytes;
		return at;
	}
}
