// The SDK's entrance: a connection to a daemon, its domains, its host, its events.

import { connectRpc, type RpcConnectOptions } from "../connect.ts";
import type { RpcClient } from "../rpc-client.ts";
import { type DomainDocument, xmlOf } from "./definition.ts";
import { Domain } from "./domain.ts";
import { EVENT_KINDS, type EventKind, EventStream } from "./events.ts";
import { DEFINE, type FlagOptions, flagsOf, LIST, SAVE, START, STATS, XML } from "./flags.ts";
import { Host } from "./host.ts";
import { type Parameters, parametersOf } from "./parameters.ts";

/** The domains of a connection. */
export class Domains {
	readonly #rpc: RpcClient;

	constructor(rpc: RpcClient) {
		this.#rpc = rpc;
	}

	/** All domains, or those that pass the filters. */
	async list(filter: FlagOptions<typeof LIST> = {}): Promise<Domain[]> {
		const { domains } = await this.#rpc.call("CONNECT_LIST_ALL_DOMAINS", {
			needResults: 1,
			flags: flagsOf(LIST, filter),
		});
		return domains.map((dom) => new Domain(this.#rpc, dom));
	}

	/** The domain of that name, UUID or number. Throws NO_DOMAIN. */
	async get(nameOrUuidOrId: string | number): Promise<Domain> {
		if (typeof nameOrUuidOrId === "number")
			return this.#found(this.#rpc.call("DOMAIN_LOOKUP_BY_ID", { id: nameOrUuidOrId }));
		const isUuid = /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i.test(nameOrUuidOrId);
		if (!isUuid) return this.#found(this.#rpc.call("DOMAIN_LOOKUP_BY_NAME", { name: nameOrUuidOrId }));
		try {
			return await this.#found(this.#rpc.call("DOMAIN_LOOKUP_BY_UUID", { uuid: nameOrUuidOrId }));
		} catch {
			return this.#found(this.#rpc.call("DOMAIN_LOOKUP_BY_NAME", { name: nameOrUuidOrId }));
		}
	}

	/** Defines a domain, or changes the definition of the one with its name and UUID. Throws INVALID_ARG, XML_ERROR and what the daemon answers. */
	async define(document: DomainDocument, options: FlagOptions<typeof DEFINE> = {}): Promise<Domain> {
		const args = { xml: await xmlOf(document), flags: flagsOf(DEFINE, options) };
		return this.#found(this.#rpc.call("DOMAIN_DEFINE_XML_FLAGS", args));
	}

	/** Starts a domain that is gone once it stops. */
	async create(
		document: DomainDocument,
		options: FlagOptions<typeof START> & { readonly fds?: readonly number[] } = {},
	): Promise<Domain> {
		const { fds = [], ...flags } = options;
		const args = { xmlDesc: await xmlOf(document), flags: flagsOf(START, flags) };
		if (fds.length > 0) {
			const { ret } = await this.#rpc.callWithDescriptors("DOMAIN_CREATE_XML_WITH_FILES", args, { fds });
			return new Domain(this.#rpc, ret.dom);
		}
		return this.#found(this.#rpc.call("DOMAIN_CREATE_XML", args));
	}

	/** Starts a guest from a file that `save` wrote on the daemon's host. */
	restore(path: string, options: FlagOptions<typeof SAVE> & { readonly xml?: string } = {}): Promise<void> {
		const { xml, ...flags } = options;
		return this.#rpc.call("DOMAIN_RESTORE_FLAGS", { from: path, dxml: xml ?? null, flags: flagsOf(SAVE, flags) });
	}

	/** The definition inside a saved guest's file. */
	async saveImageXml(path: string, options: { readonly secure?: boolean } = {}): Promise<string> {
		const { xml } = await this.#rpc.call("DOMAIN_SAVE_IMAGE_GET_XML_DESC", {
			file: path,
			flags: flagsOf(XML, options),
		});
		return xml;
	}

	defineSaveImageXml(
		path: string,
		xml: string,
		options: Pick<FlagOptions<typeof SAVE>, "running" | "paused"> = {},
	): Promise<void> {
		return this.#rpc.call("DOMAIN_SAVE_IMAGE_DEFINE_XML", { file: path, dxml: xml, flags: flagsOf(SAVE, options) });
	}

	/** Statistics of all domains in one call: the groups asked for, all where none is. */
	async stats(
		groups: FlagOptions<typeof STATS> = {},
		filter: FlagOptions<typeof LIST> = {},
	): Promise<{ domain: Domain; parameters: Parameters }[]> {
		const { retStats } = await this.#rpc.call("CONNECT_GET_ALL_DOMAIN_STATS", {
			doms: [],
			stats: flagsOf(STATS, groups),
			flags: flagsOf(LIST, filter),
		});
		return retStats.map(({ dom, params }) => ({
			domain: new Domain(this.#rpc, dom),
			parameters: parametersOf(params),
		}));
	}

	/** The hypervisor's own command line for a document (format `qemu-argv`). */
	async toNative(document: DomainDocument, format = "qemu-argv"): Promise<string> {
		const args = { nativeFormat: format, domainXml: await xmlOf(document), flags: 0 };
		return (await this.#rpc.call("CONNECT_DOMAIN_XML_TO_NATIVE", args)).nativeConfig;
	}

	async #found(reply: Promise<{ dom: Domain["ref"] }>): Promise<Domain> {
		return new Domain(this.#rpc, (await reply).dom);
	}
}

/** A connection to a daemon. Close it, or let `await using` do so. */
export class Connection implements AsyncDisposable {
	/** Every procedure of libvirt's, typed: for what has no method. */
	readonly rpc: RpcClient;
	readonly domains: Domains;
	readonly host: Host;

	constructor(rpc: RpcClient) {
		this.rpc = rpc;
		this.domains = new Domains(rpc);
		this.host = new Host(rpc);
	}

	/** Events as they come: of the kinds asked for, of one domain or of all. Resolves once they are being listened to. */
	openEvents(options: { readonly kinds?: readonly EventKind[]; readonly domain?: Domain } = {}): Promise<EventStream> {
		return EventStream.open(this.rpc, options.kinds ?? EVENT_KINDS, options.domain);
	}

	/** The same, for `for await (const event of connection.events())`. */
	async *events(
		options: { readonly kinds?: readonly EventKind[]; readonly domain?: Domain } = {},
	): AsyncGenerator<import("./events.ts").Event> {
		await using stream = await this.openEvents(options);
		yield* stream;
	}

	close(): Promise<void> {
		return this.rpc.close();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}
}

export interface ConnectOptions extends RpcConnectOptions {
	readonly readOnly?: boolean;
}

/**
 * Connects to the daemon that `uri` names, as libvirt spells it: `qemu:///system`, `qemu+tcp://host/system`,
 * `qemu+unix:///system?socket=PATH`, `qemu+ssh://user@host/system`.
 *
 * Throws VirtError NO_CONNECT or what the daemon answers.
 */
export async function connect(uri: string, options: ConnectOptions = {}): Promise<Connection> {
	return new Connection(await connectRpc(uri, options));
}
