// Snapshots of a domain as TypeScript sees them: taken, found, listed, gone back to, deleted.

import type { RetOf } from "@virtkit/protocol/procedure-types";
import type { RpcClient } from "../rpc-client.ts";
import type { Domain } from "./domain.ts";
import { type FlagOptions, flagsOf } from "./flags.ts";

/** virDomainSnapshotCreateFlags. */
const CREATE = {
	redefine: 1,
	current: 2,
	noMetadata: 4,
	halt: 8,
	diskOnly: 16,
	reuseExternal: 32,
	quiesce: 64,
	atomic: 128,
	live: 256,
	validate: 512,
} as const;

/** virDomainSnapshotListFlags. */
const LIST = {
	metadata: 2,
	leaves: 4,
	noLeaves: 8,
	noMetadata: 16,
	inactive: 32,
	active: 64,
	diskOnly: 128,
	internal: 256,
	external: 512,
	topological: 1024,
} as const;
const LIST_ROOTS = { roots: 1, ...LIST } as const;
const LIST_DESCENDANTS = { descendants: 1, ...LIST } as const;

/** virDomainSnapshotRevertFlags and virDomainSnapshotDeleteFlags. */
const REVERT = { running: 1, paused: 2, force: 4, resetNvram: 8 } as const;
const DELETE = { children: 1, metadataOnly: 2, childrenOnly: 4 } as const;
const XML = { secure: 1 } as const;

type Ref = RetOf<"DOMAIN_SNAPSHOT_LOOKUP_BY_NAME">["snap"];

/** One snapshot, by its name. */
export class Snapshot {
	readonly name: string;
	readonly #rpc: RpcClient;
	readonly #ref: Ref;

	constructor(rpc: RpcClient, ref: Ref) {
		this.#rpc = rpc;
		this.#ref = ref;
		this.name = ref.name;
	}

	/** Its description; with `secure` passwords too. */
	async xml(options: FlagOptions<typeof XML> = {}): Promise<string> {
		return (await this.#rpc.call("DOMAIN_SNAPSHOT_GET_XML_DESC", { snap: this.#ref, flags: flagsOf(XML, options) }))
			.xml;
	}

	/** The one that it follows. Throws NO_DOMAIN_SNAPSHOT where it follows none. */
	async parent(): Promise<Snapshot> {
		const { snap } = await this.#rpc.call("DOMAIN_SNAPSHOT_GET_PARENT", { snap: this.#ref, flags: 0 });
		return new Snapshot(this.#rpc, snap);
	}

	/** Those that follow it; with `descendants` theirs too. */
	async children(options: FlagOptions<typeof LIST_DESCENDANTS> = {}): Promise<Snapshot[]> {
		const flags = flagsOf(LIST_DESCENDANTS, options);
		const args = { snapshot: this.#ref, needResults: 1, flags };
		const { snapshots } = await this.#rpc.call("DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN", args);
		return snapshots.map((ref) => new Snapshot(this.#rpc, ref));
	}

	/** Whether the domain is at it: the next snapshot follows it. */
	async isCurrent(): Promise<boolean> {
		return (await this.#rpc.call("DOMAIN_SNAPSHOT_IS_CURRENT", { snap: this.#ref, flags: 0 })).current === 1;
	}

	/** Brings the domain back to it: disks, definition, and memory where it has that. What the domain did since is lost. */
	revert(options: FlagOptions<typeof REVERT> = {}): Promise<void> {
		return this.#rpc.call("DOMAIN_REVERT_TO_SNAPSHOT", { snap: this.#ref, flags: flagsOf(REVERT, options) });
	}

	/** Deletes it: what the domain wrote since stays. With `metadataOnly` the daemon forgets it, and touches no image. */
	delete(options: FlagOptions<typeof DELETE> = {}): Promise<void> {
		return this.#rpc.call("DOMAIN_SNAPSHOT_DELETE", { snap: this.#ref, flags: flagsOf(DELETE, options) });
	}
}

/** The snapshots of a domain. */
export class Snapshots {
	readonly #rpc: RpcClient;
	readonly #domain: Domain;

	constructor(rpc: RpcClient, domain: Domain) {
		this.#rpc = rpc;
		this.#domain = domain;
	}

	/** Takes the snapshot that `xml` (`<domainsnapshot/>` for the usual one) describes; with `redefine` makes one known that is there. */
	async create(xml = "<domainsnapshot/>", options: FlagOptions<typeof CREATE> = {}): Promise<Snapshot> {
		const args = { xmlDesc: xml, flags: flagsOf(CREATE, options) };
		return new Snapshot(this.#rpc, (await this.#domain.call("DOMAIN_SNAPSHOT_CREATE_XML", args)).snap);
	}

	/** All of them, or those that the options let through. */
	async list(options: FlagOptions<typeof LIST_ROOTS> = {}): Promise<Snapshot[]> {
		const args = { needResults: 1, flags: flagsOf(LIST_ROOTS, options) };
		const { snapshots } = await this.#domain.call("DOMAIN_LIST_ALL_SNAPSHOTS", args);
		return snapshots.map((ref) => new Snapshot(this.#rpc, ref));
	}

	/** The one of that name. Throws NO_DOMAIN_SNAPSHOT. */
	async byName(name: string): Promise<Snapshot> {
		return new Snapshot(
			this.#rpc,
			(await this.#domain.call("DOMAIN_SNAPSHOT_LOOKUP_BY_NAME", { name, flags: 0 })).snap,
		);
	}

	/** The one that the domain is at; undefined where it is at none. */
	async current(): Promise<Snapshot | undefined> {
		const { result } = await this.#domain.call("DOMAIN_HAS_CURRENT_SNAPSHOT", { flags: 0 });
		if (!result) return undefined;
		return new Snapshot(this.#rpc, (await this.#domain.call("DOMAIN_SNAPSHOT_CURRENT", { flags: 0 })).snap);
	}
}
