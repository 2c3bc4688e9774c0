// The QEMU program: the monitor, raw, and its events.

import { optional } from "@virtkit/xdr/composite";
import { hyper, int, uint } from "@virtkit/xdr/primitive";
import { call, event, none } from "../procedure.ts";
import { domain } from "../types/object.ts";
import { optionalText, text } from "../types/text.ts";

export const qemuProcedures = {
	DOMAIN_MONITOR_COMMAND: call(1, { dom: domain, cmd: text, flags: uint }, { result: text }, { acl: ["domain:write"] }),
	DOMAIN_ATTACH: call(2, { pidValue: uint, flags: uint }, { dom: domain }, { acl: ["domain:start", "domain:write"] }),
	DOMAIN_AGENT_COMMAND: call(
		3,
		{ dom: domain, cmd: text, timeout: int, flags: uint },
		{ result: optionalText },
		{ acl: ["domain:write"] },
	),
	CONNECT_DOMAIN_MONITOR_EVENT_REGISTER: call(
		4,
		{ dom: optional(domain), event: optionalText, flags: uint },
		{ callbackID: int },
		{ acl: ["connect:search_domains", "connect:write"], filter: "domain:getattr", priority: "high" },
	),
	CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER: call(5, { callbackID: int }, none, {
		acl: ["connect:write"],
		priority: "high",
	}),
	DOMAIN_MONITOR_EVENT: event(6, {
		callbackID: int,
		dom: domain,
		event: text,
		seconds: hyper,
		micros: uint,
		details: optionalText,
	}),
	DOMAIN_MONITOR_COMMAND_WITH_FILES: call(
		7,
		{ dom: domain, cmd: text, flags: uint },
		{ result: text },
		{ acl: ["domain:write"] },
	),
} as const;
