// What a handler of a procedure is, and what it knows of the client that calls it. Front-ends write against this.

import type { ArgsOf, CallName, EventName, MessageOf, RetOf } from "@virtkit/protocol/procedure-types";
import type { ProgramName } from "@virtkit/protocol/programs";
import type { ServerStream } from "./stream.ts";

/** Through which kind of socket a client came. */
export type Transport = "unix" | "tcp" | "tls";

/** Who a client is, as far as its socket or its authentication tells; undefined where neither does. */
export interface ClientIdentity {
	readonly transport: Transport;
	/** `localhost` and a port, or the peer's address, as libvirt writes it: `127.0.0.1;16509`. */
	readonly remoteAddress: string | undefined;
	/** Of the process at the other end of a UNIX socket. */
	readonly uid: number | undefined;
	readonly gid: number | undefined;
	readonly pid: number | undefined;
	readonly userName: string | undefined;
	readonly saslUserName: string | undefined;
	readonly x509DistinguishedName: string | undefined;
}

/** One connected client, from its first byte to its last. */
export interface Client {
	/** Unique within this server, rising. */
	readonly id: number;
	/** Whether it came through the read-only socket, or asked for read-only when it opened the connection. */
	readOnly: boolean;
	readonly identity: ClientIdentity;
	/** Whether its connection can pass descriptors: UNIX sockets can. */
	readonly passesDescriptors: boolean;
	/** When it connected. */
	readonly connectedAt: Date;
	/** Whatever the front-end keeps about the client: its open connection, its callback registrations. */
	readonly state: Map<string | symbol, unknown>;
	/** Aborted when the client is gone. */
	readonly signal: AbortSignal;
	/**
	 * Sends an event. Events keep their order, and leave after the reply of the call that caused them when that is
	 * answered without further waiting. A client that reads too slowly to take them is disconnected rather than
	 * buffered for without bound.
	 */
	sendEvent<P extends EventName<G>, G extends ProgramName = "remote">(
		name: P,
		message: MessageOf<P, G>,
		program?: G,
	): void;
	/** Runs `cleanup` when the client is gone, last registered first; at once when it is gone already. */
	onClose(cleanup: () => void | Promise<void>): void;
	/** Sends keepalive pings from now on, and disconnects when they stay unanswered; the client must know of them. */
	startKeepalive(): void;
	/** What was registered with `onClose` is done at once, so that the client finds it done; then disconnects. */
	leave(): Promise<void>;
	/** Disconnects once everything already queued has been sent. */
	close(): void;
}

/** One call: its client, and what the handler may do while it answers. */
export interface ClientContext {
	readonly client: Client;
	/** `client.readOnly` when the call arrived. */
	readonly readOnly: boolean;
	/** Aborted when the client is gone: nobody waits for the answer any more. */
	readonly signal: AbortSignal;
	/**
	 * The stream of this call; only procedures declared with one have it. It begins to flow once the handler has
	 * answered; when the handler fails, it never does. Asked for several times, it is the same.
	 */
	openStream(): ServerStream;
	/** Descriptors that came with the call, closed once it is answered: what is to outlive that needs copies. */
	readonly descriptors: readonly number[];
	/** The descriptor at that place. Throws INTERNAL_ERROR, as libvirt does, where the client sent none. */
	descriptorAt(slot: number): number;
	/** Sends these with the result and closes them, also where that fails. Once, as the last thing a handler does. */
	sendDescriptors(fds: readonly number[]): void;
}

/** Answers a call: with the result, or by throwing. A handler that needs no wait answers synchronously. */
export type Handler<P extends CallName<G>, G extends ProgramName = "remote"> = (
	context: ClientContext,
	args: ArgsOf<P, G>,
) => RetOf<P, G> | Promise<RetOf<P, G>>;

/** The handlers of a program; a procedure without one is answered with libvirt's "not supported" error. */
export type Handlers<G extends ProgramName = "remote"> = {
	readonly [P in CallName<G>]?: Handler<P, G>;
};

/** The handlers of all programs that a server offers. */
export type ProgramHandlers = {
	readonly [G in ProgramName]?: Handlers<G>;
};
