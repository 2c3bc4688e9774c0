// All domains by UUID, name and number, and libvirt's rules of who may take which.

import { VirtError } from "@virtkit/base/errors";
import { QemuDomain } from "./domain.ts";
import type { DefinitionStore } from "./store.ts";

/** Stored definitions kept parsed in memory; those used least recently are let go. */
const DEFINITIONS_IN_MEMORY = 16_384;

export interface Identity {
	readonly name: string;
	readonly uuid: string;
}

export class DomainRegistry {
	readonly #byUuid = new Map<string, QemuDomain>();
	readonly #byName = new Map<string, QemuDomain>();
	readonly #byId = new Map<number, QemuDomain>();
	readonly #loaded = new Set<QemuDomain>();
	readonly #store: DefinitionStore;
	#lastId = 0;

	constructor(store: DefinitionStore) {
		this.#store = store;
	}

	all(): Iterable<QemuDomain> {
		return this.#byUuid.values();
	}

	byUuid(uuid: string): QemuDomain | undefined {
		return this.#byUuid.get(uuid);
	}

	byName(name: string): QemuDomain | undefined {
		return this.#byName.get(name);
	}

	byId(id: number): QemuDomain | undefined {
		return this.#byId.get(id);
	}

	/** A number for a new run. */
	nextId(): number {
		return ++this.#lastId;
	}

	/** Ties a run's number to its domain. Numbers given later are higher. */
	bindId(id: number, domain: QemuDomain): void {
		this.#lastId = Math.max(this.#lastId, id);
		this.#byId.set(id, domain);
	}

	releaseId(id: number): void {
		this.#byId.delete(id);
	}

	/**
	 * The domain that a definition of this identity is for, undefined where it would be a new one.
	 *
	 * Throws OPERATION_FAILED where name or UUID belong to another domain, in libvirt's words.
	 */
	match({ name, uuid }: Identity): QemuDomain | undefined {
		const known = this.#byUuid.get(uuid);
		if (known?.removing)
			throw new VirtError("OPERATION_FAILED", `domain '${known.name}' is already being removed`, { domain: "DOMAIN" });
		if (known) {
			if (known.name === name) return known;
			throw new VirtError("OPERATION_FAILED", `domain '${known.name}' is already defined with uuid ${uuid}`, {
				domain: "DOMAIN",
			});
		}
		const namesake = this.#byName.get(name);
		if (!namesake) return undefined;
		throw new VirtError("OPERATION_FAILED", `domain '${name}' already exists with uuid ${namesake.uuid}`, {
			domain: "DOMAIN",
		});
	}

	/** Adds a new domain, whose identity nobody has (see `match`). */
	add({ name, uuid }: Identity): QemuDomain {
		const domain = new QemuDomain({ name, uuid }, (one) => this.#load(one));
		this.#byUuid.set(uuid, domain);
		this.#byName.set(name, domain);
		return domain;
	}

	remove(domain: QemuDomain): void {
		domain.removing = true;
		this.#loaded.delete(domain);
		this.#store.removeMoments(domain.name);
		if (this.#byUuid.get(domain.uuid) === domain) this.#byUuid.delete(domain.uuid);
		if (this.#byName.get(domain.name) === domain) this.#byName.delete(domain.name);
	}

	/** Gives the domain another name, which nobody has. */
	rename(domain: QemuDomain, name: string): void {
		this.#byName.delete(domain.name);
		domain.name = name;
		this.#byName.set(name, domain);
	}

	#load(domain: QemuDomain) {
		const definition = this.#store.load(domain.name);
		domain.stored = true;
		this.keep(domain);
		return definition;
	}

	/** Counts the domain's definition among those in memory, and lets go of the one used longest ago. */
	keep(domain: QemuDomain): void {
		this.#loaded.delete(domain);
		this.#loaded.add(domain);
		if (this.#loaded.size <= DEFINITIONS_IN_MEMORY) return;
		for (const oldest of this.#loaded) {
			this.#loaded.delete(oldest);
			oldest.forgetConfig();
			return;
		}
	}
}
