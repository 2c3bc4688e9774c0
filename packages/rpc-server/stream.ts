// A stream that belongs to a call: console bytes, screenshots, volume contents; a Duplex to its handler.

import { once } from "node:events";
import { Duplex } from "node:stream";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import { MESSAGE_STATUS, type MessageStatus } from "@virtkit/protocol/frame";
import { toRemoteError } from "@virtkit/protocol/remote-error";
import { Congestion, sendInPackets } from "@virtkit/protocol/stream-packets";
import { remoteError } from "@virtkit/protocol/types/error";
import type { XdrWriter } from "@virtkit/xdr/writer";

/** How much a stream takes from its client before it asks the connection to wait, in bytes. */
const BUFFER_BYTES = 1024 * 1024;

/** What a stream needs of the connection it runs on. */
export interface StreamCarrier {
	/** Sends a packet of the stream; answers whether more may follow at once. */
	readonly sendStreamPacket: (status: MessageStatus, writePayload: (writer: XdrWriter) => void) => boolean;
	/** Calls back once the connection takes more. */
	readonly whenWritable: (callback: () => void) => void;
	/** Tells the connection that the stream holds too much unread data, or no longer does. */
	readonly setCongested: (congested: boolean) => void;
	/** The stream ended in both directions; packets for it are ignored from now on. */
	readonly forget: () => void;
}

type State = "opening" | "open" | "closed";

/**
 * The server's end of a stream.
 *
 * - What the client sends is read from it; its end is where the client finished.
 * - What is written goes to the client; `end()` tells it that nothing more comes.
 * - `destroy(error)` ends it with an error that the client sees.
 * - When the client aborts, it is destroyed without an error: listen for `close`.
 *
 * Nothing leaves before the handler has answered the call.
 */
export class ServerStream extends Duplex {
	readonly #carrier: StreamCarrier;
	readonly #congestion: Congestion;
	#state: State = "opening";
	#finishing: (() => void | Promise<void>) | undefined;
	#waiting: (() => void) | undefined;
	#finishReceived = false;

	constructor(carrier: StreamCarrier) {
		super({ allowHalfOpen: true, autoDestroy: false, readableHighWaterMark: BUFFER_BYTES });
		this.#carrier = carrier;
		this.#congestion = new Congestion(carrier.setCongested);
		// The handler may be gone by the time a client aborts; that is no reason to end the process.
		this.on("error", () => undefined);
	}

	/**
	 * What must be done before the client's finish is confirmed: flushing a file, checking what was written.
	 * When it fails, the client is told why. Without it, the finish is confirmed once all data has been read here.
	 */
	onFinish(finish: () => void | Promise<void>): void {
		this.#finishing = finish;
	}

	/** Called when the reply of the call has been written: data may flow. */
	activate(): void {
		if (this.#state === "opening") this.#state = "open";
		const waiting = this.#waiting;
		this.#waiting = undefined;
		waiting?.();
	}

	/** Called when the call failed, or the client is gone: nothing can be said any more. */
	abandon(): void {
		this.#state = "closed";
		this.activate();
		this.destroy();
	}

	/** Called for each packet that the client sends. */
	receive(status: MessageStatus, data: Buffer): void {
		if (this.#state === "closed") return;
		if (status === MESSAGE_STATUS.CONTINUE) this.#receiveData(data);
		else if (status === MESSAGE_STATUS.OK) void this.#receiveFinish();
		else this.#receiveAbort();
	}

	#receiveData(data: Buffer): void {
		if (this.#finishReceived || data.length === 0) return;
		if (!this.push(data)) this.#congestion.set(true);
	}

	async #receiveFinish(): Promise<void> {
		if (this.#finishReceived) return;
		this.#finishReceived = true;
		this.push(null);
		try {
			if (this.readableLength > 0) await once(this, "end");
			await this.#finishing?.();
		} catch (error) {
			this.destroy(toVirtError(error));
			return;
		}
		this.#close(MESSAGE_STATUS.OK);
		this.destroy();
	}

	#receiveAbort(): void {
		this.#close(MESSAGE_STATUS.OK);
		this.destroy();
	}

	/** Sends the last packet, once. */
	#close(status: MessageStatus, error?: VirtError): void {
		if (this.#state === "closed") return;
		this.#state = "closed";
		this.#carrier.sendStreamPacket(status, (writer) => {
			if (error !== undefined) remoteError.encode(writer, toRemoteError(error));
		});
	}

	override _read(): void {
		this.#congestion.set(false);
	}

	override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
		const { whenWritable } = this.#carrier;
		const send = (data: Uint8Array) =>
			this.#carrier.sendStreamPacket(MESSAGE_STATUS.CONTINUE, (writer) => writer.raw(data));
		const isOver = () => this.#state === "closed";
		this.#whenOpen(() => sendInPackets(chunk, { send, whenWritable, isOver }, callback));
	}

	override _final(callback: (error?: Error | null) => void): void {
		this.#whenOpen(() => {
			// An empty packet is the end of what can be read; the stream itself ends with the client's finish.
			if (this.#state === "open") this.#carrier.sendStreamPacket(MESSAGE_STATUS.CONTINUE, () => undefined);
			callback();
		});
	}

	#whenOpen(action: () => void): void {
		if (this.#state === "opening") this.#waiting = action;
		else action();
	}

	override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
		const cause =
			error === null ? new VirtError("RPC", "stream had unexpected termination", { domain: "STREAMS" }) : error;
		this.#whenOpen(() => {
			this.#close(MESSAGE_STATUS.ERROR, toVirtError(cause));
			this.#congestion.set(false);
			this.#carrier.forget();
		});
		callback(error);
	}
}
