// The five phases of a migration (libvirt's protocol, third version), for whoever leads it: a client, or the source itself.

import type { Duplex } from "node:stream";
import { VirtError } from "@virtkit/base/errors";
import { param, type TypedParam } from "./typed-params.ts";

type Params = readonly TypedParam[];

/** virDomainMigrateFlags that leading a migration looks at. */
const FLAG = {
	paused: 32,
	changeProtection: 256,
	offline: 1024,
	abortOnError: 4096,
	autoConverge: 8192,
	resume: 1 << 19,
};

/** The flags that mean something to the source alone. */
const SOURCE_ONLY = FLAG.abortOnError | FLAG.autoConverge;

/** Where the guest comes from. */
export interface MigrationSource {
	/** The domain's name. */
	readonly name: string;
	/** Whether it can hold its job from `begin` to `confirm`, so that nobody changes the guest in between. */
	protects(): Promise<boolean>;
	begin(params: Params, flags: number): Promise<{ readonly cookie: Uint8Array; readonly xml: string }>;
	isPaused(): Promise<boolean>;
	/** Sends the guest; answers the cookie for the destination. */
	perform(params: Params, cookie: Uint8Array, flags: number): Promise<Uint8Array>;
	/** Lets the guest go, or go on where `cancelled`. */
	confirm(params: Params, cookie: Uint8Array, flags: number, cancelled: boolean): Promise<void>;
}

/** Where the guest goes to. */
export interface MigrationDestination<T> {
	prepare(
		params: Params,
		cookie: Uint8Array,
		flags: number,
	): Promise<{ readonly cookie: Uint8Array; readonly uri: string | undefined }>;
	/**
	 * Lets the guest run, or gives it up where `cancelled`. Throws MigrationUnsettled where nobody can tell whether it runs.
	 */
	finish(
		params: Params,
		cookie: Uint8Array,
		flags: number,
		cancelled: boolean,
	): Promise<{ readonly domain: T; readonly cookie: Uint8Array }>;
}

/** Another host's daemon, as the source of a peer-to-peer migration speaks with it. */
export interface MigrationPeer extends MigrationDestination<unknown>, AsyncDisposable {
	/** As `prepare`, for a guest that is written into the stream. */
	prepareTunnel(
		params: Params,
		cookie: Uint8Array,
		flags: number,
	): Promise<{ readonly cookie: Uint8Array; readonly tunnel: Duplex }>;
	/** Aborts when the connection is lost. */
	readonly lost: AbortSignal;
}

/** Connects to the daemon that a connection URI names. Throws what the way there or the daemon says. */
export type ConnectPeer = (uri: string) => Promise<MigrationPeer>;

/** The destination cannot be asked any more and may have the guest running: the source must not go on with it by itself. */
export class MigrationUnsettled extends VirtError {}

export interface MigrationRequest {
	readonly params: Params;
	/** virDomainMigrateFlags */
	readonly flags: number;
}

const NO_COOKIE = new Uint8Array();

/** `params` with the text parameter `field` set. */
export const withParam = (params: Params, field: string, value: string): TypedParam[] => [
	...params.filter((one) => one.field !== field),
	param.string(field, value),
];

/**
 * Moves the guest; answers the domain at the destination.
 *
 * Whatever fails in between, both sides are told, so that the guest runs on in one place. Throws what the side that
 * failed said; MigrationUnsettled leaves the guest standing still at the source.
 */
export async function leadMigration<T>(
	source: MigrationSource,
	destination: MigrationDestination<T>,
	request: MigrationRequest,
): Promise<T> {
	return await new Migration(source, destination, request).run();
}

/** One migration: what each step passes to the next. */
class Migration<T> {
	readonly #source: MigrationSource;
	readonly #destination: MigrationDestination<T>;
	#params: Params;
	#flags: number;
	#cookie: Uint8Array = NO_COOKIE;
	/** Set in the source's calls where it refuses changes meanwhile. */
	#protection = 0;

	constructor(source: MigrationSource, destination: MigrationDestination<T>, { params, flags }: MigrationRequest) {
		this.#source = source;
		this.#destination = destination;
		this.#params = params;
		this.#flags = flags;
	}

	async run(): Promise<T> {
		await this.#begin();
		try {
			await this.#prepare();
		} catch (error) {
			// The source holds a job since it began; without one there is nothing to end.
			if (this.#protection) await this.#confirm(true).catch(() => undefined);
			throw error;
		}
		let failure: unknown;
		if (!(this.#flags & FLAG.offline))
			try {
				await this.#perform();
			} catch (error) {
				failure = error;
			}
		return await this.#end(failure);
	}

	/** Has the destination start the guest, or give it up; then the source let it go, or go on with it. */
	async #end(failure: unknown): Promise<T> {
		let arrived: { domain: T } | undefined;
		let reason = failure;
		try {
			arrived = { domain: await this.#finish(failure !== undefined) };
		} catch (error) {
			if (error instanceof MigrationUnsettled && failure === undefined) throw error;
			// The destination may know better why the guest did not arrive.
			const isPlain = failure instanceof VirtError && failure.code === "OPERATION_FAILED";
			const isReason = error instanceof VirtError && error.code !== "MIGRATE_FINISH_OK" && error.code !== "RPC";
			if (failure === undefined || (isPlain && isReason)) reason = error;
		}
		// A source whose own part failed has gone back already.
		if (failure === undefined) await this.#confirm(arrived === undefined).catch(() => undefined);
		if (arrived && failure === undefined) return arrived.domain;
		throw reason ?? new VirtError("OPERATION_FAILED", `domain '${this.#source.name}' did not arrive`);
	}

	async #begin(): Promise<void> {
		if (await this.#source.protects()) this.#protection = FLAG.changeProtection;
		const { cookie, xml } = await this.#source.begin(this.#params, this.#flags | this.#protection);
		this.#cookie = cookie;
		this.#params = withParam(this.#params, "destination_xml", xml);
		// A paused guest stays paused where it arrives.
		if (!(this.#flags & FLAG.resume) && (await this.#source.isPaused())) this.#flags |= FLAG.paused;
	}

	async #prepare(): Promise<void> {
		const flags = this.#flags & ~SOURCE_ONLY;
		const { cookie, uri } = await this.#destination.prepare(this.#params, this.#cookie, flags);
		this.#cookie = cookie;
		if (uri !== undefined) this.#params = withParam(this.#params, "migrate_uri", uri);
	}

	async #perform(): Promise<void> {
		this.#cookie = await this.#source.perform(this.#params, this.#cookie, this.#flags | this.#protection);
	}

	async #finish(cancelled: boolean): Promise<T> {
		if (!this.#params.some(({ field }) => field === "destination_name"))
			this.#params = withParam(this.#params, "destination_name", this.#source.name);
		const given = cancelled ? NO_COOKIE : this.#cookie;
		const flags = this.#flags & ~SOURCE_ONLY;
		const { domain, cookie } = await this.#destination.finish(this.#params, given, flags, cancelled);
		this.#cookie = cookie;
		return domain;
	}

	async #confirm(cancelled: boolean): Promise<void> {
		const cookie = cancelled ? NO_COOKIE : this.#cookie;
		await this.#source.confirm(this.#params, cookie, this.#flags | this.#protection, cancelled);
	}
}
