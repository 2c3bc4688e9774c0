// Peer-to-peer migration: the source's daemon itself speaks with the destination's and leads both.

import type { Duplex } from "node:stream";
import { VirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import {
	leadMigration,
	type MigrationDestination,
	type MigrationPeer,
	type MigrationSource,
} from "@virtkit/core/migration";
import type { TypedParam } from "@virtkit/core/typed-params";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { MIGRATE_FLAG, parseMigrationParameters } from "./parameters.ts";
import { stepsFor } from "./steps.ts";

/** The stream that a tunnelled guest goes through, once the destination has opened it. */
interface Tunnel {
	stream: Duplex | undefined;
}

/** The destination, which is to get the guest through the connection to it. */
function throughTunnel(peer: MigrationPeer, tunnel: Tunnel): MigrationDestination<unknown> {
	return {
		async prepare(params, cookie, flags) {
			const prepared = await peer.prepareTunnel(params, cookie, flags);
			tunnel.stream = prepared.tunnel;
			return { cookie: prepared.cookie, uri: undefined };
		},
		finish: (params, cookie, flags, cancelled) => peer.finish(params, cookie, flags, cancelled),
	};
}

/** Throws ARGUMENT_UNSUPPORTED for what says where to listen or to connect, where nobody does. */
function checkTunnelled(params: readonly TypedParam[]): void {
	const { uri, listenAddress } = parseMigrationParameters(params);
	if (uri !== undefined)
		throw new VirtError("ARGUMENT_UNSUPPORTED", "migration URI is not supported by tunnelled migration");
	if (listenAddress !== undefined)
		throw new VirtError("ARGUMENT_UNSUPPORTED", "listen address is not supported by tunnelled migration");
}

/** The source's end, here. */
function localSource(driver: Driver, domain: QemuDomain, context: CallContext, tunnel: Tunnel): MigrationSource {
	return {
		name: domain.name,
		protects: async () => true,
		isPaused: async () => domain.stateName === "paused",
		begin: (params, flags) => stepsFor(flags).begin(driver, domain, params, flags, context),
		perform: async (params, cookie, flags) =>
			(await stepsFor(flags).perform(driver, domain, { params, cookie, tunnel: tunnel.stream }, flags, context)).cookie,
		confirm: (_params, _cookie, flags, cancelled) => stepsFor(flags).confirm(driver, domain, cancelled, flags),
	};
}

/**
 * The context of a migration that its caller need not wait for: it ends with the connection to the destination, as a
 * migration led by a client ends with that client.
 */
function contextOf(peer: MigrationPeer, { readOnly, caller }: CallContext): CallContext {
	return {
		signal: peer.lost,
		readOnly,
		caller: `${caller}, peer-to-peer`,
		onClose: (end) => {
			peer.lost.addEventListener("abort", end);
			return { [Symbol.dispose]: () => peer.lost.removeEventListener("abort", end) };
		},
	};
}

/** Moves the guest to the daemon at `uri`, to the end. Throws OPERATION_FAILED where it cannot be reached. */
export async function migrateToPeer(
	driver: Driver,
	domain: QemuDomain,
	uri: string,
	params: readonly TypedParam[],
	flags: number,
	context: CallContext,
): Promise<void> {
	if (driver.connectPeer === undefined)
		throw new VirtError("ARGUMENT_UNSUPPORTED", "this daemon does not connect to others: lead the migration yourself");
	const tunnelled = (flags & MIGRATE_FLAG.tunnelled) !== 0;
	if (tunnelled) checkTunnelled(params);
	const tunnel: Tunnel = { stream: undefined };
	await using peer = await driver.connectPeer(uri);
	const source = localSource(driver, domain, contextOf(peer, context), tunnel);
	await leadMigration(source, tunnelled ? throughTunnel(peer, tunnel) : peer, { params, flags });
}
