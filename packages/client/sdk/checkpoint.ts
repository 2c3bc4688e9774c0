// Checkpoints of a domain as TypeScript sees them: points that backups of what changed since start from.

import type { RetOf } from "@virtkit/protocol/procedure-types";
import type { RpcClient } from "../rpc-client.ts";
import type { Domain } from "./domain.ts";
import { type FlagOptions, flagsOf } from "./flags.ts";

/** virDomainCheckpointCreateFlags. */
const CREATE = { redefine: 1, quiesce: 2, redefineValidate: 4 } as const;
/** virDomainCheckpointListFlags. */
const LIST = { topological: 2, leaves: 4, noLeaves: 8 } as const;
const LIST_ROOTS = { roots: 1, ...LIST } as const;
const LIST_DESCENDANTS = { descendants: 1, ...LIST } as const;
/** virDomainCheckpointXMLFlags and virDomainCheckpointDeleteFlags. */
const XML = { secure: 1, noDomain: 2, size: 4 } as const;
const DELETE = { children: 1, metadataOnly: 2, childrenOnly: 4 } as const;

type Ref = RetOf<"DOMAIN_CHECKPOINT_LOOKUP_BY_NAME">["checkpoint"];

/** One checkpoint, by its name. */
export class Checkpoint {
	readonly name: string;
	readonly #rpc: RpcClient;
	readonly #ref: Ref;

	constructor(rpc: RpcClient, ref: Ref) {
		this.#rpc = rpc;
		this.#ref = ref;
		this.name = ref.name;
	}

	/** Its description; with `size` the bytes of each disk that changed since, which takes a running guest. */
	async xml(options: FlagOptions<typeof XML> = {}): Promise<string> {
		const args = { checkpoint: this.#ref, flags: flagsOf(XML, options) };
		return (await this.#rpc.call("DOMAIN_CHECKPOINT_GET_XML_DESC", args)).xml;
	}

	/** The one that it follows. Throws NO_DOMAIN_CHECKPOINT where it follows none. */
	async parent(): Promise<Checkpoint> {
		const { parent } = await this.#rpc.call("DOMAIN_CHECKPOINT_GET_PARENT", { checkpoint: this.#ref, flags: 0 });
		return new Checkpoint(this.#rpc, parent);
	}

	/** Those that follow it; with `descendants` theirs too. */
	async children(options: FlagOptions<typeof LIST_DESCENDANTS> = {}): Promise<Checkpoint[]> {
		const args = { checkpoint: this.#ref, needResults: 1, flags: flagsOf(LIST_DESCENDANTS, options) };
		const { checkpoints } = await this.#rpc.call("DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN", args);
		return checkpoints.map((ref) => new Checkpoint(this.#rpc, ref));
	}

	/** Deletes it, of a running guest. With `metadataOnly` the daemon forgets it, and touches no image. */
	delete(options: FlagOptions<typeof DELETE> = {}): Promise<void> {
		return this.#rpc.call("DOMAIN_CHECKPOINT_DELETE", { checkpoint: this.#ref, flags: flagsOf(DELETE, options) });
	}
}

/** The checkpoints of a domain. */
export class Checkpoints {
	readonly #rpc: RpcClient;
	readonly #domain: Domain;

	constructor(rpc: RpcClient, domain: Domain) {
		this.#rpc = rpc;
		this.#domain = domain;
	}

	/** Makes the checkpoint that `xml` describes; with `redefine` makes one known that is there. */
	async create(xml = "<domaincheckpoint/>", options: FlagOptions<typeof CREATE> = {}): Promise<Checkpoint> {
		const args = { xmlDesc: xml, flags: flagsOf(CREATE, options) };
		return new Checkpoint(this.#rpc, (await this.#domain.call("DOMAIN_CHECKPOINT_CREATE_XML", args)).checkpoint);
	}

	/** All of them, or those that the options let through. */
	async list(options: FlagOptions<typeof LIST_ROOTS> = {}): Promise<Checkpoint[]> {
		const args = { needResults: 1, flags: flagsOf(LIST_ROOTS, options) };
		const { checkpoints } = await this.#domain.call("DOMAIN_LIST_ALL_CHECKPOINTS", args);
		return checkpoints.map((ref) => new Checkpoint(this.#rpc, ref));
	}

	/** The one of that name. Throws NO_DOMAIN_CHECKPOINT. */
	async byName(name: string): Promise<Checkpoint> {
		const { checkpoint } = await this.#domain.call("DOMAIN_CHECKPOINT_LOOKUP_BY_NAME", { name, flags: 0 });
		return new Checkpoint(this.#rpc, checkpoint);
	}
}
