// Migration as the client leads it, by the third version of libvirt's protocol: begin, prepare, perform, finish, confirm.

import { VirtError } from "@virtkit/base/errors";
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
const FEATURE = { peerToPeer: 4, direct: 5, changeProtection: 7, parameters: 13 } as const;

const supports = async (rpc: RpcClient, feature: number): Promise<boolean> =>
	(await rpc.call("CONNECT_SUPPORTS_FEATURE", { feature })).supported === 1;

const NO_COOKIE = new Uint8Array();
const textParameter = (field: string, value: string): TypedParameter => ({ field, value: { type: 7, value } });
const without = (params: readonly TypedParameter[], field: string): TypedParameter[] =>
	params.filter((one) => one.field !== field);

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
	if (!(await supports(source, peer ? FEATURE.peerToPeer : FEATURE.direct)))
		throw new VirtError(
			"ARGUMENT_UNSUPPORTED",
			`${peer ? "p2p" : "direct"} migration is not supported by the source host`,
		);
	await domain.call("DOMAIN_MIGRATE_PERFORM3_PARAMS", {
		dconnuri: peer ? destination : null,
		params: peer ? [...params] : [...without(params, "migrate_uri"), textParameter("migrate_uri", destination)],
		cookieIn: NO_COOKIE,
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
		if (!(await supports(rpc, FEATURE.parameters)))
			throw new VirtError("NO_SUPPORT", "this daemon takes no migration with parameters");
	return await new Migration(source, domain, destination, params, flags).run();
}

/** One migration: what each step passes to the next. */
class Migration {
	readonly #source: RpcClient;
	readonly #domain: Domain;
	readonly #destination: RpcClient;
	#params: TypedParameter[];
	#flags: number;
	#cookie: Uint8Array = NO_COOKIE;
	/** Set in the source's calls where it refuses changes meanwhile. */
	#protection = 0;

	constructor(
		source: RpcClient,
		domain: Domain,
		destination: RpcClient,
		params: readonly TypedParameter[],
		flags: MigrateFlags,
	) {
		this.#source = source;
		this.#domain = domain;
		this.#destination = destination;
		this.#params = [...params];
		this.#flags = flagsOf(MIGRATE, flags);
	}

	async run(): Promise<Domain> {
		await this.#begin();
		try {
			await this.#prepare();
		} catch (error) {
			// The source holds a job since it began; without one there is nothing to end.
			if (this.#protection) await this.#confirm(true).catch(() => undefined);
			throw error;
		}
		let failure: unknown;
		if (!(this.#flags & MIGRATE.offline))
			try {
				await this.#perform();
			} catch (error) {
				failure = error;
			}
		return await this.#end(failure);
	}

	/** Has the destination start the guest, or give it up; then the source let it go, or go on with it. */
	async #end(failure: unknown): Promise<Domain> {
		let arrived: Domain | undefined;
		let reason = failure;
		try {
			arrived = await this.#finish(failure !== undefined);
		} catch (error) {
			// The destination may know better why the guest did not arrive.
			const isPlain = failure instanceof VirtError && failure.code === "OPERATION_FAILED";
			const isReason = error instanceof VirtError && error.code !== "MIGRATE_FINISH_OK";
			if (failure === undefined || (isPlain && isReason)) reason = error;
		}
		// A source whose own part failed has gone back already.
		if (failure === undefined) await this.#confirm(arrived === undefined).catch(() => undefined);
		if (arrived && failure === undefined) return arrived;
		throw reason ?? new VirtError("OPERATION_FAILED", `domain '${this.#domain.name}' did not arrive`);
	}

	async #begin(): Promise<void> {
		if (await supports(this.#source, FEATURE.changeProtection)) this.#protection = MIGRATE.changeProtection;
		const { cookieOut, xml } = await this.#domain.call("DOMAIN_MIGRATE_BEGIN3_PARAMS", {
			params: this.#params,
			flags: this.#flags | this.#protection,
		});
		this.#cookie = cookieOut;
		this.#params = [...without(this.#params, "destination_xml"), textParameter("destination_xml", xml)];
		const { state } = await this.#domain.state();
		// A paused guest stays paused where it arrives.
		if (state === "paused" && !(this.#flags & MIGRATE.postcopyResume)) this.#flags |= MIGRATE.paused;
	}

	/** The destination's flags: what concerns the source's sending alone is left out. */
	get #arriving(): number {
		return this.#flags & ~(MIGRATE.abortOnError | MIGRATE.autoConverge);
	}

	async #prepare(): Promise<void> {
		const { cookieOut, uriOut } = await this.#destination.call("DOMAIN_MIGRATE_PREPARE3_PARAMS", {
			params: this.#params,
			cookieIn: this.#cookie,
			flags: this.#arriving,
		});
		this.#cookie = cookieOut;
		if (uriOut !== null) this.#params = [...without(this.#params, "migrate_uri"), textParameter("migrate_uri", uriOut)];
	}

	async #perform(): Promise<void> {
		const { cookieOut } = await this.#domain.call("DOMAIN_MIGRATE_PERFORM3_PARAMS", {
			dconnuri: null,
			params: this.#params,
			cookieIn: this.#cookie,
			flags: this.#flags | this.#protection,
		});
		this.#cookie = cookieOut;
	}

	async #finish(cancelled: boolean): Promise<Domain> {
		const named = this.#params.some(({ field }) => field === "destination_name");
		if (!named) this.#params = [...this.#params, textParameter("destination_name", this.#domain.name)];
		const { dom, cookieOut } = await this.#destination.call("DOMAIN_MIGRATE_FINISH3_PARAMS", {
			params: this.#params,
			cookieIn: cancelled ? NO_COOKIE : this.#cookie,
			flags: this.#arriving,
			cancelled: cancelled ? 1 : 0,
		});
		this.#cookie = cookieOut;
		return new Domain(this.#destination, dom);
	}

	async #confirm(cancelled: boolean): Promise<void> {
		await this.#domain.call("DOMAIN_MIGRATE_CONFIRM3_PARAMS", {
			params: this.#params,
			cookieIn: cancelled ? NO_COOKIE : this.#cookie,
			flags: this.#flags | this.#protection,
			cancelled: cancelled ? 1 : 0,
		});
	}
}
