// Peer-to-peer migration: the source's daemon itself speaks with the destination's and leads both.

import { VirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import { leadMigration, type MigrationPeer, type MigrationSource } from "@virtkit/core/migration";
import type { TypedParam } from "@virtkit/core/typed-params";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { stepsFor } from "./steps.ts";

/** The source's end, here. */
function localSource(driver: Driver, domain: QemuDomain, context: CallContext): MigrationSource {
	return {
		name: domain.name,
		protects: async () => true,
		isPaused: async () => domain.stateName === "paused",
		begin: (params, flags) => stepsFor(flags).begin(driver, domain, params, flags, context),
		perform: async (params, cookie, flags) =>
			(await stepsFor(flags).perform(driver, domain, { params, cookie }, flags, context)).cookie,
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
	await using peer = await driver.connectPeer(uri);
	await leadMigration(localSource(driver, domain, contextOf(peer, context)), peer, { params, flags });
}
