// Listening for clients: UNIX sockets as libvirt's daemons have them, and TCP.

import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, lstatSync, renameSync, statSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { VirtError } from "@virtkit/base/errors";
import { descriptorSocketOf } from "@virtkit/host/descriptor-socket";
import { duplicateDescriptor, socketDescriptor } from "@virtkit/host/native";
import type { ClientIdentity, Transport } from "./handler.ts";
import type { AcceptOptions } from "./server.ts";

/** What serves the clients that connect: RpcServer, or whatever else takes sockets. */
export interface Acceptor {
	accept(socket: Socket, options: AcceptOptions): void;
}

/** A place where clients connect; closing it stops taking new ones, and removes a UNIX socket's path. */
export interface Listener extends AsyncDisposable {
	/** Where it listens: a path, or `host:port` with the port that was really taken. */
	readonly address: string;
	/** The TCP port, undefined for UNIX sockets. */
	readonly port: number | undefined;
	close(): Promise<void>;
}

/** What is known of the process behind a socket beyond the socket itself (SO_PEERCRED and the like). */
export type IdentifyPeer = (socket: Socket) => Partial<ClientIdentity>;

export interface UnixListenOptions {
	readonly path: string;
	/** Clients that connect here may only look. */
	readonly readOnly?: boolean;
	/** Permissions of the socket, 0o777 unless told: who may connect is then up to authentication. */
	readonly mode?: number;
	readonly group?: number;
	readonly identify?: IdentifyPeer;
}

export interface TcpListenOptions {
	/** 127.0.0.1 unless told: without TLS or SASL anyone who can connect is root. */
	readonly host?: string;
	/** 0 takes any free one. libvirt's is 16509. */
	readonly port: number;
	readonly readOnly?: boolean;
}

/** How long a connection to a socket that may be stale may take, in milliseconds. */
const PROBE_DEADLINE = 2000;

/**
 * Listens on a UNIX socket.
 *
 * A socket that nobody listens on any more is replaced; one that somebody does, or a file of another kind, is an error
 * (OPERATION_INVALID). The socket appears under its path only when its mode is set and it accepts.
 */
export async function listenUnix(server: Acceptor, options: UnixListenOptions): Promise<Listener> {
	await refuseOccupied(options.path);
	const listening = createServer({ pauseOnConnect: true }, (accepted) => {
		const socket = withDescriptors(accepted);
		if (socket === undefined) return;
		server.accept(socket, {
			identity: identityOf("unix", undefined, options.identify?.(socket)),
			readOnly: options.readOnly ?? false,
		});
	});
	const temporary = `${options.path}.${randomBytes(4).toString("hex")}`;
	await startListening(listening, { path: temporary }, options.path);
	try {
		chmodSync(temporary, options.mode ?? 0o777);
		if (options.group !== undefined) chownSync(temporary, -1, options.group);
		renameSync(temporary, options.path);
	} catch (error) {
		await stopListening(listening);
		throw cannotListen(options.path, error);
	}
	const { ino } = statSync(options.path);
	return listenerOf(listening, options.path, undefined, () => removeSocket(options.path, ino));
}

/**
 * The connection as a socket that can pass descriptors, since Node makes no such one when it accepts; undefined where
 * this process has no descriptor left for it, or the client has gone: it is refused then.
 */
function withDescriptors(accepted: Socket): Socket | undefined {
	try {
		return descriptorSocketOf(duplicateDescriptor(socketDescriptor(accepted)));
	} catch {
		return undefined;
	} finally {
		accepted.destroy();
	}
}

/** Listens on TCP. */
export async function listenTcp(server: Acceptor, options: TcpListenOptions): Promise<Listener> {
	const host = options.host ?? "127.0.0.1";
	const listening = createServer({ noDelay: true }, (socket) => {
		const remote = `${socket.remoteAddress};${socket.remotePort}`;
		server.accept(socket, { identity: identityOf("tcp", remote), readOnly: options.readOnly ?? false });
	});
	await startListening(listening, { host, port: options.port }, `${host}:${options.port}`);
	const address = listening.address();
	const port = typeof address === "object" && address !== null ? address.port : options.port;
	return listenerOf(listening, `${host}:${port}`, port, () => undefined);
}

function identityOf(transport: Transport, remoteAddress?: string, more: Partial<ClientIdentity> = {}): ClientIdentity {
	return {
		transport,
		remoteAddress,
		uid: undefined,
		gid: undefined,
		pid: undefined,
		userName: undefined,
		saslUserName: undefined,
		x509DistinguishedName: undefined,
		...more,
	};
}

function listenerOf(listening: Server, address: string, port: number | undefined, remove: () => void): Listener {
	const close = async (): Promise<void> => {
		remove();
		await stopListening(listening);
	};
	return { address, port, close, [Symbol.asyncDispose]: close };
}

/** Throws unless nothing is at `path`, or a socket on which nobody listens. */
async function refuseOccupied(path: string): Promise<void> {
	const stats = lstatSync(path, { throwIfNoEntry: false });
	if (stats === undefined) return;
	if (!stats.isSocket()) throw cannotListen(path, new Error("a file that is no socket is there"));
	if (await isListenedOn(path)) throw cannotListen(path, new Error("another process listens there"));
}

function isListenedOn(path: string): Promise<boolean> {
	const { promise, resolve } = Promise.withResolvers<boolean>();
	const probe = connect({ path, timeout: PROBE_DEADLINE });
	probe.once("connect", () => resolve(true));
	// A full backlog or one that hangs is a listener too; only a refusal is none.
	probe.once("timeout", () => resolve(true));
	probe.once("error", (error: NodeJS.ErrnoException) =>
		resolve(!["ECONNREFUSED", "ENOENT"].includes(error.code ?? "")),
	);
	return promise.finally(() => probe.destroy());
}

async function startListening(
	listening: Server,
	where: { readonly path: string } | { readonly host: string; readonly port: number },
	shown: string,
): Promise<void> {
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	listening.once("error", (error) => reject(cannotListen(shown, error)));
	listening.listen({ ...where, backlog: 512 }, resolve);
	await promise;
	listening.removeAllListeners("error");
}

async function stopListening(listening: Server): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>();
	// Connections outlive their listener: sessions end on their own, so closing does not wait for them.
	listening.close();
	setImmediate(resolve);
	await promise;
}

/** Removes our socket, unless another one has taken its path. */
function removeSocket(path: string, ino: number): void {
	if (lstatSync(path, { throwIfNoEntry: false })?.ino === ino) unlinkSync(path);
}

function cannotListen(where: string, cause: unknown): VirtError {
	const reason = cause instanceof Error ? cause.message : String(cause);
	return new VirtError("OPERATION_INVALID", `cannot listen on '${where}': ${reason}`, { domain: "RPC", cause });
}
