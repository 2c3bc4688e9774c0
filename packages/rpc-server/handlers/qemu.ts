// The QEMU program: the monitor as it is, its events, and the guest agent.

import { VirtError } from "@virtkit/base/errors";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import type { Handlers } from "../handler.ts";
import { findDomain, onDomain } from "./domain-call.ts";
import { eventsOf } from "./domain-event.ts";

/** VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX 1, _NOCASE 2 */
const MATCH_REGEX = 1;
const MATCH_NOCASE = 2;

/** Whether an event of the monitor is one that was asked for. */
function matcher(pattern: string | null, flags: number): (event: string) => boolean {
	if (pattern === null) return () => true;
	if (!(flags & MATCH_REGEX)) {
		const wanted = flags & MATCH_NOCASE ? pattern.toLowerCase() : pattern;
		return (event) => (flags & MATCH_NOCASE ? event.toLowerCase() : event) === wanted;
	}
	try {
		const expression = new RegExp(pattern, flags & MATCH_NOCASE ? "i" : "");
		return (event) => expression.test(event);
	} catch (cause) {
		throw new VirtError("INVALID_ARG", `failed to compile regex '${pattern}'`, { cause });
	}
}

export function qemuHandlers(hypervisor: Hypervisor): Handlers<"qemu"> {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_MONITOR_COMMAND: (context, { dom, cmd, flags }) =>
			on(context, dom, "monitorCommand", flags, (result) => ({ result }), cmd, []),
		DOMAIN_MONITOR_COMMAND_WITH_FILES: (context, { dom, cmd, flags }) =>
			on(context, dom, "monitorCommand", flags, (result) => ({ result }), cmd, context.descriptors),
		DOMAIN_AGENT_COMMAND: (context, { dom, cmd, timeout, flags }) =>
			on(context, dom, "agentCommand", flags, (result) => ({ result }), cmd, timeout),
		CONNECT_DOMAIN_MONITOR_EVENT_REGISTER: ({ client }, { dom, event: pattern, flags }) => {
			const matches = matcher(pattern, flags);
			const uuid = dom === null ? undefined : findDomain(hypervisor, dom).uuid;
			const callbackID = eventsOf(hypervisor, client).add((number) => ({
				kind: "qemu-monitor",
				uuid,
				send: (heard) => {
					if (heard.kind !== "qemu-monitor" || !matches(heard.event)) return;
					const { domain, event, seconds, micros, details } = heard;
					const { name, uuid: id, id: instance } = domain;
					client.sendEvent(
						"DOMAIN_MONITOR_EVENT",
						{
							callbackID: number,
							dom: { name, uuid: id, id: instance },
							event,
							seconds,
							micros,
							details: details ?? null,
						},
						"qemu",
					);
				},
			}));
			return { callbackID };
		},
		CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER: ({ client }, { callbackID }) =>
			eventsOf(hypervisor, client).remove(callbackID),
	};
}
