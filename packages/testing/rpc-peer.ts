// A bare end of a libvirt RPC connection, client or server: sends any message, well formed or not, and hands out what comes, in order.

import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { VirtError } from "@virtkit/base/errors";
import {
	encodeFrame,
	FrameDecoder,
	type FrameHeader,
	MESSAGE_STATUS,
	MESSAGE_TYPES,
	type MessageStatus,
	type MessageType,
} from "@virtkit/protocol/frame";
import type { CallProcedure, EventProcedure } from "@virtkit/protocol/procedure";
import type { ArgsOf, CallName, EventName, MessageOf, RetOf } from "@virtkit/protocol/procedure-types";
import { PROGRAMS, remoteProcedures } from "@virtkit/protocol/programs";
import { fromRemoteError, toRemoteError } from "@virtkit/protocol/remote-error";
import { remoteError } from "@virtkit/protocol/types/error";
import { decodeValue, encodeValue } from "@virtkit/xdr/codec";
import { XdrWriter } from "@virtkit/xdr/writer";

/** A message that came. */
export interface PeerMessage extends FrameHeader {
	readonly payload: Buffer;
}

type Row = Pick<CallProcedure, "number" | "args" | "ret"> & Pick<EventProcedure, "message">;

/** A procedure's number and codecs, of the remote program. */
function rowOf(name: string): Row {
	// The callers' types tell whether the name is a call's or an event's, and so which codecs its row has.
	return (remoteProcedures as unknown as Readonly<Record<string, Row>>)[name] as Row;
}

/** See the opening sentence. */
export class RpcPeer implements Disposable {
	readonly socket: Duplex;
	/** Settles when the connection is gone. */
	readonly closed: Promise<void>;
	readonly #received: PeerMessage[] = [];
	readonly #decoder: FrameDecoder;
	#arrived = Promise.withResolvers<void>();
	#gone = false;
	#serial = 0;

	constructor(socket: Duplex) {
		this.socket = socket;
		this.#decoder = new FrameDecoder(({ payload, ...header }) => {
			this.#received.push({ ...header, payload: payload.rest() });
			this.#wake();
		});
		socket.on("data", (bytes: Buffer) => this.#decoder.push(bytes));
		socket.on("error", () => undefined);
		const { promise, resolve } = Promise.withResolvers<void>();
		this.closed = promise;
		socket.on("close", () => {
			this.#gone = true;
			this.#wake();
			resolve();
		});
	}

	/** Connects to a UNIX socket. */
	static async open(path: string): Promise<RpcPeer> {
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		const socket: Socket = connect(path, resolve).once("error", reject);
		await promise;
		return new RpcPeer(socket);
	}

	#wake(): void {
		this.#arrived.resolve();
		this.#arrived = Promise.withResolvers<void>();
	}

	/** The next message that comes; rejects when the connection ends before. */
	async receive(): Promise<PeerMessage> {
		for (;;) {
			const message = this.#received.shift();
			if (message !== undefined) return message;
			if (this.#gone) throw new Error("the connection is closed");
			await this.#arrived.promise;
		}
	}

	/** How many messages have come and were not yet received. */
	get waiting(): number {
		return this.#received.length;
	}

	sendBytes(bytes: Uint8Array): void {
		this.socket.write(bytes);
	}

	/** Sends a message with any header; fields not given are those of a call to the remote program. */
	send(header: Partial<FrameHeader>, payload: Uint8Array = Buffer.alloc(0)): void {
		this.sendBytes(this.encode(header, payload));
	}

	encode(header: Partial<FrameHeader>, payload: Uint8Array = Buffer.alloc(0)): Buffer {
		const { number: program, version } = PROGRAMS.remote;
		const defaults = {
			program,
			version,
			procedure: 1,
			type: MESSAGE_TYPES.CALL,
			serial: 1,
			status: MESSAGE_STATUS.OK,
		};
		const writer = new XdrWriter(payload.length + 64);
		encodeFrame(writer, { ...defaults, ...header }, (to) => to.raw(payload));
		return writer.take();
	}

	/** The bytes of a call. */
	encodeCall<P extends CallName>(name: P, args: ArgsOf<P>, serial: number): Buffer {
		const row = rowOf(name);
		return this.encode({ procedure: row.number, serial }, encodeValue(row.args, args));
	}

	/** Sends a call; answers its serial. */
	sendCall<P extends CallName>(name: P, args: ArgsOf<P>): number {
		const serial = ++this.#serial;
		this.sendBytes(this.encodeCall(name, args, serial));
		return serial;
	}

	/** Calls and waits for the answer, which must be the next message that comes. Rejects with the server's error. */
	async call<P extends CallName>(name: P, args: ArgsOf<P>): Promise<RetOf<P>> {
		const serial = this.sendCall(name, args);
		const message = await this.receive();
		if (message.type !== MESSAGE_TYPES.REPLY || message.serial !== serial) {
			throw new Error(`not the answer of ${name}, but type ${message.type}, serial ${message.serial}`);
		}
		return answerOf(name, message);
	}

	/** Sends a packet of the stream that belongs to the call of that serial. */
	sendStream(name: CallName, serial: number, status: MessageStatus, data: Uint8Array = Buffer.alloc(0)): void {
		this.send({ procedure: rowOf(name).number, serial, status, type: MESSAGE_TYPES.STREAM }, data);
	}

	/** As a server: answers a call that was received. */
	answer<P extends CallName>(call: PeerMessage, name: P, ret: RetOf<P>): void {
		const { program, version, procedure, serial } = call;
		const header = { program, version, procedure, serial, type: MESSAGE_TYPES.REPLY };
		this.send(header, encodeValue(rowOf(name).ret, ret));
	}

	/** As a server: answers a call, or ends its stream, with an error. */
	answerError(call: PeerMessage, error: VirtError, type: MessageType = MESSAGE_TYPES.REPLY): void {
		const { program, version, procedure, serial } = call;
		const header = { program, version, procedure, serial, type, status: MESSAGE_STATUS.ERROR };
		this.send(header, encodeValue(remoteError, toRemoteError(error)));
	}

	/** As a server: sends an event. */
	sendEvent<P extends EventName>(name: P, message: MessageOf<P>): void {
		const row = rowOf(name);
		this.send({ procedure: row.number, serial: 0, type: MESSAGE_TYPES.EVENT }, encodeValue(row.message, message));
	}

	[Symbol.dispose](): void {
		this.socket.destroy();
	}
}

/** What a reply says: the result, or the server's error thrown. */
export function answerOf<P extends CallName>(name: P, message: PeerMessage): RetOf<P> {
	if (message.status === MESSAGE_STATUS.ERROR) throw errorOf(message);
	return decodeValue(rowOf(name).ret, message.payload) as RetOf<P>;
}

/** The error in a message. */
export function errorOf(message: PeerMessage): VirtError {
	return fromRemoteError(decodeValue(remoteError, message.payload));
}

/** What an event carries. */
export function eventOf<P extends EventName>(name: P, message: PeerMessage): MessageOf<P> {
	return decodeValue(rowOf(name).message, message.payload) as MessageOf<P>;
}
