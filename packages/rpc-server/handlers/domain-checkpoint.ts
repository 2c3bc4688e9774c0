// Checkpoints of domains.

import type { DomainHandle } from "@virtkit/core/domain-operations";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import type { Handlers } from "../handler.ts";
import { nothing, onDomain, wireDomain } from "./domain-call.ts";

const wire = (name: string, domain: DomainHandle) => ({ name, dom: wireDomain(domain) });
const one = (name: string, domain: DomainHandle) => ({ checkpoint: wire(name, domain) });
const listed = (need: number) => (names: readonly string[], domain: DomainHandle) => ({
	checkpoints: need ? names.map((name) => wire(name, domain)) : [],
	ret: names.length,
});

export function domainCheckpointHandlers(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_CHECKPOINT_CREATE_XML: (context, { dom, xmlDesc, flags }) =>
			on(context, dom, "createCheckpoint", flags, one, xmlDesc),
		DOMAIN_CHECKPOINT_GET_XML_DESC: (context, { checkpoint, flags }) =>
			on(context, checkpoint.dom, "checkpointXml", flags, (xml) => ({ xml }), checkpoint.name),
		DOMAIN_LIST_ALL_CHECKPOINTS: (context, { dom, needResults, flags }) =>
			on(context, dom, "checkpoints", flags, listed(needResults), undefined),
		DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN: (context, { checkpoint, needResults, flags }) =>
			on(context, checkpoint.dom, "checkpoints", flags, listed(needResults), checkpoint.name),
		DOMAIN_CHECKPOINT_LOOKUP_BY_NAME: (context, { dom, name, flags }) =>
			on(context, dom, "findCheckpoint", flags, one, name),
		DOMAIN_CHECKPOINT_GET_PARENT: (context, { checkpoint, flags }) =>
			on(
				context,
				checkpoint.dom,
				"checkpointParent",
				flags,
				(name, domain) => ({ parent: wire(name, domain) }),
				checkpoint.name,
			),
		DOMAIN_CHECKPOINT_DELETE: (context, { checkpoint, flags }) =>
			on(context, checkpoint.dom, "deleteCheckpoint", flags, nothing, checkpoint.name),
	};
}
