// What both ends of a stream have in common: cutting data into packets, and telling the connection when to wait.

import { FRAME_LIMITS } from "./frame.ts";

/** How packets of one stream leave. */
export interface PacketSink {
	/** Sends one packet; answers whether more may follow at once. */
	readonly send: (data: Uint8Array) => boolean;
	/** Calls back once the connection takes more. */
	readonly whenWritable: (callback: () => void) => void;
	/** Whether the stream is over: what is left is dropped then. */
	readonly isOver: () => boolean;
}

/** Sends `data` in packets that every peer can read, and calls back when the last one has left or the stream is over. */
export function sendInPackets(data: Uint8Array, sink: PacketSink, done: () => void): void {
	let at = 0;
	const next = (): void => {
		while (at < data.length && !sink.isOver()) {
			const part = data.subarray(at, at + FRAME_LIMITS.STREAM_PAYLOAD_MAX);
			at += part.length;
			if (!sink.send(part)) return sink.whenWritable(next);
		}
		done();
	};
	next();
}

/** Whether a stream holds too much unread data, told to its connection whenever that changes. */
export class Congestion {
	readonly #report: (congested: boolean) => void;
	#congested = false;

	constructor(report: (congested: boolean) => void) {
		this.#report = report;
	}

	set(congested: boolean): void {
		if (congested === this.#congested) return;
		this.#congested = congested;
		this.#report(congested);
	}
}
