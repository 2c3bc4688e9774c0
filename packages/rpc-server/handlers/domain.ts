// Domains: finding, listing, defining, starting and stopping them, and what describes them.

import { VirtError } from "@virtkit/base/errors";
import type { DomainHandle } from "@virtkit/core/domain-operations";
import { stateNumbers } from "@virtkit/core/domain-state";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import { checkFlags } from "@virtkit/core/invoke";
import type { ClientContext, Handlers } from "../handler.ts";
import { after, coreContext, findDomain, nothing, onDomain, wireDomain } from "./domain-call.ts";
import { filterDomains, LIST_FILTERS } from "./domain-list.ts";

/** VIR_DOMAIN_DEFINE_VALIDATE */
const DEFINE_FLAGS = 1;
/** VIR_DOMAIN_START_*: PAUSED 1, AUTODESTROY 2, BYPASS_CACHE 4, FORCE_BOOT 8, VALIDATE 16, RESET_NVRAM 32 */
const CREATE_FLAGS = 0x33;

const orNoDomain = (domain: DomainHandle | undefined, what: string): { dom: ReturnType<typeof wireDomain> } => {
	if (!domain) throw new VirtError("NO_DOMAIN", `no domain with matching ${what}`);
	return { dom: wireDomain(domain) };
};

export function domainHandlers(hypervisor: Hypervisor): Handlers {
	return {
		...lookup(hypervisor),
		...definition(hypervisor),
		...lifecycle(hypervisor),
		...description(hypervisor),
	};
}

function lookup(hypervisor: Hypervisor): Handlers {
	const { domains } = hypervisor;
	const active = (context: ClientContext): DomainHandle[] => filterDomains(hypervisor, 1, coreContext(context));
	const inactive = (context: ClientContext): DomainHandle[] => filterDomains(hypervisor, 2, coreContext(context));
	return {
		DOMAIN_LOOKUP_BY_NAME: (_, { name }) => orNoDomain(domains.byName(name), `name '${name}'`),
		DOMAIN_LOOKUP_BY_UUID: (_, { uuid }) => orNoDomain(domains.byUuid(uuid), `uuid '${uuid}'`),
		DOMAIN_LOOKUP_BY_ID: (_, { id }) => orNoDomain(domains.byId(id), `id ${id}`),
		CONNECT_LIST_ALL_DOMAINS: (context, { needResults, flags }) => {
			checkFlags("virConnectListAllDomains", flags, LIST_FILTERS);
			const found = filterDomains(hypervisor, flags, coreContext(context));
			return {
				domains: needResults ? found.map(wireDomain) : [],
				ret: found.length,
			};
		},
		CONNECT_NUM_OF_DOMAINS: (context) => ({ num: active(context).length }),
		CONNECT_LIST_DOMAINS: (context, { maxids }) => ({
			ids: active(context)
				.slice(0, maxids)
				.map(({ id }) => id),
		}),
		CONNECT_NUM_OF_DEFINED_DOMAINS: (context) => ({
			num: inactive(context).length,
		}),
		CONNECT_LIST_DEFINED_DOMAINS: (context, { maxnames }) => ({
			names: inactive(context)
				.slice(0, maxnames)
				.map(({ name }) => name),
		}),
	};
}

function definition(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	const define = (context: ClientContext, xml: string, flags: number) => {
		const core = coreContext(context);
		checkFlags("virDomainDefineXMLFlags", flags, DEFINE_FLAGS);
		return after(hypervisor.domains.define(xml, flags, core), (domain) => ({
			dom: wireDomain(domain),
		}));
	};
	const create = (context: ClientContext, xml: string, flags: number) => {
		const core = coreContext(context);
		checkFlags("virDomainCreateXML", flags, CREATE_FLAGS);
		return after(hypervisor.domains.create(xml, flags, core), (domain) => ({
			dom: wireDomain(domain),
		}));
	};
	return {
		DOMAIN_DEFINE_XML: (context, { xml }) => define(context, xml, 0),
		DOMAIN_DEFINE_XML_FLAGS: (context, { xml, flags }) => define(context, xml, flags),
		DOMAIN_CREATE_XML: (context, { xmlDesc, flags }) => create(context, xmlDesc, flags),
		DOMAIN_UNDEFINE: (context, { dom }) => on(context, dom, "undefine", 0, nothing),
		DOMAIN_UNDEFINE_FLAGS: (context, { dom, flags }) => on(context, dom, "undefine", flags, nothing),
		DOMAIN_RENAME: (context, { dom, newName, flags }) =>
			on(context, dom, "rename", flags, () => ({ retcode: 0 }), newName ?? ""),
		CONNECT_DOMAIN_XML_TO_NATIVE: (context, { nativeFormat, domainXml, flags }) => {
			const core = coreContext(context);
			return after(hypervisor.domains.xmlToNative(nativeFormat, domainXml, flags, core), (nativeConfig) => ({
				nativeConfig,
			}));
		},
		CONNECT_DOMAIN_XML_FROM_NATIVE: (context, { nativeFormat, nativeConfig, flags }) => {
			const core = coreContext(context);
			return after(hypervisor.domains.xmlFromNative(nativeFormat, nativeConfig, flags, core), (domainXml) => ({
				domainXml,
			}));
		},
	};
}

function lifecycle(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	type Plain = "shutdown" | "reboot" | "reset" | "destroy" | "suspend" | "resume" | "start";
	const plain =
		(name: Plain) =>
		(context: ClientContext, { dom, flags = 0 }: { dom: ReturnType<typeof wireDomain>; flags?: number }) =>
			on(context, dom, name, flags, nothing);
	const start = (context: ClientContext, dom: ReturnType<typeof wireDomain>, flags: number) =>
		on(context, dom, "start", flags, (_, domain) => ({
			dom: wireDomain(domain),
		}));
	return {
		DOMAIN_CREATE: plain("start"),
		DOMAIN_CREATE_WITH_FLAGS: (context, { dom, flags }) => start(context, dom, flags),
		DOMAIN_SHUTDOWN: plain("shutdown"),
		DOMAIN_SHUTDOWN_FLAGS: plain("shutdown"),
		DOMAIN_REBOOT: plain("reboot"),
		DOMAIN_RESET: plain("reset"),
		DOMAIN_DESTROY: plain("destroy"),
		DOMAIN_DESTROY_FLAGS: plain("destroy"),
		DOMAIN_SUSPEND: plain("suspend"),
		DOMAIN_RESUME: plain("resume"),
		DOMAIN_PM_SUSPEND_FOR_DURATION: (context, { dom, target, duration, flags }) =>
			on(context, dom, "pmSuspend", flags, nothing, target, duration),
		DOMAIN_SET_LIFECYCLE_ACTION: (context, { dom, type, action, flags }) =>
			on(context, dom, "setLifecycleAction", flags, nothing, type, action),
		DOMAIN_PM_WAKEUP: (context, { dom, flags }) => on(context, dom, "pmWakeup", flags, nothing),
	};
}

function description(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	const bool = (value: boolean): number => (value ? 1 : 0);
	return {
		DOMAIN_GET_XML_DESC: (context, { dom, flags }) => on(context, dom, "xml", flags, (xml) => ({ xml })),
		DOMAIN_GET_STATE: (context, { dom, flags }) => on(context, dom, "state", flags, stateNumbers),
		DOMAIN_IS_ACTIVE: (_, { dom }) => ({
			active: bool(findDomain(hypervisor, dom).id >= 0),
		}),
		DOMAIN_IS_PERSISTENT: (context, { dom }) =>
			on(context, dom, "isPersistent", 0, (value) => ({
				persistent: bool(value),
			})),
		DOMAIN_IS_UPDATED: (context, { dom }) => on(context, dom, "isUpdated", 0, (value) => ({ updated: bool(value) })),
		DOMAIN_GET_OS_TYPE: (context, { dom }) => on(context, dom, "osType", 0, (type) => ({ type })),
		DOMAIN_GET_AUTOSTART: (context, { dom }) =>
			on(context, dom, "getAutostart", 0, (value) => ({
				autostart: bool(value),
			})),
		DOMAIN_SET_AUTOSTART: (context, { dom, autostart }) =>
			on(context, dom, "setAutostart", 0, nothing, autostart !== 0),
		DOMAIN_GET_AUTOSTART_ONCE: (context, { dom }) =>
			on(context, dom, "getAutostartOnce", 0, (value) => ({
				autostart: bool(value),
			})),
		DOMAIN_SET_AUTOSTART_ONCE: (context, { dom, autostart }) =>
			on(context, dom, "setAutostartOnce", 0, nothing, autostart !== 0),
		DOMAIN_GET_METADATA: (context, { dom, type, uri, flags }) =>
			on(context, dom, "getMetadata", flags, (metadata) => ({ metadata }), type, uri ?? undefined),
		DOMAIN_SET_METADATA: (context, { dom, type, metadata, key, uri, flags }) => {
			const change = {
				type,
				...(metadata === null ? {} : { value: metadata }),
				...(key === null ? {} : { key }),
				...(uri === null ? {} : { uri }),
			};
			return on(context, dom, "setMetadata", flags, nothing, change);
		},
	};
}
