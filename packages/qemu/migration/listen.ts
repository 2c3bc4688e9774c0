// Where the destination's QEMU waits for the guest: at a TCP port, at a UNIX socket, or at the end of a tunnel.

import { unlinkSync } from "node:fs";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { QmpClient } from "@virtkit/qmp/client";
import type { DriverSettings } from "../settings.ts";
import { anyAddress, bindPort, bracket, parseMigrationUri, uriOut } from "./address.ts";
import type { MigrationParameters } from "./parameters.ts";
import { DESCRIPTOR, giveSocket } from "./tunnel.ts";

/** A place where QEMU waits; disposing it gives the place back. */
export interface Listening extends Disposable {
	/** What the source is told; undefined where it knows. */
	readonly uri: string | undefined;
}

/** Has QEMU wait for the guest, or for the rest of it, where `params` say, or at the end of `tunnel`. Throws INVALID_ARG for a URI that is none. */
export async function listenForGuest(
	monitor: QmpClient,
	params: MigrationParameters,
	settings: DriverSettings,
	tunnel: Duplex | undefined,
	command: "migrate-incoming" | "migrate-recover" = "migrate-incoming",
): Promise<Listening> {
	if (tunnel) return await listenInTunnel(monitor, tunnel);
	const address = params.uri === undefined ? undefined : parseMigrationUri(params.uri);
	if (address?.scheme === "unix") return await listenAtPath(monitor, address.path, command);
	const range = {
		min: address?.port ?? settings.migrationPortMin,
		max: address?.port ?? settings.migrationPortMax,
	};
	const host = bracket(params.listenAddress ?? anyAddress());
	const found = await bindPort(range, (port) => monitor.execute(command, { uri: `tcp:${host}:${port}` }));
	return { uri: uriOut(params.uri, found.port), [Symbol.dispose]: () => found[Symbol.dispose]() };
}

async function listenAtPath(
	monitor: QmpClient,
	path: string,
	command: "migrate-incoming" | "migrate-recover",
): Promise<Listening> {
	await monitor.execute(command, { uri: `unix:${path}` });
	return {
		uri: undefined,
		[Symbol.dispose]() {
			try {
				unlinkSync(path);
			} catch {
				// QEMU may have removed it.
			}
		},
	};
}

/** What comes out of the tunnel is written into QEMU; where QEMU goes away, so does the tunnel. */
async function listenInTunnel(monitor: QmpClient, tunnel: Duplex): Promise<Listening> {
	const socket = await giveSocket(monitor);
	try {
		await monitor.execute("migrate-incoming", { uri: `fd:${DESCRIPTOR}` });
	} catch (error) {
		socket.destroy();
		throw error;
	}
	socket.resume();
	// That QEMU has all it needs and closes its end is no failure of the sender's.
	void pipeline(tunnel, socket).catch(() => undefined);
	return { uri: undefined, [Symbol.dispose]: () => void socket.destroy() };
}
