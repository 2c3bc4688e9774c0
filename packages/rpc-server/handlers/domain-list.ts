// Lists of domains and libvirt's filters on them.

import type { CallContext, DomainHandle } from "@virtkit/core/domain-operations";
import type { Hypervisor } from "@virtkit/core/hypervisor";

/**
 * libvirt's list filters (virConnectListAllDomainsFlags) by group: a domain passes a group when one of the group's
 * flags that are set holds for it, or none is set.
 */
type Filter = readonly [flag: number, holds: (domain: DomainHandle, asked: Asked) => boolean];

/** Where the domains are asked for, and for whom. */
interface Asked {
	readonly hypervisor: Hypervisor;
	readonly context: CallContext;
}

const isActive = (domain: DomainHandle): boolean => domain.id >= 0;
const isPersistent = (domain: DomainHandle, { hypervisor, context }: Asked): boolean =>
	hypervisor.operations.isPersistent?.(domain, 0, context) ?? true;
const hasAutostart = (domain: DomainHandle, { hypervisor, context }: Asked): boolean =>
	hypervisor.operations.getAutostart?.(domain, 0, context) ?? false;
const isOther = ({ stateName }: DomainHandle): boolean => !["running", "paused", "shutoff"].includes(stateName);

const GROUPS: readonly (readonly Filter[])[] = [
	[
		[1 << 0, isActive],
		[1 << 1, (domain) => !isActive(domain)],
	],
	[
		[1 << 2, isPersistent],
		[1 << 3, (domain, asked) => !isPersistent(domain, asked)],
	],
	[
		[1 << 4, ({ stateName }) => stateName === "running"],
		[1 << 5, ({ stateName }) => stateName === "paused"],
		[1 << 6, ({ stateName }) => stateName === "shutoff"],
		[1 << 7, isOther],
	],
	[
		[1 << 8, (domain, { hypervisor: { domains } }) => domains.hasManagedSave(domain)],
		[1 << 9, (domain, { hypervisor: { domains } }) => !domains.hasManagedSave(domain)],
	],
	[
		[1 << 10, hasAutostart],
		[1 << 11, (domain, asked) => !hasAutostart(domain, asked)],
	],
	[
		[1 << 12, (domain, { hypervisor: { domains } }) => domains.hasSnapshots(domain)],
		[1 << 13, (domain, { hypervisor: { domains } }) => !domains.hasSnapshots(domain)],
	],
	[
		[1 << 14, (domain, { hypervisor: { domains } }) => domains.hasCheckpoints(domain)],
		[1 << 15, (domain, { hypervisor: { domains } }) => !domains.hasCheckpoints(domain)],
	],
];

/** All flags that filter. */
export const LIST_FILTERS = 0xffff;

/** The domains that pass the filters in `flags`. */
export function filterDomains(hypervisor: Hypervisor, flags: number, context: CallContext): DomainHandle[] {
	const asked = GROUPS.map((group) => group.filter(([flag]) => (flags & flag) !== 0)).filter(
		(group) => group.length > 0,
	);
	const passed: DomainHandle[] = [];
	const where: Asked = { hypervisor, context };
	for (const domain of hypervisor.domains.all())
		if (asked.every((group) => group.some(([, holds]) => holds(domain, where)))) passed.push(domain);
	return passed;
}
