// Flags of the calls that are no operation of a domain: which each takes, checked before its handler is asked.

import { checkFlags } from "@virtkit/core/invoke";
import { apiName } from "@virtkit/protocol/api-name";
import type { CallName } from "@virtkit/protocol/procedure-types";
import type { Handlers } from "../handler.ts";

/** VIR_TYPED_PARAM_STRING_OKAY */
const STRINGS = 4;

/** What libvirt's QEMU driver takes; calls that are not here check their flags themselves. */
const TAKEN: Partial<Record<CallName, number>> = {
	CONNECT_DOMAIN_XML_FROM_NATIVE: 0,
	CONNECT_DOMAIN_XML_TO_NATIVE: 0,
	CONNECT_GET_CPU_MODEL_NAMES: 0,
	CONNECT_GET_DOMAIN_CAPABILITIES: 0,
	CONNECT_GET_SYSINFO: 0,
	NODE_GET_CPU_MAP: 0,
	NODE_GET_CPU_STATS: 0,
	NODE_GET_FREE_PAGES: 0,
	NODE_GET_MEMORY_PARAMETERS: STRINGS,
	NODE_GET_MEMORY_STATS: 0,
	NODE_SET_MEMORY_PARAMETERS: 0,
};

type AnyHandler = (context: unknown, args: { readonly flags: number }) => unknown;

/** The handlers, those of the table behind a check of their flags. */
export function withFlagChecks(handlers: Handlers): Handlers {
	const checked: Record<string, AnyHandler> = {};
	for (const [name, taken] of Object.entries(TAKEN)) {
		// The table's names are those of calls whose arguments have flags.
		const handler = handlers[name as CallName] as AnyHandler | undefined;
		if (handler === undefined) continue;
		const api = apiName("remote", name);
		checked[name] = (context, args) => {
			checkFlags(api, args.flags, taken);
			return handler(context, args);
		};
	}
	return { ...handlers, ...(checked as Handlers) };
}
