// Framing of libvirt's RPC: a length, a header of six words, a payload. Bytes in, frames out; no sockets.

import { XdrReader } from "@virtkit/xdr/reader";
import type { XdrWriter } from "@virtkit/xdr/writer";

/** What a message is (virNetMessageType). */
export const MESSAGE_TYPES = {
	CALL: 0,
	REPLY: 1,
	EVENT: 2,
	STREAM: 3,
	CALL_WITH_FDS: 4,
	REPLY_WITH_FDS: 5,
	STREAM_HOLE: 6,
} as const;
export type MessageType = (typeof MESSAGE_TYPES)[keyof typeof MESSAGE_TYPES];

/** How a reply or stream packet stands (virNetMessageStatus). */
export const MESSAGE_STATUS = { OK: 0, ERROR: 1, CONTINUE: 2 } as const;
export type MessageStatus = (typeof MESSAGE_STATUS)[keyof typeof MESSAGE_STATUS];

/** Sizes in bytes (virnetprotocol.x). The length word counts itself, the header and the payload. */
export const FRAME_LIMITS = {
	LENGTH_BYTES: 4,
	HEADER_BYTES: 24,
	/** The largest value that the length word may have: 32 MiB and itself. */
	LENGTH_MAX: 33_554_432 + 4,
	PAYLOAD_MAX: 33_554_408,
	/** The most data that one stream packet carries, so that old peers can read it. */
	STREAM_PAYLOAD_MAX: 262_120,
	/** The most descriptors that one message announces. */
	DESCRIPTORS_MAX: 32,
} as const;

const PREFIX_BYTES = FRAME_LIMITS.LENGTH_BYTES + FRAME_LIMITS.HEADER_BYTES;

/** Bytes that are no frame: the connection they came from cannot be understood any more. */
export class FrameError extends Error {
	override readonly name = "FrameError";
}

export interface FrameHeader {
	readonly program: number;
	readonly version: number;
	readonly procedure: number;
	readonly type: MessageType;
	/** Of a call, chosen by the caller; replies and stream packets repeat it; events carry 0. */
	readonly serial: number;
	readonly status: MessageStatus;
}

export interface Frame extends FrameHeader {
	/** Reads the payload, as a view on the bytes that were pushed. */
	readonly payload: XdrReader;
}

/** Takes bytes as they arrive and calls back with each frame that is complete. */
export class FrameDecoder {
	readonly #onFrame: (frame: Frame) => void;
	/** Bytes of a frame that is not complete yet. */
	#pending: Buffer[] = [];
	#pendingBytes = 0;
	/** How many bytes `#pending` must have before it is worth looking at. */
	#wanted: number = FRAME_LIMITS.LENGTH_BYTES;

	constructor(onFrame: (frame: Frame) => void) {
		this.#onFrame = onFrame;
	}

	/**
	 * How many more bytes surely belong to the frame that is under way or comes next: what may be read without reading
	 * past it. A frame is as long as its header at least.
	 */
	get missing(): number {
		return Math.max(this.#wanted, PREFIX_BYTES) - this.#pendingBytes;
	}

	/** Whether the bytes so far end within a frame. */
	get incomplete(): boolean {
		return this.#pendingBytes > 0;
	}

	/** Decodes what `bytes` complete. Throws FrameError when a length or header cannot be a frame's. */
	push(bytes: Buffer): void {
		let chunk = bytes;
		if (this.#pendingBytes > 0) {
			this.#pending.push(bytes);
			this.#pendingBytes += bytes.length;
			if (this.#pendingBytes < this.#wanted) return;
			chunk = Buffer.concat(this.#pending, this.#pendingBytes);
		}
		this.#keep(chunk, this.#decode(chunk));
	}

	/** Decodes every complete frame in `chunk`; answers how many bytes they took, and sets how many are wanted next. */
	#decode(chunk: Buffer): number {
		let at = 0;
		for (;;) {
			const available = chunk.length - at;
			this.#wanted = FRAME_LIMITS.LENGTH_BYTES;
			if (available < this.#wanted) return at;
			const length = chunk.readUInt32BE(at);
			if (length < PREFIX_BYTES || length > FRAME_LIMITS.LENGTH_MAX) {
				throw new FrameError(`a message of ${length} bytes, ${PREFIX_BYTES} to ${FRAME_LIMITS.LENGTH_MAX} are allowed`);
			}
			this.#wanted = length;
			if (available < length) return at;
			this.#onFrame(decodeFrame(chunk, at, length));
			at += length;
		}
	}

	#keep(chunk: Buffer, from: number): void {
		const rest = chunk.subarray(from);
		this.#pending = rest.length > 0 ? [rest] : [];
		this.#pendingBytes = rest.length;
	}
}

function decodeFrame(bytes: Buffer, at: number, length: number): Frame {
	const reader = new XdrReader(bytes, at + FRAME_LIMITS.LENGTH_BYTES, at + length);
	const program = reader.uint();
	const version = reader.uint();
	const procedure = reader.int();
	const type = reader.int();
	const serial = reader.uint();
	const status = reader.int();
	if (!isMessageType(type)) throw new FrameError(`a message of type ${type}`);
	if (!isMessageStatus(status)) throw new FrameError(`a message of status ${status}`);
	return { program, version, procedure, type, serial, status, payload: reader };
}

/**
 * How many descriptors follow a CALL_WITH_FDS or REPLY_WITH_FDS message: the first word of its payload.
 *
 * Throws FrameError where they are more than libvirt takes (VIR_NET_MESSAGE_NUM_FDS_MAX).
 */
export function decodeDescriptorCount(payload: XdrReader): number {
	if (payload.remaining < 4) throw new FrameError("a message with descriptors that does not say how many");
	const count = payload.uint();
	if (count > FRAME_LIMITS.DESCRIPTORS_MAX)
		throw new FrameError(`${count} descriptors announced, at most ${FRAME_LIMITS.DESCRIPTORS_MAX} are allowed`);
	return count;
}

function isMessageType(value: number): value is MessageType {
	return value >= MESSAGE_TYPES.CALL && value <= MESSAGE_TYPES.STREAM_HOLE;
}

function isMessageStatus(value: number): value is MessageStatus {
	return value >= MESSAGE_STATUS.OK && value <= MESSAGE_STATUS.CONTINUE;
}

/**
 * Appends a frame whose payload `writePayload` writes.
 *
 * When that throws, or writes more than a payload may have (FrameError), the writer is left as it was before.
 */
export function encodeFrame(writer: XdrWriter, header: FrameHeader, writePayload: (writer: XdrWriter) => void): void {
	const start = beginFrame(writer, header);
	try {
		writePayload(writer);
		endFrame(writer, start);
	} catch (error) {
		writer.truncate(start);
		throw error;
	}
}

/** Starts a frame; answers the position to give to `endFrame` once the payload is written. */
export function beginFrame(writer: XdrWriter, header: FrameHeader): number {
	const start = writer.length;
	writer.uint(0);
	writer.uint(header.program);
	writer.uint(header.version);
	writer.int(header.procedure);
	writer.int(header.type);
	writer.uint(header.serial);
	writer.int(header.status);
	return start;
}

/** Completes the frame that started at `start`. Throws FrameError, and takes the frame back, when it is too large. */
export function endFrame(writer: XdrWriter, start: number): void {
	const length = writer.length - start;
	if (length > FRAME_LIMITS.LENGTH_MAX) {
		writer.truncate(start);
		throw new FrameError(`a message of ${length} bytes, at most ${FRAME_LIMITS.LENGTH_MAX} are allowed`);
	}
	writer.patchUint(start, length);
}
