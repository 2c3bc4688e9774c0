// The client's end of a stream: console bytes, screenshots, volume contents; a Duplex to its user.

import { Duplex } from "node:stream";
import { VirtError } from "@virtkit/base/errors";
import { MESSAGE_STATUS, type MessageStatus } from "@virtkit/protocol/frame";
import { fromRemoteError } from "@virtkit/protocol/remote-error";
import { Congestion, sendInPackets } from "@virtkit/protocol/stream-packets";
import { remoteError } from "@virtkit/protocol/types/error";
import type { XdrReader } from "@virtkit/xdr/reader";

/** How much is taken from the daemon before the whole connection has to wait for the reader, in bytes. */
const BUFFER_BYTES = 8 * 1024 * 1024;

/** What a stream needs of the connection it runs on. */
export interface StreamCarrier {
	/** Sends a packet of the stream; answers whether more may follow at once. */
	readonly send: (status: MessageStatus, data: Uint8Array) => boolean;
	/** Calls back once the connection takes more. */
	readonly whenWritable: (callback: () => void) => void;
	/** Tells the connection that the stream holds too much unread data, or no longer does. */
	readonly setCongested: (congested: boolean) => void;
	/** The stream is over; packets for it are ignored from now on. */
	readonly forget: () => void;
}

/**
 * A stream of a call.
 *
 * - It can be read until the daemon has no more; it finishes by itself then.
 * - `end()` finishes it; `finish` comes when the daemon has confirmed that all was taken, `error` when it has not.
 * - `destroy()` aborts it.
 */
export class ClientStream extends Duplex {
	readonly #carrier: StreamCarrier;
	readonly #congestion: Congestion;
	#confirmed: ((error?: Error) => void) | undefined;
	#over = false;
	#ended = false;

	constructor(carrier: StreamCarrier) {
		super({ allowHalfOpen: false, readableHighWaterMark: BUFFER_BYTES });
		this.#carrier = carrier;
		this.#congestion = new Congestion(carrier.setCongested);
	}

	/** Called for each packet that the daemon sends. */
	receive(status: MessageStatus, payload: XdrReader): void {
		if (this.#over) return;
		if (status === MESSAGE_STATUS.CONTINUE) this.#receiveData(payload.rest());
		else if (status === MESSAGE_STATUS.OK) this.#receiveConfirmation();
		else this.#receiveError(payload);
	}

	/** Called when the connection is lost. */
	lost(error: Error): void {
		this.#over = true;
		this.#confirmed?.(error);
		this.destroy(error);
	}

	#receiveData(data: Buffer): void {
		// An empty packet is how the daemon says that nothing more comes.
		if (data.length === 0) this.#endReading();
		else if (!this.#ended && !this.push(data)) this.#congestion.set(true);
	}

	#receiveConfirmation(): void {
		this.#over = true;
		this.#endReading();
		this.#confirmed?.();
		this.#carrier.forget();
	}

	#receiveError(payload: XdrReader): void {
		this.#over = true;
		const error = payload.remaining === 0 ? unexpectedEnd() : fromRemoteError(remoteError.decode(payload));
		this.#confirmed?.(error);
		this.destroy(error);
	}

	#endReading(): void {
		if (this.#ended) return;
		this.#ended = true;
		this.push(null);
	}

	/**
	 * Ends the stream; never throws. What went wrong was told to whoever read or wrote, and would hide their error if it
	 * were told a second time: Node's own disposal does, as a SuppressedError.
	 */
	override async [Symbol.asyncDispose](): Promise<void> {
		if (this.closed) return;
		const { promise, resolve } = Promise.withResolvers<void>();
		this.once("close", resolve).on("error", () => undefined);
		this.destroy();
		await promise;
	}

	override _read(): void {
		this.#congestion.set(false);
	}

	override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
		const { whenWritable } = this.#carrier;
		const send = (data: Uint8Array) => this.#carrier.send(MESSAGE_STATUS.CONTINUE, data);
		sendInPackets(chunk, { send, whenWritable, isOver: () => this.#over }, callback);
	}

	override _final(callback: (error?: Error | null) => void): void {
		if (this.#over) return callback();
		this.#confirmed = callback;
		this.#carrier.send(MESSAGE_STATUS.OK, new Uint8Array());
	}

	override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
		if (!this.#over) this.#carrier.send(MESSAGE_STATUS.ERROR, new Uint8Array());
		this.#over = true;
		this.#congestion.set(false);
		this.#carrier.forget();
		callback(error);
	}
}

function unexpectedEnd(): VirtError {
	return new VirtError("RPC", "stream had unexpected termination", { domain: "STREAMS" });
}
