// A hypervisor driver as the front-ends see it.

import type { DomainCollection, DomainHandle, DomainOperations } from "./domain-operations.ts";
import type { DomainEventBus } from "./events.ts";
import type { HostOperations } from "./host-operations.ts";

/** One driver. What it leaves out answers libvirt's "not supported" error. */
export interface Hypervisor<D extends DomainHandle = DomainHandle> {
	readonly domains: DomainCollection<D>;
	readonly operations: Partial<DomainOperations<D>>;
	readonly host: Partial<HostOperations>;
	readonly events: DomainEventBus;
}
