// Snapshots of domains.

import { VirtError } from "@virtkit/base/errors";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import type { DomainRef } from "@virtkit/protocol/types/object";
import type { ClientContext, Handlers } from "../handler.ts";
import { nothing, onDomain, wireDomain } from "./domain-call.ts";

interface WireSnapshot {
	readonly name: string;
	readonly dom: DomainRef;
}

type Lists =
	| "DOMAIN_SNAPSHOT_NUM"
	| "DOMAIN_SNAPSHOT_LIST_NAMES"
	| "DOMAIN_LIST_ALL_SNAPSHOTS"
	| "DOMAIN_SNAPSHOT_NUM_CHILDREN"
	| "DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES"
	| "DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN";

export function domainSnapshotHandlers(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_SNAPSHOT_CREATE_XML: (context, { dom, xmlDesc, flags }) =>
			on(
				context,
				dom,
				"createSnapshot",
				flags,
				(name, domain) => ({ snap: { name, dom: wireDomain(domain) } }),
				xmlDesc,
			),
		DOMAIN_SNAPSHOT_GET_XML_DESC: (context, { snap, flags }) =>
			on(context, snap.dom, "snapshotXml", flags, (xml) => ({ xml }), snap.name),
		DOMAIN_SNAPSHOT_LOOKUP_BY_NAME: (context, { dom, name, flags }) =>
			on(
				context,
				dom,
				"findSnapshot",
				flags,
				(found, domain) => ({ snap: { name: found, dom: wireDomain(domain) } }),
				name,
			),
		DOMAIN_HAS_CURRENT_SNAPSHOT: (context, { dom, flags }) =>
			on(context, dom, "currentSnapshot", flags, (name) => ({ result: name === undefined ? 0 : 1 })),
		DOMAIN_SNAPSHOT_CURRENT: (context, { dom, flags }) =>
			on(context, dom, "currentSnapshot", flags, (name, domain) => {
				if (name === undefined)
					throw new VirtError("NO_DOMAIN_SNAPSHOT", "the domain does not have a current snapshot");
				return { snap: { name, dom: wireDomain(domain) } };
			}),
		DOMAIN_SNAPSHOT_GET_PARENT: (context, { snap, flags }) =>
			on(
				context,
				snap.dom,
				"snapshotParent",
				flags,
				(name, domain) => ({ snap: { name, dom: wireDomain(domain) } }),
				snap.name,
			),
		DOMAIN_SNAPSHOT_IS_CURRENT: (context, { snap, flags }) =>
			on(context, snap.dom, "snapshotIsCurrent", flags, (is) => ({ current: is ? 1 : 0 }), snap.name),
		DOMAIN_SNAPSHOT_HAS_METADATA: (context, { snap, flags }) =>
			on(context, snap.dom, "snapshotHasMetadata", flags, (has) => ({ metadata: has ? 1 : 0 }), snap.name),
		DOMAIN_REVERT_TO_SNAPSHOT: (context, { snap, flags }) =>
			on(context, snap.dom, "revertToSnapshot", flags, nothing, snap.name),
		DOMAIN_SNAPSHOT_DELETE: (context, { snap, flags }) =>
			on(context, snap.dom, "deleteSnapshot", flags, nothing, snap.name),
		...listHandlers(hypervisor),
	};
}

/** Of a domain or below a snapshot; counted, by name, or whole. */
function listHandlers(hypervisor: Hypervisor): Pick<Handlers, Lists> {
	const on = onDomain(hypervisor);
	const list = <R>(
		context: ClientContext,
		of: DomainRef | WireSnapshot,
		flags: number,
		reply: (snapshots: WireSnapshot[]) => R,
	) => {
		const [dom, from] = "dom" in of ? [of.dom, of.name] : [of, undefined];
		return on(
			context,
			dom,
			"snapshots",
			flags,
			(names, domain) => reply(names.map((name) => ({ name, dom: wireDomain(domain) }))),
			from,
		);
	};
	const whole = (need: number) => (found: WireSnapshot[]) => ({ snapshots: need ? found : [], ret: found.length });
	const names = (most: number) => (found: WireSnapshot[]) => ({ names: found.slice(0, most).map(({ name }) => name) });
	const count = (found: WireSnapshot[]) => ({ num: found.length });
	return {
		DOMAIN_SNAPSHOT_NUM: (context, { dom, flags }) => list(context, dom, flags, count),
		DOMAIN_SNAPSHOT_LIST_NAMES: (context, { dom, maxnames, flags }) => list(context, dom, flags, names(maxnames)),
		DOMAIN_LIST_ALL_SNAPSHOTS: (context, { dom, needResults, flags }) => list(context, dom, flags, whole(needResults)),
		DOMAIN_SNAPSHOT_NUM_CHILDREN: (context, { snap, flags }) => list(context, snap, flags, count),
		DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES: (context, { snap, maxnames, flags }) =>
			list(context, snap, flags, names(maxnames)),
		DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN: (context, { snapshot, needResults, flags }) =>
			list(context, snapshot, flags, whole(needResults)),
	};
}
