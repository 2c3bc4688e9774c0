// Getting to a daemon: a connected byte stream for each kind of transport.

import { connect as connectSocket, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getSystemErrorMessage } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import { connectDescriptorSocket } from "@virtkit/host/descriptor-socket";
import { daemonSocketPath } from "./socket-path.ts";
import { sshArguments } from "./ssh-command.ts";
import type { ConnectionUri, UriTransport } from "./uri.ts";

export interface TransportOptions {
	readonly readOnly: boolean;
	/** Gives up connecting. */
	readonly signal?: AbortSignal | undefined;
}

type Connector = (uri: ConnectionUri, options: TransportOptions) => Promise<Duplex>;

/** libvirt's TCP port (LIBVIRTD_TCP_PORT). */
const TCP_PORT = 16509;

const CONNECTORS: Readonly<Record<UriTransport, Connector>> = {
	unix: (uri, options) => {
		const path = daemonSocketPath(uri, options.readOnly);
		return openSocket({ path }, options, connectDescriptorSocket(path));
	},
	tcp: (uri, options) => {
		const address = { host: uri.host ?? "localhost", port: uri.port ?? TCP_PORT };
		return openSocket(address, options, connectSocket({ ...address, noDelay: true }));
	},
	ssh: async (uri, options) => {
		const path = daemonSocketPath(uri, options.readOnly);
		return commandStream(uri.command ?? "ssh", sshArguments(uri, path, options.readOnly));
	},
	ext: async (uri) => commandStream(uri.command ?? "", []),
	tls: unsupported,
	libssh: unsupported,
	libssh2: unsupported,
};

/** What starts programs is loaded by those who need one: most clients are on the daemon's host, and quick. */
async function commandStream(command: string, args: readonly string[]): Promise<Duplex> {
	const { CommandStream } = await import("./command-stream.ts");
	return new CommandStream(command, args);
}

/**
 * Connects to the daemon that a URI names.
 *
 * Throws SYSTEM_ERROR when there is no way to it. What a command (ssh) has to say comes as the error of the stream.
 */
export function openTransport(uri: ConnectionUri, options: TransportOptions): Promise<Duplex> {
	return CONNECTORS[uri.transport](uri, options);
}

async function unsupported(uri: ConnectionUri): Promise<never> {
	throw new VirtError("CONFIG_UNSUPPORTED", `transport '${uri.transport}' is not supported by this client`, {
		domain: "REMOTE",
	});
}

type Address = { readonly path: string } | { readonly host: string; readonly port: number };

function openSocket(address: Address, { signal }: TransportOptions, socket: Socket): Promise<Duplex> {
	const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
	const abort = (): void => {
		socket.destroy();
		reject(signal?.reason);
	};
	const failed = (error: Error): void => reject(cannotConnect(address, error));
	signal?.addEventListener("abort", abort, { once: true });
	socket.once("error", failed);
	socket.once("connect", () => {
		socket.off("error", failed);
		resolve(socket);
	});
	if (signal?.aborted) abort();
	return promise.finally(() => signal?.removeEventListener("abort", abort));
}

function cannotConnect(address: Address, cause: Error): VirtError {
	const where = "path" in address ? `Failed to connect socket to '${address.path}'` : unreachable(address);
	return new VirtError("SYSTEM_ERROR", `${where}: ${reason(cause)}`, { domain: "RPC", cause });
}

/** The system's words, as libvirt's clients say them, where the failure is one of the system's. */
function reason({ message, errno }: NodeJS.ErrnoException): string {
	if (errno === undefined) return message;
	const text = getSystemErrorMessage(errno);
	return text.charAt(0).toUpperCase() + text.slice(1);
}

function unreachable({ host, port }: { readonly host: string; readonly port: number }): string {
	return `unable to connect to server at '${host}:${port}'`;
}
