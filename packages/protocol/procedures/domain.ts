// Domains: finding, defining, starting and stopping them, and their descriptions.

import { array } from "@virtkit/xdr/composite";
import { int, range, uhyper, uint, uuid } from "@virtkit/xdr/primitive";
import { DOMAIN_CHANGE, FLAGS, ifFlags } from "../access.ts";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { domain } from "../types/object.ts";
import { optionalText, text } from "../types/text.ts";

export const domainProcedures = {
	DOMAIN_CREATE: call(9, { dom: domain }, none, { acl: ["domain:start"] }),
	DOMAIN_CREATE_XML: call(
		10,
		{ xmlDesc: text, flags: uint },
		{ dom: domain },
		{ acl: ["domain:write", "domain:start"] },
	),
	DOMAIN_DEFINE_XML: call(
		11,
		{ xml: text },
		{ dom: domain },
		{ acl: ["domain:write", "domain:save"], priority: "high" },
	),
	DOMAIN_DESTROY: call(12, { dom: domain }, none, { acl: ["domain:stop"], priority: "high" }),
	DOMAIN_GET_XML_DESC: call(
		14,
		{ dom: domain, flags: uint },
		{ xml: text },
		{
			acl: [
				"domain:read",
				ifFlags("domain:read_secure", FLAGS.DOMAIN_XML_SECURE),
				ifFlags("domain:read_secure", FLAGS.DOMAIN_XML_MIGRATABLE),
			],
		},
	),
	DOMAIN_GET_AUTOSTART: call(15, { dom: domain }, { autostart: int }, { acl: ["domain:read"], priority: "high" }),
	DOMAIN_GET_INFO: call(
		16,
		{ dom: domain },
		{ state: range(0, 255), maxMem: uhyper, memory: uhyper, nrVirtCpu: range(0, 65535), cpuTime: uhyper },
		{ acl: ["domain:read"] },
	),
	DOMAIN_GET_OS_TYPE: call(19, { dom: domain }, { type: text }, { acl: ["domain:read"], priority: "high" }),
	CONNECT_LIST_DEFINED_DOMAINS: call(
		21,
		{ maxnames: int },
		{ names: array(text, LIMITS.DOMAIN_LIST_MAX) },
		{ acl: ["connect:search_domains"], filter: "domain:getattr", priority: "high" },
	),
	DOMAIN_LOOKUP_BY_ID: call(22, { id: int }, { dom: domain }, { acl: ["domain:getattr"], priority: "high" }),
	DOMAIN_LOOKUP_BY_NAME: call(23, { name: text }, { dom: domain }, { acl: ["domain:getattr"], priority: "high" }),
	DOMAIN_LOOKUP_BY_UUID: call(24, { uuid }, { dom: domain }, { acl: ["domain:getattr"], priority: "high" }),
	CONNECT_NUM_OF_DEFINED_DOMAINS: call(
		25,
		none,
		{ num: int },
		{ acl: ["connect:search_domains"], filter: "domain:getattr", priority: "high" },
	),
	DOMAIN_REBOOT: call(27, { dom: domain, flags: uint }, none, {
		acl: ["domain:init_control", ifFlags("domain:write", FLAGS.DOMAIN_REBOOT_GUEST_AGENT)],
	}),
	DOMAIN_RESUME: call(28, { dom: domain }, none, { acl: ["domain:suspend"] }),
	DOMAIN_SET_AUTOSTART: call(29, { dom: domain, autostart: int }, none, { acl: ["domain:write"], priority: "high" }),
	DOMAIN_SHUTDOWN: call(33, { dom: domain }, none, { acl: ["domain:init_control"] }),
	DOMAIN_SUSPEND: call(34, { dom: domain }, none, { acl: ["domain:suspend"] }),
	DOMAIN_UNDEFINE: call(35, { dom: domain }, none, { acl: ["domain:delete"], priority: "high" }),
	CONNECT_LIST_DOMAINS: call(
		37,
		{ maxids: int },
		{ ids: array(int, LIMITS.DOMAIN_LIST_MAX) },
		{ acl: ["connect:search_domains"], filter: "domain:getattr", priority: "high" },
	),
	CONNECT_NUM_OF_DOMAINS: call(
		51,
		none,
		{ num: int },
		{ acl: ["connect:search_domains"], filter: "domain:getattr", priority: "high" },
	),
	CONNECT_DOMAIN_XML_FROM_NATIVE: call(
		135,
		{ nativeFormat: text, nativeConfig: text, flags: uint },
		{ domainXml: text },
		{ acl: ["connect:write"] },
	),
	CONNECT_DOMAIN_XML_TO_NATIVE: call(
		136,
		{ nativeFormat: text, domainXml: text, flags: uint },
		{ nativeConfig: text },
		{ acl: ["connect:write"] },
	),
	DOMAIN_IS_ACTIVE: call(150, { dom: domain }, { active: int }, { acl: ["domain:read"], priority: "high" }),
	DOMAIN_IS_PERSISTENT: call(151, { dom: domain }, { persistent: int }, { acl: ["domain:read"], priority: "high" }),
	DOMAIN_CREATE_WITH_FLAGS: call(196, { dom: domain, flags: uint }, { dom: domain }, { acl: ["domain:start"] }),
	DOMAIN_IS_UPDATED: call(202, { dom: domain }, { updated: int }, { acl: ["domain:read"], priority: "high" }),
	DOMAIN_GET_STATE: call(
		212,
		{ dom: domain, flags: uint },
		{ state: int, reason: int },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_UNDEFINE_FLAGS: call(231, { dom: domain, flags: uint }, none, { acl: ["domain:delete"], priority: "high" }),
	DOMAIN_DESTROY_FLAGS: call(234, { dom: domain, flags: uint }, none, { acl: ["domain:stop"], priority: "high" }),
	DOMAIN_RESET: call(245, { dom: domain, flags: uint }, none, { acl: ["domain:reset"] }),
	DOMAIN_SHUTDOWN_FLAGS: call(258, { dom: domain, flags: uint }, none, {
		acl: ["domain:init_control", ifFlags("domain:write", FLAGS.DOMAIN_SHUTDOWN_GUEST_AGENT)],
	}),
	DOMAIN_SET_METADATA: call(
		264,
		{ dom: domain, type: int, metadata: optionalText, key: optionalText, uri: optionalText, flags: uint },
		none,
		{ acl: DOMAIN_CHANGE },
	),
	DOMAIN_GET_METADATA: call(
		265,
		{ dom: domain, type: int, uri: optionalText, flags: uint },
		{ metadata: text },
		{ acl: ["domain:read"] },
	),
	CONNECT_LIST_ALL_DOMAINS: call(
		273,
		{ needResults: int, flags: uint },
		{ domains: array(domain, LIMITS.DOMAIN_LIST_MAX), ret: uint },
		{ acl: ["connect:search_domains"], filter: "domain:getattr", priority: "high" },
	),
	DOMAIN_CREATE_XML_WITH_FILES: call(
		309,
		{ xmlDesc: text, flags: uint },
		{ dom: domain },
		{ acl: ["domain:write", "domain:start"] },
	),
	DOMAIN_CREATE_WITH_FILES: call(310, { dom: domain, flags: uint }, { dom: domain }, { acl: ["domain:start"] }),
	DOMAIN_DEFINE_XML_FLAGS: call(
		350,
		{ xml: text, flags: uint },
		{ dom: domain },
		{ acl: ["domain:write", "domain:save"], priority: "high" },
	),
	DOMAIN_RENAME: call(
		358,
		{ dom: domain, newName: optionalText, flags: uint },
		{ retcode: int },
		{ acl: ["domain:write", "domain:save"] },
	),
	DOMAIN_SET_LIFECYCLE_ACTION: call(390, { dom: domain, type: uint, action: uint, flags: uint }, none, {
		acl: ["domain:write"],
	}),
	DOMAIN_GET_MESSAGES: call(
		426,
		{ dom: domain, flags: uint },
		{ msgs: array(text, LIMITS.DOMAIN_MESSAGES_MAX) },
		{ acl: ["domain:read"] },
	),
	DOMAIN_GET_AUTOSTART_ONCE: call(449, { dom: domain }, { autostart: int }, { acl: ["domain:read"], priority: "high" }),
	DOMAIN_SET_AUTOSTART_ONCE: call(450, { dom: domain, autostart: int }, none, {
		acl: ["domain:write"],
		priority: "high",
	}),
} as const;
