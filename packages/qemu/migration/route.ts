// The source's way to the destination: QEMU connects itself, or writes to a connection that the daemon made, or into a tunnel.

import { once } from "node:events";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { VirtError } from "@virtkit/base/errors";
import { socketDescriptor } from "@virtkit/host/native";
import { systemError } from "@virtkit/host/system-error";
import type { QmpClient } from "@virtkit/qmp/client";
import { bracket, type MigrationAddress } from "./address.ts";
import { DESCRIPTOR, giveSocket } from "./tunnel.ts";

/** Gets QEMU its connection; answers what `migrate` is told. */
export type Route = (monitor: QmpClient, signal: AbortSignal) => Promise<string>;

/** QEMU connects by itself, as it must where it needs several connections. */
export const directRoute =
	(address: MigrationAddress): Route =>
	async () =>
		address.scheme === "unix" ? `unix:${address.path}` : `tcp:${bracket(address.host)}:${portOf(address)}`;

function portOf({ host, port }: Extract<MigrationAddress, { scheme: "tcp" }>): number {
	if (port === undefined) throw new VirtError("INVALID_ARG", `missing port in migration URI: tcp:${host}`);
	return port;
}

/** The daemon connects: its rights count, not QEMU's, and it tells at once where nobody listens. */
export const connectedRoute =
	(address: MigrationAddress): Route =>
	async (monitor, signal) => {
		const target = address.scheme === "unix" ? { path: address.path } : { host: address.host, port: portOf(address) };
		const socket = connect(target);
		// Not a byte is read here: the connection is QEMU's.
		socket.pause();
		try {
			await once(socket, "connect", { signal });
			await monitor.sendWithFd(socketDescriptor(socket), "getfd", { fdname: DESCRIPTOR });
		} catch (error) {
			if (signal.aborted || error instanceof VirtError) throw error;
			const what = address.scheme === "unix" ? address.path : `${address.host}:${address.port}`;
			throw systemError(`unable to connect to server at '${what}'`, error);
		} finally {
			socket.destroy();
		}
		return `fd:${DESCRIPTOR}`;
	};

/** What QEMU writes goes into the tunnel; where the tunnel breaks, QEMU has nobody to write to. */
export const tunnelRoute =
	(tunnel: Duplex): Route =>
	async (monitor) => {
		const socket = await giveSocket(monitor);
		// Nothing comes back through it.
		tunnel.resume();
		void pipeline(socket, tunnel).catch(() => undefined);
		return `fd:${DESCRIPTOR}`;
	};
