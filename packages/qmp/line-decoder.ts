// Cuts a byte stream into lines: the framing of QMP and of the guest agent (QEMU: docs/interop/qmp-spec.txt).

import { VirtError } from "@virtkit/base/errors";

const NEWLINE = 0x0a;

/** Longest line taken from QEMU unless told otherwise, in bytes: that of libvirt's monitor. */
export const MAX_LINE_BYTES = 10 * 1024 * 1024;

/** Bytes in, whole lines out, however the bytes are split. Pure: it owns no socket. */
export class LineDecoder {
	readonly #maxBytes: number;
	#parts: Uint8Array[] = [];
	#length = 0;

	constructor(maxBytes: number = MAX_LINE_BYTES) {
		this.#maxBytes = maxBytes;
	}

	/** The lines that `chunk` completes, without their line ends; blank ones are left out. Throws INTERNAL_ERROR on a line over the limit. */
	push(chunk: Uint8Array): string[] {
		const lines: string[] = [];
		let start = 0;
		for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
			const line = this.#finish(chunk.subarray(start, end));
			if (line !== "") lines.push(line);
			start = end + 1;
		}
		if (start < chunk.length) this.#keep(chunk.subarray(start));
		return lines;
	}

	/** Bytes of the line that has not ended yet. */
	get pendingBytes(): number {
		return this.#length;
	}

	#keep(part: Uint8Array): void {
		this.#parts.push(part);
		this.#length += part.length;
		if (this.#length > this.#maxBytes)
			throw new VirtError("INTERNAL_ERROR", `line of more than ${this.#maxBytes} bytes from the monitor`);
	}

	#finish(last: Uint8Array): string {
		this.#keep(last);
		const bytes = this.#parts.length === 1 ? last : Buffer.concat(this.#parts, this.#length);
		this.#parts = [];
		this.#length = 0;
		return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8").trim();
	}
}
