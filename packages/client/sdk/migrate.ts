// Migration as the client leads it, by the third version of libvirt's protocol, and as it lets the source lead it.

import { VirtError } from "@virtkit/base/errors";
import { leadMigration, type MigrationDestination, type MigrationSource, withParam } from "@virtkit/core/migration";
import type { TypedParam } from "@virtkit/core/typed-params";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import type { RpcClient } from "../rpc-client.ts";
import { Domain } from "./domain.ts";
import { type FlagOptions, flagsOf } from "./flags.ts";

/** virDomainMigrateFlags */
export const MIGRATE = {
	live: 1 << 0,
	peerToPeer: 1 << 1,
	tunnelled: 1 << 2,
	persistent: 1 << 3,
	undefineSource: 1 << 4,
	paused: 1 << 5,
	nonSharedDisks: 1 << 6,
	nonSharedIncremental: 1 << 7,
	changeProtection: 1 << 8,
	unsafe: 1 << 9,
	offline: 1 << 10,
	compressed: 1 << 11,
	abortOnError: 1 << 12,
	autoConverge: 1 << 13,
	rdmaPinAll: 1 << 14,
	postcopy: 1 << 15,
	tls: 1 << 16,
	parallel: 1 << 17,
	synchronousWrites: 1 << 18,
	postcopyResume: 1 << 19,
	zerocopy: 1 << 20,
} as const;

export type MigrateFlags = FlagOptions<typeof MIGRATE>;

/** virDrvFeature: changes are refused while a migration is under way; parameters by name. */
export const MIGRATION_FEATURE = { peerToPeer: 4, direct: 5, changeProtection: 7, parameters: 13 } as const;

const supports = async (rpc: RpcClient, feature: number): Promise<boolean> =>
	(await rpc.call("CONNECT_SUPPORTS_FEATURE", { feature })).supported === 1;

/** Parameters as messages carry them: the same shape, not read-only. */
const wire = (params: readonly TypedParam[]): TypedParameter[] => params as TypedParameter[];

/**
 * Lets the source move the guest by itself: `destination` is a connection URI that its daemon can reach, or, where the
 * flags do not say peer-to-peer, the address that QEMU itself is to connect to.
 */
export async function migrateByPeer(
	source: RpcClient,
	domain: Domain,
	destination: string,
	params: readonly TypedParameter[],
	flags: MigrateFlags,
): Promise<void> {
	const peer = flags.peerToPeer === true;
	if (!(await supports(source, peer ? MIGRATION_FEATURE.peerToPeer : MIGRATION_FEATURE.direct)))
		throw new VirtError(
			"ARGUMENT_UNSUPPORTED",
			`${peer ? "p2p" : "direct"} migration is not supported by the source host`,
		);
	await domain.call("DOMAIN_MIGRATE_PERFORM3_PARAMS", {
		dconnuri: peer ? destination : null,
		params: wire(peer ? params : withParam(params, "migrate_uri", destination)),
		cookieIn: new Uint8Array(),
		flags: flagsOf(MIGRATE, flags),
	});
}

/**
 * Moves the guest from its daemon to that of `destination`, leading both; the result is the domain there.
 *
 * Whatever fails in between, both sides are told, so that the guest runs on in one place. Throws what the side that
 * failed said.
 */
export async function migrateTo(
	source: RpcClient,
	domain: Domain,
	destination: RpcClient,
	params: readonly TypedParameter[],
	flags: MigrateFlags,
): Promise<Domain> {
	for (const rpc of [source, destination])
		if (!(await supports(rpc, MIGRATION_FEATURE.parameters)))
			throw new VirtError("NO_SUPPORT", "this daemon takes no migration with parameters");
	const there = migrationDestination(destination);
	return await leadMigration(migrationSource(source, domain), there, { params, flags: flagsOf(MIGRATE, flags) });
}

/**
 * Tells a guest's source how its migration ended, where whoever led it went away: the guest runs over there and goes
 * here, also from what is stored where `undefine`; or it does not, and goes on here.
 * Throws OPERATION_INVALID where no guest waits to be told.
 */
export async function confirmMigration(
	domain: Domain,
	arrived: boolean,
	{ undefine = false }: { undefine?: boolean } = {},
): Promise<void> {
	const flags = undefine ? MIGRATE.undefineSource : 0;
	const request = { params: [], cookieIn: new Uint8Array(), flags, cancelled: arrived ? 0 : 1 };
	await domain.call("DOMAIN_MIGRATE_CONFIRM3_PARAMS", request);
}

/** The source's end, over the wire. */
function migrationSource(rpc: RpcClient, domain: Domain): MigrationSource {
	return {
		name: domain.name,
		protects: () => supports(rpc, MIGRATION_FEATURE.changeProtection),
		isPaused: async () => (await domain.state()).state === "paused",
		async begin(params, flags) {
			const { cookieOut, xml } = await domain.call("DOMAIN_MIGRATE_BEGIN3_PARAMS", { params: wire(params), flags });
			return { cookie: cookieOut, xml };
		},
		async perform(params, cookieIn, flags) {
			const args = { dconnuri: null, params: wire(params), cookieIn, flags };
			return (await domain.call("DOMAIN_MIGRATE_PERFORM3_PARAMS", args)).cookieOut;
		},
		async confirm(params, cookieIn, flags, cancelled) {
			const args = { params: wire(params), cookieIn, flags, cancelled: cancelled ? 1 : 0 };
			await domain.call("DOMAIN_MIGRATE_CONFIRM3_PARAMS", args);
		},
	};
}

/** The destination's end, over the wire. */
export function migrationDestination(rpc: RpcClient): MigrationDestination<Domain> {
	return {
		async prepare(params, cookieIn, flags) {
			const args = { params: wire(params), cookieIn, flags };
			const { cookieOut, uriOut } = await rpc.call("DOMAIN_MIGRATE_PREPARE3_PARAMS", args);
			return { cookie: cookieOut, uri: uriOut ?? undefined };
		},
		async finish(params, cookieIn, flags, cancelled) {
			const args = { params: wire(params), cookieIn, flags, cancelled: cancelled ? 1 : 0 };
			const { dom, cookieOut } = await rpc.call("DOMAIN_MIGRATE_FINISH3_PARAMS", args);
			return { domain: new Domain(rpc, dom), cookie: cookieOut };
		},
	};
}
