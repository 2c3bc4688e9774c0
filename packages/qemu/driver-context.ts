// What every part of the driver works with: its places, settings, host, domains, events and log.

import type { DomainRef } from "@virtkit/core/domain-ref";
import {
	type DomainEvent,
	DomainEventBus,
	type DomainEventKind,
	type DomainEventPayloads,
	type Lifecycle,
} from "@virtkit/core/events";
import type { ConnectPeer } from "@virtkit/core/migration";
import type { CgroupTree } from "@virtkit/host/cgroup/tree";
import type { CapabilityCache } from "./capabilities/cache.ts";
import type { DomainRegistry } from "./domain/registry.ts";
import type { DefinitionStore } from "./domain/store.ts";
import type { HostView } from "./host-view.ts";
import type { Logger } from "./logger.ts";
import type { DriverPaths } from "./paths.ts";
import type { DriverSettings } from "./settings.ts";
import type { RunAs } from "./user-ids.ts";

export interface DriverParts {
	readonly paths: DriverPaths;
	readonly settings: DriverSettings;
	readonly log: Logger;
	readonly capabilities: CapabilityCache;
	readonly host: HostView;
	readonly store: DefinitionStore;
	readonly domains: DomainRegistry;
	readonly cgroups: CgroupTree;
	/** Who guests run as; undefined for the daemon's own user. */
	readonly runAs: RunAs | undefined;
	/** True for a user's own driver: its URI is qemu:///session. */
	readonly session: boolean;
	/** The way to other hosts' daemons; undefined where guests are moved by clients alone. */
	readonly connectPeer: ConnectPeer | undefined;
}

/** See the opening sentence. */
export class Driver {
	readonly paths: DriverPaths;
	readonly settings: DriverSettings;
	readonly log: Logger;
	readonly capabilities: CapabilityCache;
	readonly host: HostView;
	readonly store: DefinitionStore;
	readonly domains: DomainRegistry;
	readonly cgroups: CgroupTree;
	readonly runAs: RunAs | undefined;
	readonly session: boolean;
	readonly connectPeer: ConnectPeer | undefined;
	readonly events: DomainEventBus;

	constructor(parts: DriverParts) {
		this.paths = parts.paths;
		this.settings = parts.settings;
		this.log = parts.log;
		this.capabilities = parts.capabilities;
		this.host = parts.host;
		this.store = parts.store;
		this.domains = parts.domains;
		this.cgroups = parts.cgroups;
		this.runAs = parts.runAs;
		this.session = parts.session;
		this.connectPeer = parts.connectPeer;
		this.events = new DomainEventBus((error) => this.log.error(`a listener of events failed: ${String(error)}`));
	}

	/** Tells everybody; `domain` is who it is about as it is now. */
	emit<K extends DomainEventKind>(kind: K, domain: DomainRef, payload: DomainEventPayloads[K]): void {
		// The payload is that of its kind, which a union over all kinds cannot express.
		this.events.emit({ kind, domain, ...payload } as unknown as DomainEvent);
	}

	lifecycle(domain: DomainRef, what: Lifecycle): void {
		this.emit("lifecycle", domain, what);
	}
}
