// One client's connection: its messages in, the answers, events and stream packets out.

import type { Duplex } from "node:stream";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import { type DescriptorPort, descriptorPortOf } from "@virtkit/host/descriptor-socket";
import { closeDescriptor } from "@virtkit/host/native";
import { FEATURES } from "@virtkit/protocol/features";
import {
	beginFrame,
	decodeDescriptorCount,
	encodeFrame,
	endFrame,
	type Frame,
	FrameDecoder,
	FrameError,
	type FrameHeader,
	MESSAGE_STATUS,
	MESSAGE_TYPES,
	type MessageStatus,
} from "@virtkit/protocol/frame";
import { Keepalive } from "@virtkit/protocol/keepalive";
import type { EventProcedure } from "@virtkit/protocol/procedure";
import type { EventName, MessageOf } from "@virtkit/protocol/procedure-types";
import { PROGRAMS, type ProgramName } from "@virtkit/protocol/programs";
import { toRemoteError } from "@virtkit/protocol/remote-error";
import { remoteError } from "@virtkit/protocol/types/error";
import { XdrError } from "@virtkit/xdr/error";
import { XdrWriter } from "@virtkit/xdr/writer";
import { Call } from "./call.ts";
import type { DispatchEntry, DispatchProgram } from "./dispatch-table.ts";
import type { Client, ClientIdentity } from "./handler.ts";
import type { Guard, Limits, Logger } from "./options.ts";
import { readOnlyRefusal } from "./read-only.ts";
import { ServerStream } from "./stream.ts";

/** What all sessions of a server share. */
export interface SessionHost {
	readonly programs: ReadonlyMap<number, DispatchProgram>;
	readonly limits: Limits;
	readonly logger: Logger;
	readonly guard: Guard | undefined;
}

const KEEPALIVE = PROGRAMS.keepalive;
const SUPPORTS_FEATURE = PROGRAMS.remote.procedures.CONNECT_SUPPORTS_FEATURE.number;
/** Unsent bytes above which a client is not read any further, until it has read. */
const OUTPUT_HIGH_WATER = 1024 * 1024;
/** Collected output is sent when it grows above this, rather than at the end of what is being done. */
const FLUSH_BYTES = 256 * 1024;
/** Why a client is not being read; several reasons may hold at once. */
const PAUSED = { BY_REQUESTS: 1, BY_OUTPUT: 2, BY_STREAMS: 4, BY_CLOSING: 8, BY_DESCRIPTORS: 16 } as const;

/** A call, and the descriptors that came with it. */
interface Incoming extends Frame {
	readonly descriptors?: readonly number[];
}

/** See the opening sentence; made and owned by RpcServer. */
export class Session implements Client {
	readonly id: number;
	readOnly: boolean;
	readonly identity: ClientIdentity;
	readonly connectedAt = new Date();
	readonly state = new Map<string | symbol, unknown>();

	readonly #host: SessionHost;
	readonly #socket: Duplex;
	readonly #decoder = new FrameDecoder((frame) => this.#receive(frame));
	readonly #output = new XdrWriter();
	/** Events wait here until the replies that caused them are written. */
	readonly #events = new XdrWriter(1024);
	readonly #keepalive: Keepalive;
	readonly #abort = new AbortController();
	readonly #streams = new Map<number, ServerStream>();
	readonly #cleanups: (() => void | Promise<void>)[] = [];
	/** Calls that came while as many as allowed were being answered. */
	readonly #waiting: Incoming[] = [];
	readonly #drainCallbacks: (() => void)[] = [];
	readonly #closed = Promise.withResolvers<void>();
	readonly #port: DescriptorPort | undefined;
	/** The connection ends once descriptors on their way are sent. */
	#endWhenSent = false;
	#inFlight = 0;
	#congestedStreams = 0;
	#paused = 0;
	/** Whether output is collected and will be flushed by whoever is running now. */
	#corked = false;
	#flushScheduled = false;
	#eventsScheduled = false;
	#gone = false;

	constructor(host: SessionHost, id: number, socket: Duplex, identity: ClientIdentity, readOnly: boolean) {
		this.#host = host;
		this.id = id;
		this.#socket = socket;
		this.#port = descriptorPortOf(socket);
		this.identity = identity;
		this.readOnly = readOnly;
		this.#keepalive = new Keepalive({
			interval: host.limits.keepaliveInterval,
			count: host.limits.keepaliveCount,
			ping: () => this.#sendKeepalive(KEEPALIVE.procedures.PING.number),
			dead: () => this.#fail("connection closed due to keepalive timeout"),
		});
		socket.on("data", (bytes: Buffer) => this.#onData(bytes));
		socket.on("drain", () => this.#onDrain());
		socket.on("error", (error) => this.#host.logger.debug({ client: id, error }, "client connection failed"));
		// A client that stops sending has gone: libvirt's clients never half-close.
		socket.on("end", () => socket.destroy());
		socket.on("close", () => void this.#onClose());
	}

	get signal(): AbortSignal {
		return this.#abort.signal;
	}

	/** Settles when the connection is gone and all cleanups have run. */
	get closed(): Promise<void> {
		return this.#closed.promise;
	}

	get passesDescriptors(): boolean {
		return this.#port !== undefined;
	}

	/** How many calls are being answered or wait to be. */
	get pendingCalls(): number {
		return this.#inFlight + this.#waiting.length;
	}

	onClose(cleanup: () => void | Promise<void>): void {
		if (this.#gone) void this.#runCleanup(cleanup);
		else this.#cleanups.push(cleanup);
	}

	startKeepalive(): void {
		if (!this.#gone) this.#keepalive.start();
	}

	async leave(): Promise<void> {
		await this.#runCleanups();
		this.close();
	}

	close(): void {
		this.#pause(PAUSED.BY_CLOSING);
		setImmediate(() => {
			this.#flushEvents();
			this.#endWhenSent = this.#port?.sending === true;
			if (!this.#endWhenSent) this.#end();
		});
	}

	#end(): void {
		this.#flush();
		this.#socket.end();
		// An end that the peer never acknowledges must not keep the client alive.
		this.#socket.once("finish", () => this.#socket.destroy());
	}

	/** Disconnects at once. */
	destroy(): void {
		this.#socket.destroy();
	}

	/** Takes no more calls, lets those under way be answered, and closes. */
	async drain(): Promise<void> {
		this.#pause(PAUSED.BY_CLOSING);
		this.#dropWaiting();
		if (this.#inFlight === 0) this.close();
		await this.closed;
	}

	sendEvent<P extends EventName<G>, G extends ProgramName = "remote">(
		name: P,
		message: MessageOf<P, G>,
		program?: G,
	): void {
		if (this.#gone) return;
		const { number, version, procedures } = PROGRAMS[program ?? "remote"];
		// The signature ties name and message to the program's table, which the compiler cannot follow into the value.
		const procedure = (procedures as Readonly<Record<string, EventProcedure>>)[name as string] as EventProcedure;
		const header = eventHeader(number, version, procedure.number);
		encodeFrame(this.#events, header, (writer) => procedure.message.encode(writer, message));
		if (this.#eventsScheduled) return;
		this.#eventsScheduled = true;
		setImmediate(() => {
			this.#flushEvents();
			this.#flush();
		});
	}

	#flushEvents(): void {
		this.#eventsScheduled = false;
		if (this.#events.length > 0) this.#output.raw(this.#events.take());
	}

	#onData(bytes: Buffer): void {
		this.#keepalive.heard();
		this.#corked = true;
		try {
			this.#decoder.push(bytes);
			if (this.#paused & PAUSED.BY_DESCRIPTORS && this.#decoder.incomplete)
				throw new FrameError("bytes where descriptors were announced");
		} catch (error) {
			this.#fail("client sent what is no message", error);
		} finally {
			this.#corked = false;
		}
		this.#flush();
	}

	#receive(frame: Frame): void {
		if (frame.program === KEEPALIVE.number) return this.#receiveKeepalive(frame);
		switch (frame.type) {
			case MESSAGE_TYPES.CALL:
				if (frame.procedure === SUPPORTS_FEATURE) this.#expectDescriptors(frame);
				this.#waiting.push(frame);
				return this.#dispatchWaiting();
			case MESSAGE_TYPES.CALL_WITH_FDS:
				return this.#receiveWithDescriptors(frame);
			case MESSAGE_TYPES.STREAM:
				// Packets of a stream that has just ended may still arrive; they are no one's.
				return this.#streams.get(frame.serial)?.receive(frame.status, frame.payload.rest());
			default:
				this.#host.logger.debug({ client: this.id, type: frame.type }, "dropping a message of unexpected type");
		}
	}

	/** A client asks whether descriptors can be passed before it passes any: what it sends after the answer is read with care. */
	#expectDescriptors({ payload }: Frame): void {
		if (payload.peekInt() !== FEATURES.FD_PASSING || this.#port?.limited !== false) return;
		this.#port.limitReads(() => this.#decoder.missing);
	}

	/** Throws where descriptors cannot come, or too many are announced: the connection is lost then, as with libvirt. */
	#receiveWithDescriptors(frame: Frame): void {
		if (this.#paused & PAUSED.BY_DESCRIPTORS) throw new FrameError("a message where descriptors were announced");
		if (!this.#port?.limited) throw new FrameError("descriptors on a connection that was not asked to pass any");
		const count = decodeDescriptorCount(frame.payload);
		this.#pause(PAUSED.BY_DESCRIPTORS);
		void this.#awaitDescriptors(this.#port, frame, count);
	}

	async #awaitDescriptors(port: DescriptorPort, frame: Frame, count: number): Promise<void> {
		try {
			this.#waiting.push({ ...frame, descriptors: await port.receive(count) });
		} catch (error) {
			return this.#fail("client did not send the descriptors that it announced", error);
		}
		if (this.#gone) return this.#dropWaiting();
		this.#dispatchWaiting();
		this.#flush();
		this.#resume(PAUSED.BY_DESCRIPTORS);
	}

	/** Lets go of calls that are not answered any more. */
	#dropWaiting(): void {
		for (const { descriptors } of this.#waiting.splice(0)) descriptors?.forEach(closeDescriptor);
	}

	#receiveKeepalive(frame: Frame): void {
		if (frame.procedure === KEEPALIVE.procedures.PING.number) {
			this.#sendKeepalive(KEEPALIVE.procedures.PONG.number);
		}
	}

	#sendKeepalive(procedure: number): void {
		encodeFrame(this.#output, eventHeader(KEEPALIVE.number, KEEPALIVE.version, procedure), () => undefined);
		this.#scheduleFlush();
	}

	#dispatch(frame: Incoming): void {
		const { descriptors } = frame;
		let entry: DispatchEntry | undefined;
		try {
			entry = this.#entryOf(frame);
			const args = decodeArguments(frame, entry);
			const row = entry;
			const call = new Call(this, frame, () => this.#openStream(frame, row), descriptors);
			if (this.readOnly) refuseReadOnly(entry, args);
			this.#host.guard?.(call, entry.program, entry.name, args);
			this.#invoke(frame, entry, call, args);
		} catch (error) {
			this.#replyError(frame, entry, error);
			descriptors?.forEach(closeDescriptor);
		}
	}

	/** The row that a call names. Throws libvirt's errors for calls that name none. */
	#entryOf(frame: Frame): DispatchEntry {
		const program = this.#host.programs.get(frame.program);
		if (program === undefined || program.version !== frame.version) {
			throw rpcError(`Cannot find program ${frame.program} version ${frame.version}`);
		}
		if (frame.status !== MESSAGE_STATUS.OK) throw rpcError(`Unexpected message status ${frame.status}`);
		const entry = program.entries[frame.procedure];
		if (entry === undefined) throw rpcError(`unknown procedure: ${frame.procedure}`);
		return entry;
	}

	#invoke(frame: Frame, entry: DispatchEntry, call: Call, args: unknown): void {
		let result: unknown;
		try {
			result = entry.handler(call, args);
		} catch (error) {
			call.fail();
			throw error;
		}
		if (result instanceof Promise) void this.#finishLater(frame, entry, call, result);
		else {
			this.#finish(frame, entry, call, result);
			call.release();
		}
	}

	async #finishLater(frame: Frame, entry: DispatchEntry, call: Call, promise: Promise<unknown>): Promise<void> {
		this.#inFlight++;
		try {
			this.#finish(frame, entry, call, await promise);
		} catch (error) {
			call.fail();
			this.#replyError(frame, entry, error);
		}
		call.release();
		this.#inFlight--;
		this.#dispatchWaiting();
		this.#scheduleFlush();
		if (this.#inFlight === 0 && this.#paused & PAUSED.BY_CLOSING) this.close();
	}

	#finish(frame: Frame, entry: DispatchEntry, call: Call, result: unknown): void {
		const { outgoing } = call;
		const type = outgoing.length > 0 ? MESSAGE_TYPES.REPLY_WITH_FDS : MESSAGE_TYPES.REPLY;
		const start = beginFrame(this.#output, { ...replyHeader(frame, MESSAGE_STATUS.OK), type });
		try {
			if (outgoing.length > 0) this.#output.uint(outgoing.length);
			entry.procedure.ret.encode(this.#output, result);
			endFrame(this.#output, start);
		} catch (error) {
			this.#output.truncate(start);
			call.fail();
			this.#host.logger.error({ client: this.id, procedure: entry.name, error }, "a result cannot be sent");
			throw rpcError("Unable to encode message payload");
		}
		entry.count.calls++;
		call.answered();
		// What is written from now on waits until they are sent.
		if (outgoing.length > 0) this.#port?.send(this.#output.take(), outgoing, (failure) => this.#sent(failure));
	}

	#sent(failure: unknown): void {
		if (failure !== undefined) return this.#fail("descriptors cannot be sent to the client", failure);
		this.#flush();
		if (this.#endWhenSent && this.#port?.sending === false) this.#end();
	}

	#replyError(frame: Frame, entry: DispatchEntry | undefined, thrown: unknown): void {
		if (entry !== undefined) {
			entry.count.calls++;
			entry.count.errors++;
		}
		const error = toVirtError(thrown);
		if (!(thrown instanceof VirtError)) {
			this.#host.logger.error({ client: this.id, procedure: frame.procedure, error: thrown }, "a handler failed");
		}
		encodeFrame(this.#output, replyHeader(frame, MESSAGE_STATUS.ERROR), (writer) => {
			remoteError.encode(writer, toRemoteError(error));
		});
	}

	/** Answers calls in the order they came, as many at once as allowed; the rest waits, and the client is not read. */
	#dispatchWaiting(): void {
		while (this.#waiting.length > 0 && this.#mayDispatch) {
			this.#dispatch(this.#waiting.shift() as Frame);
			if (this.#output.length > FLUSH_BYTES) this.#flush();
		}
		if (this.#waiting.length === 0) this.#resume(PAUSED.BY_REQUESTS);
		else this.#pause(PAUSED.BY_REQUESTS);
	}

	get #mayDispatch(): boolean {
		const blocked = this.#paused & (PAUSED.BY_OUTPUT | PAUSED.BY_CLOSING);
		return blocked === 0 && this.#inFlight < this.#host.limits.maxRequestsPerClient;
	}

	#openStream(frame: Frame, entry: DispatchEntry): ServerStream {
		if (entry.procedure.stream === "none") throw new TypeError(`${entry.name} has no stream`);
		const stream = new ServerStream({
			sendStreamPacket: (status, write) => this.#sendStreamPacket(frame, status, write),
			whenWritable: (callback) => this.#drainCallbacks.push(callback),
			setCongested: (congested) => this.#streamCongested(congested),
			forget: () => this.#streams.delete(frame.serial),
		});
		this.#streams.set(frame.serial, stream);
		return stream;
	}

	#sendStreamPacket(frame: Frame, status: MessageStatus, write: (writer: XdrWriter) => void): boolean {
		if (this.#gone) return false;
		encodeFrame(this.#output, { ...replyHeader(frame, status), type: MESSAGE_TYPES.STREAM }, write);
		this.#scheduleFlush();
		return this.#socket.writableLength + this.#output.length < OUTPUT_HIGH_WATER;
	}

	#streamCongested(congested: boolean): void {
		this.#congestedStreams += congested ? 1 : -1;
		if (this.#congestedStreams > 0) this.#pause(PAUSED.BY_STREAMS);
		else this.#resume(PAUSED.BY_STREAMS);
	}

	/** Sends what was written, once whoever is running now is done. */
	#scheduleFlush(): void {
		if (this.#corked || this.#flushScheduled) return;
		this.#flushScheduled = true;
		queueMicrotask(() => {
			this.#flushScheduled = false;
			this.#flush();
		});
	}

	#flush(): void {
		if (this.#output.length === 0) return;
		if (this.#port?.sending) {
			if (this.#output.length > this.#host.limits.maxUnsentBytes) this.#fail("client does not take its descriptors");
			return;
		}
		const bytes = this.#output.take();
		if (this.#gone || !this.#socket.writable) return;
		this.#socket.write(bytes);
		const unsent = this.#socket.writableLength;
		if (unsent > this.#host.limits.maxUnsentBytes) this.#fail(`client left ${unsent} bytes unread`);
		else if (unsent > OUTPUT_HIGH_WATER) this.#pause(PAUSED.BY_OUTPUT);
	}

	#onDrain(): void {
		this.#resume(PAUSED.BY_OUTPUT);
		this.#dispatchWaiting();
		this.#flush();
		for (const callback of this.#drainCallbacks.splice(0)) callback();
	}

	#pause(reason: number): void {
		if (this.#paused === 0) this.#socket.pause();
		this.#paused |= reason;
	}

	#resume(reason: number): void {
		if ((this.#paused & reason) === 0) return;
		this.#paused &= ~reason;
		if (this.#paused === 0) this.#socket.resume();
	}

	#fail(reason: string, error?: unknown): void {
		this.#host.logger.warn({ client: this.id, error }, reason);
		this.#socket.destroy();
	}

	async #onClose(): Promise<void> {
		if (this.#gone) return;
		this.#gone = true;
		this.#keepalive.stop();
		this.#dropWaiting();
		this.#abort.abort(new VirtError("OPERATION_ABORTED", "the client is gone", { domain: "RPC" }));
		for (const stream of this.#streams.values()) stream.abandon();
		for (const callback of this.#drainCallbacks.splice(0)) callback();
		await this.#runCleanups();
		this.#closed.resolve();
	}

	async #runCleanups(): Promise<void> {
		for (const cleanup of this.#cleanups.splice(0).reverse()) await this.#runCleanup(cleanup);
	}

	async #runCleanup(cleanup: () => void | Promise<void>): Promise<void> {
		try {
			await cleanup();
		} catch (error) {
			this.#host.logger.error({ client: this.id, error }, "cleaning up after a client failed");
		}
	}
}

function decodeArguments(frame: Frame, entry: DispatchEntry): unknown {
	try {
		const args = entry.procedure.args.decode(frame.payload);
		frame.payload.finish();
		return args;
	} catch (error) {
		if (error instanceof XdrError) throw rpcError(`Unable to decode message payload: ${error.message}`, error);
		throw error;
	}
}

function refuseReadOnly(entry: DispatchEntry, args: unknown): void {
	const refusal = readOnlyRefusal(entry, args);
	if (refusal !== undefined) throw refusal;
}

function rpcError(detail: string, cause?: unknown): VirtError {
	return new VirtError("RPC", detail, { domain: "RPC", cause });
}

function replyHeader(frame: Frame, status: MessageStatus): FrameHeader {
	const { program, version, procedure, serial } = frame;
	return { program, version, procedure, serial, status, type: MESSAGE_TYPES.REPLY };
}

function eventHeader(program: number, version: number, procedure: number): FrameHeader {
	return { program, version, procedure, serial: 0, status: MESSAGE_STATUS.OK, type: MESSAGE_TYPES.EVENT };
}
