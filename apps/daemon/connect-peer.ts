// The way to another host's daemon, for migrations that the source leads: libvirt's protocol, as any client speaks it.

import { setTimeout as delay } from "node:timers/promises";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import { connectRpc } from "@virtkit/client/connect";
import type { RpcClient } from "@virtkit/client/rpc-client";
import { Domain } from "@virtkit/client/sdk/domain";
import { MIGRATION_FEATURE, migrationDestination } from "@virtkit/client/sdk/migrate";
import { type MigrationPeer, MigrationUnsettled } from "@virtkit/core/migration";
import type { TypedParam } from "@virtkit/core/typed-params";

/** How often and how many times a destination that fell silent is asked what became of the guest: milliseconds, times. */
const ASK_AGAIN = { every: 1000, times: 10 };

/** Connects to the daemon at `uri`. Throws OPERATION_FAILED where it takes no such migration, and why there is no way to it. */
export async function connectPeer(uri: string): Promise<MigrationPeer> {
	const rpc = await connectRpc(uri);
	try {
		for (const feature of [MIGRATION_FEATURE.peerToPeer, MIGRATION_FEATURE.parameters])
			if (!(await rpc.call("CONNECT_SUPPORTS_FEATURE", { feature })).supported)
				throw new VirtError("OPERATION_FAILED", "Destination libvirt does not support peer-to-peer migration protocol");
		return peerOver(rpc, uri);
	} catch (error) {
		await rpc.close();
		throw error;
	}
}

function peerOver(rpc: RpcClient, uri: string): MigrationPeer {
	const lost = new AbortController();
	void rpc.closed.then((error) => lost.abort(error));
	const destination = migrationDestination(rpc);
	return {
		...destination,
		lost: lost.signal,
		async prepareTunnel(params, cookieIn, flags) {
			const args = { params: [...params], cookieIn, flags };
			const { ret, stream } = await rpc.callWithStream("DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS", args);
			return { cookie: ret.cookieOut, tunnel: stream };
		},
		async finish(params, cookie, flags, cancelled) {
			try {
				return await destination.finish(params, cookie, flags, cancelled);
			} catch (error) {
				if (cancelled || !lost.signal.aborted) throw error;
				return { domain: await askAgain(uri, nameIn(params), toVirtError(error)), cookie: new Uint8Array() };
			}
		},
		[Symbol.asyncDispose]: () => rpc.close(),
	};
}

const nameIn = (params: readonly TypedParam[]): string =>
	String(params.find(({ field }) => field === "destination_name")?.value.value);

/** The guest where it runs over there; throws `failure` where it does not, MigrationUnsettled where nobody answers. */
async function askAgain(uri: string, name: string, failure: VirtError): Promise<Domain> {
	for (let asked = 0; asked < ASK_AGAIN.times; asked++) {
		await delay(ASK_AGAIN.every);
		const answer = await whereabouts(uri, name).catch(() => undefined);
		if (answer === "absent") throw failure;
		if (answer !== undefined) return answer;
	}
	const what = `the destination of '${name}' fell silent and may have it running: confirm the migration once that is known`;
	throw new MigrationUnsettled("OPERATION_FAILED", what, { cause: failure });
}

/** Undefined where it still arrives. */
async function whereabouts(uri: string, name: string): Promise<Domain | "absent" | undefined> {
	await using rpc = await connectRpc(uri);
	try {
		const { dom } = await rpc.call("DOMAIN_LOOKUP_BY_NAME", { name });
		const domain = new Domain(rpc, dom);
		const { state, reason } = await domain.state();
		if (state === "shutoff") return "absent";
		return state === "paused" && reason === "migration" ? undefined : domain;
	} catch (error) {
		if (error instanceof VirtError && error.code === "NO_DOMAIN") return "absent";
		throw error;
	}
}
