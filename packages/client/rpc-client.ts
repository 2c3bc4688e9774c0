// A connection to a libvirt daemon: every declared procedure as a typed call, many at once; events; streams.

import type { Duplex } from "node:stream";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import { type DescriptorPort, descriptorPortOf } from "@virtkit/host/descriptor-socket";
import { FEATURES } from "@virtkit/protocol/features";
import {
	decodeDescriptorCount,
	encodeFrame,
	type Frame,
	FrameDecoder,
	type FrameHeader,
	MESSAGE_STATUS,
	MESSAGE_TYPES,
} from "@virtkit/protocol/frame";
import { Keepalive } from "@virtkit/protocol/keepalive";
import { programIndex } from "@virtkit/protocol/lookup";
import type { CallProcedure, EventProcedure } from "@virtkit/protocol/procedure";
import type { ArgsOf, CallName, EventName, MessageOf, RetOf } from "@virtkit/protocol/procedure-types";
import { PROGRAMS, type ProgramName } from "@virtkit/protocol/programs";
import { fromRemoteError } from "@virtkit/protocol/remote-error";
import { remoteError } from "@virtkit/protocol/types/error";
import type { XdrReader } from "@virtkit/xdr/reader";
import { XdrWriter } from "@virtkit/xdr/writer";
import { ClientStream } from "./client-stream.ts";

/** Calls of the remote program that take nothing. */
type NullaryCallName = { [P in CallName]: ArgsOf<P> extends void ? P : never }[CallName];

export interface CallOptions {
	/** Stops waiting for the answer. The daemon is not told: it goes on with what it was asked. */
	readonly signal?: AbortSignal;
}

export interface RpcClientOptions {
	/** How long the daemon may stay silent before it is asked, in milliseconds; 0, the default, never asks. */
	readonly keepaliveInterval?: number;
	/** How many times it is asked before the connection counts as lost; 5 unless told. */
	readonly keepaliveCount?: number;
}

/** What a call passes along. */
interface Passing {
	readonly fds: readonly number[];
	/** What the answer brings. */
	received: readonly number[];
	/** Nobody waits for the answer any more. */
	abandoned: boolean;
}

/** A call that waits for its answer. */
interface PendingCall {
	readonly procedure: CallProcedure;
	readonly resolve: (result: unknown) => void;
	readonly reject: (error: unknown) => void;
	readonly stream: ClientStream | undefined;
	readonly passing: Passing | undefined;
}

type Listener = (message: unknown) => void;

const KEEPALIVE = PROGRAMS.keepalive;
/** Unsent bytes above which streams wait. */
const OUTPUT_HIGH_WATER = 1024 * 1024;
/** How long `close` waits for the daemon to take its leave, in milliseconds. */
const CLOSE_DEADLINE = 2000;

/** See the opening sentence. Made from a connected byte stream; `connectRpc` makes one from a URI. */
export class RpcClient implements AsyncDisposable {
	/** Settles when the connection is over: with undefined when it was closed here, else with why. */
	readonly closed: Promise<VirtError | undefined>;

	readonly #socket: Duplex;
	readonly #decoder = new FrameDecoder((frame) => this.#receive(frame));
	readonly #output = new XdrWriter(4096);
	readonly #pending = new Map<number, PendingCall>();
	readonly #streams = new Map<number, ClientStream>();
	readonly #listeners = new Map<string, Set<Listener>>();
	readonly #keepalive: Keepalive;
	readonly #drainCallbacks: (() => void)[] = [];
	readonly #settleClosed: (reason: VirtError | undefined) => void;
	readonly #port: DescriptorPort | undefined;
	/** Settles with whether the daemon takes descriptors. */
	#passing: Promise<boolean> | undefined;
	/** A reply's descriptors are being taken off the socket, which must not be read meanwhile. */
	#receiving = false;
	#serial = 0;
	#congestedStreams = 0;
	#flushScheduled = false;
	#closing = false;
	#lost: VirtError | undefined;

	constructor(socket: Duplex, options: RpcClientOptions = {}) {
		this.#socket = socket;
		this.#port = descriptorPortOf(socket);
		const { promise, resolve } = Promise.withResolvers<VirtError | undefined>();
		this.closed = promise;
		this.#settleClosed = resolve;
		this.#keepalive = new Keepalive({
			interval: options.keepaliveInterval ?? 0,
			count: options.keepaliveCount ?? 5,
			ping: () => this.#sendKeepalive(KEEPALIVE.procedures.PING.number),
			dead: () => this.#lose(connectionLost("connection closed due to keepalive timeout")),
		});
		socket.on("data", (bytes: Buffer) => this.#onData(bytes));
		socket.on("drain", () => this.#onDrain());
		socket.on("error", (error) => this.#lose(error instanceof VirtError ? error : connectionLost(error.message)));
		socket.on("end", () => this.#lose(connectionLost("the daemon closed the connection")));
		socket.on("close", () => this.#lose(connectionLost("the connection is closed")));
	}

	/** Calls a procedure. Rejects with the daemon's error, with RPC when the connection is lost, or with the signal's reason. */
	call<P extends NullaryCallName>(name: P): Promise<RetOf<P>>;
	call<P extends CallName>(name: P, args: ArgsOf<P>, options?: CallOptions): Promise<RetOf<P>>;
	call<G extends ProgramName, P extends CallName<G>>(
		name: P,
		args: ArgsOf<P, G>,
		options: CallOptions & { readonly program: G },
	): Promise<RetOf<P, G>>;
	call(name: string, args?: unknown, options: CallOptions & { readonly program?: ProgramName } = {}): Promise<unknown> {
		return this.#start(options.program ?? "remote", name, args, options.signal, false).result;
	}

	/** Calls a procedure that has a stream; the stream may be used once the call is answered. */
	async callWithStream<P extends CallName>(
		name: P,
		args: ArgsOf<P>,
		options: CallOptions = {},
	): Promise<{ readonly ret: RetOf<P>; readonly stream: ClientStream }> {
		const { result, stream } = this.#start("remote", name, args, options.signal, true);
		// The third row of #start's answer exists when it was asked for, and the result is of the name's own type.
		return { ret: (await result) as RetOf<P>, stream: stream as ClientStream };
	}

	/**
	 * Calls a procedure that takes descriptors, gives some, or both: `fds` stay the caller's, those received become so.
	 *
	 * Rejects with ARGUMENT_UNSUPPORTED where they cannot be passed: on all connections but those over UNIX sockets.
	 */
	async callWithDescriptors<P extends CallName<G>, G extends ProgramName = "remote">(
		name: P,
		args: ArgsOf<P, G>,
		options: CallOptions & { readonly program?: G; readonly fds?: readonly number[] } = {},
	): Promise<{ readonly ret: RetOf<P, G>; readonly fds: readonly number[] }> {
		const { fds = [], program = "remote", signal } = options;
		if (!(await this.#mayPass()))
			throw new VirtError("ARGUMENT_UNSUPPORTED", "fd passing is not supported by this connection");
		const { duplicateDescriptor } = await import("@virtkit/host/native");
		// Copies: the caller may close its own as soon as it no longer waits.
		const passing: Passing = { fds: fds.map(duplicateDescriptor), received: [], abandoned: false };
		const { result } = this.#start(program, name as string, args, signal, false, passing);
		try {
			return { ret: (await result) as RetOf<P, G>, fds: passing.received };
		} catch (error) {
			passing.abandoned = true;
			await closeAll(passing.received);
			throw error;
		}
	}

	/** Asks the daemon, once; from its answer on, nothing is read that lies beyond a message. */
	#mayPass(): Promise<boolean> {
		if (this.#port === undefined) return Promise.resolve(false);
		this.#port.limitReads(() => this.#decoder.missing);
		this.#passing ??= this.call("CONNECT_SUPPORTS_FEATURE", { feature: FEATURES.FD_PASSING }).then(
			({ supported }) => supported !== 0,
		);
		return this.#passing;
	}

	/** Calls `listener` with each event of that name, until the function answered here is called. */
	onEvent<P extends EventName<G>, G extends ProgramName = "remote">(
		name: P,
		listener: (message: MessageOf<P, G>) => void,
		program?: G,
	): () => void {
		const key = eventKey(program ?? "remote", procedureOf(program ?? "remote", name as string).number);
		const listeners = this.#listeners.get(key) ?? new Set();
		this.#listeners.set(key, listeners);
		listeners.add(listener as Listener);
		return () => listeners.delete(listener as Listener);
	}

	/** Starts asking a silent daemon whether it is still there; only for daemons that know keepalive. */
	startKeepalive(): void {
		if (this.#lost === undefined) this.#keepalive.start();
	}

	/** Takes leave of the daemon and closes the connection. */
	async close(): Promise<void> {
		if (this.#closing || this.#lost !== undefined) return;
		this.#closing = true;
		const deadline = setTimeout(() => this.#socket.destroy(), CLOSE_DEADLINE);
		// Whether the daemon answers or has gone already makes no difference any more.
		await this.call("CONNECT_CLOSE").catch(() => undefined);
		clearTimeout(deadline);
		this.#socket.end();
		this.#socket.destroy();
		await this.closed;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}

	#start(
		program: ProgramName,
		name: string,
		args: unknown,
		signal: AbortSignal | undefined,
		withStream: boolean,
		passing?: Passing,
	): { readonly result: Promise<unknown>; readonly stream: ClientStream | undefined } {
		const { promise, resolve, reject } = Promise.withResolvers<unknown>();
		if (this.#lost !== undefined) return { result: Promise.reject(this.#lost), stream: undefined };
		if (signal?.aborted) return { result: Promise.reject(signal.reason), stream: undefined };
		const procedure = procedureOf(program, name) as CallProcedure;
		const fds = passing?.fds ?? [];
		const header = this.#callHeader(program, procedure, fds.length > 0);
		try {
			encodeFrame(this.#output, header, (writer) => {
				if (fds.length > 0) writer.uint(fds.length);
				procedure.args.encode(writer, args);
			});
		} catch (error) {
			void closeAll(fds);
			return { result: Promise.reject(toVirtError(error)), stream: undefined };
		}
		// What is written from now on waits until they are sent.
		if (fds.length > 0) this.#port?.send(this.#output.take(), fds, (failure) => this.#sent(failure));
		this.#scheduleFlush();
		const stream = withStream ? this.#openStream(header) : undefined;
		this.#pending.set(header.serial, { procedure, resolve, reject, stream, passing });
		return { result: signal === undefined ? promise : this.#abortable(promise, reject, signal), stream };
	}

	/** The entry stays until the answer comes, which is then dropped: a serial must not be used twice meanwhile. */
	#abortable(promise: Promise<unknown>, reject: (error: unknown) => void, signal: AbortSignal): Promise<unknown> {
		const abort = (): void => reject(signal.reason);
		signal.addEventListener("abort", abort, { once: true });
		return promise.finally(() => signal.removeEventListener("abort", abort));
	}

	#callHeader(program: ProgramName, procedure: CallProcedure, passesFds: boolean): FrameHeader {
		const { number, version } = PROGRAMS[program];
		do this.#serial = (this.#serial + 1) >>> 0;
		while (this.#serial === 0 || this.#pending.has(this.#serial) || this.#streams.has(this.#serial));
		return {
			program: number,
			version,
			procedure: procedure.number,
			type: passesFds ? MESSAGE_TYPES.CALL_WITH_FDS : MESSAGE_TYPES.CALL,
			serial: this.#serial,
			status: MESSAGE_STATUS.OK,
		};
	}

	#openStream(header: FrameHeader): ClientStream {
		const stream = new ClientStream({
			send: (status, data) => {
				if (this.#lost !== undefined) return true;
				encodeFrame(this.#output, { ...header, type: MESSAGE_TYPES.STREAM, status }, (writer) => writer.raw(data));
				this.#scheduleFlush();
				return this.#socket.writableLength + this.#output.length < OUTPUT_HIGH_WATER;
			},
			whenWritable: (callback) => this.#drainCallbacks.push(callback),
			setCongested: (congested) => this.#streamCongested(congested),
			forget: () => this.#streams.delete(header.serial),
		});
		this.#streams.set(header.serial, stream);
		return stream;
	}

	#streamCongested(congested: boolean): void {
		this.#congestedStreams += congested ? 1 : -1;
		this.#readOrWait();
	}

	#readOrWait(): void {
		if (this.#congestedStreams > 0 || this.#receiving) this.#socket.pause();
		else this.#socket.resume();
	}

	#onData(bytes: Buffer): void {
		this.#keepalive.heard();
		try {
			this.#decoder.push(bytes);
		} catch (error) {
			this.#lose(connectionLost(`the daemon sent what is no message: ${toVirtError(error).message}`));
		}
	}

	#receive(frame: Frame): void {
		switch (frame.type) {
			case MESSAGE_TYPES.REPLY:
				return this.#receiveReply(frame);
			case MESSAGE_TYPES.REPLY_WITH_FDS:
				return this.#receiveWithDescriptors(frame);
			case MESSAGE_TYPES.STREAM:
				return this.#streams.get(frame.serial)?.receive(frame.status, frame.payload);
			case MESSAGE_TYPES.EVENT:
				return this.#receiveEvent(frame);
			default:
				throw new VirtError("RPC", `a message of type ${frame.type}`, { domain: "RPC" });
		}
	}

	#receiveWithDescriptors(frame: Frame): void {
		const count = decodeDescriptorCount(frame.payload);
		const passing = this.#pending.get(frame.serial)?.passing;
		if (passing === undefined || this.#port === undefined)
			throw new VirtError("RPC", "descriptors that nobody asked for", { domain: "RPC" });
		this.#receiving = true;
		this.#readOrWait();
		void this.#takeDescriptors(this.#port, frame, count, passing);
	}

	async #takeDescriptors(port: DescriptorPort, frame: Frame, count: number, passing: Passing): Promise<void> {
		try {
			const fds = await port.receive(count);
			if (passing.abandoned) await closeAll(fds);
			else passing.received = fds;
			this.#receiveReply(frame);
			this.#receiving = false;
			this.#readOrWait();
		} catch (error) {
			this.#lose(connectionLost(`the daemon did not send its descriptors: ${toVirtError(error).message}`));
		}
	}

	#receiveReply(frame: Frame): void {
		const call = this.#pending.get(frame.serial);
		if (call === undefined) throw new VirtError("RPC", `an answer to no call (${frame.serial})`, { domain: "RPC" });
		if (frame.status === MESSAGE_STATUS.OK) {
			this.#pending.delete(frame.serial);
			settle(call, () => decodePayload(call.procedure.ret, frame.payload));
			return;
		}
		// One that does not decode costs the connection, and with it every call that is pending, this one too.
		const error = fromRemoteError(decodePayload(remoteError, frame.payload));
		this.#pending.delete(frame.serial);
		call.reject(error);
		if (call.stream !== undefined) this.#discardStream(frame.serial, call.stream);
	}

	/** A stream whose call failed: nobody has seen it, so its error is nobody's. */
	#discardStream(serial: number, stream: ClientStream): void {
		this.#streams.delete(serial);
		stream.on("error", () => undefined);
		stream.lost(new VirtError("RPC", "the call of the stream failed", { domain: "STREAMS" }));
	}

	#receiveEvent(frame: Frame): void {
		if (frame.program === KEEPALIVE.number) {
			if (frame.procedure === KEEPALIVE.procedures.PING.number) {
				this.#sendKeepalive(KEEPALIVE.procedures.PONG.number);
			}
			return;
		}
		for (const program of ["remote", "qemu"] as const) {
			if (PROGRAMS[program].number !== frame.program) continue;
			const listeners = this.#listeners.get(eventKey(program, frame.procedure));
			// Events that nobody listens to are not even decoded.
			if (listeners === undefined || listeners.size === 0) return;
			const message = decodePayload(eventByNumber(program, frame.procedure).message, frame.payload);
			for (const listener of [...listeners]) listener(message);
		}
	}

	#sendKeepalive(procedure: number): void {
		const { number: program, version } = KEEPALIVE;
		const header = { program, version, procedure, type: MESSAGE_TYPES.EVENT, serial: 0, status: MESSAGE_STATUS.OK };
		encodeFrame(this.#output, header, () => undefined);
		this.#scheduleFlush();
	}

	/** Calls made in one go leave in one write. */
	#scheduleFlush(): void {
		if (this.#flushScheduled) return;
		this.#flushScheduled = true;
		queueMicrotask(() => {
			this.#flushScheduled = false;
			this.#flush();
		});
	}

	#flush(): void {
		if (this.#output.length === 0 || this.#port?.sending) return;
		const bytes = this.#output.take();
		if (this.#socket.writable) this.#socket.write(bytes);
	}

	#sent(failure: unknown): void {
		if (failure === undefined) this.#flush();
		else this.#lose(connectionLost(`descriptors cannot be sent: ${toVirtError(failure).message}`));
	}

	#onDrain(): void {
		for (const callback of this.#drainCallbacks.splice(0)) callback();
	}

	#lose(reason: VirtError): void {
		if (this.#lost !== undefined) return;
		this.#lost = reason;
		this.#keepalive.stop();
		this.#socket.destroy();
		for (const call of this.#pending.values()) call.reject(reason);
		this.#pending.clear();
		for (const stream of [...this.#streams.values()]) stream.lost(reason);
		this.#onDrain();
		this.#settleClosed(this.#closing ? undefined : reason);
	}
}

async function closeAll(fds: readonly number[]): Promise<void> {
	if (fds.length === 0) return;
	const { closeDescriptor } = await import("@virtkit/host/native");
	fds.forEach(closeDescriptor);
}

function settle(call: PendingCall, decode: () => unknown): void {
	try {
		call.resolve(decode());
	} catch (error) {
		call.reject(new VirtError("RPC", "Unable to decode message payload", { domain: "RPC", cause: error }));
	}
}

function decodePayload<T>(codec: { decode(reader: XdrReader): T }, payload: XdrReader): T {
	const value = codec.decode(payload);
	payload.finish();
	return value;
}

function procedureOf(program: ProgramName, name: string): { readonly number: number } {
	const procedure = (PROGRAMS[program].procedures as Readonly<Record<string, { readonly number: number }>>)[name];
	if (procedure === undefined) throw new TypeError(`the ${program} program has no procedure ${name}`);
	return procedure;
}

function eventByNumber(program: ProgramName, number: number): EventProcedure {
	const row = programIndex(program).byNumber[number];
	if (row?.procedure.kind !== "event") {
		throw new VirtError("RPC", `procedure ${number} of the ${program} program is no event`, { domain: "RPC" });
	}
	return row.procedure;
}

function eventKey(program: ProgramName, number: number): string {
	return `${program} ${number}`;
}

function connectionLost(why: string): VirtError {
	return new VirtError("RPC", `connection to the daemon is lost: ${why}`, { domain: "RPC" });
}
