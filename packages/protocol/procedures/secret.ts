// Secrets: values that storage and TPMs are unlocked with.

import { array, optional } from "@virtkit/xdr/composite";
import { int, opaque, uint, uuid } from "@virtkit/xdr/primitive";
import { LIMITS } from "../limits.ts";
import { call, event, none } from "../procedure.ts";
import { secret } from "../types/object.ts";
import { text } from "../types/text.ts";

export const secretProcedures = {
	CONNECT_NUM_OF_SECRETS: call(
		139,
		none,
		{ num: int },
		{ acl: ["connect:search_secrets"], filter: "secret:getattr", priority: "high" },
	),
	CONNECT_LIST_SECRETS: call(
		140,
		{ maxuuids: int },
		{ uuids: array(text, LIMITS.SECRET_LIST_MAX) },
		{ acl: ["connect:search_secrets"], filter: "secret:getattr", priority: "high" },
	),
	SECRET_LOOKUP_BY_UUID: call(141, { uuid }, { secret }, { acl: ["secret:getattr"], priority: "high" }),
	SECRET_DEFINE_XML: call(
		142,
		{ xml: text, flags: uint },
		{ secret },
		{ acl: ["secret:write", "secret:save"], priority: "high" },
	),
	SECRET_GET_XML_DESC: call(143, { secret, flags: uint }, { xml: text }, { acl: ["secret:read"], priority: "high" }),
	SECRET_SET_VALUE: call(144, { secret, value: opaque(LIMITS.SECRET_VALUE_MAX), flags: uint }, none, {
		acl: ["secret:write"],
		priority: "high",
	}),
	SECRET_GET_VALUE: call(
		145,
		{ secret, flags: uint },
		{ value: opaque(LIMITS.SECRET_VALUE_MAX) },
		{ acl: ["secret:read_secure"], priority: "high" },
	),
	SECRET_UNDEFINE: call(146, { secret }, none, { acl: ["secret:delete"], priority: "high" }),
	SECRET_LOOKUP_BY_USAGE: call(
		147,
		{ usageType: int, usageID: text },
		{ secret },
		{ acl: ["secret:getattr"], priority: "high" },
	),
	CONNECT_LIST_ALL_SECRETS: call(
		287,
		{ needResults: int, flags: uint },
		{ secrets: array(secret, LIMITS.SECRET_LIST_MAX), ret: uint },
		{ acl: ["connect:search_secrets"], filter: "secret:getattr", priority: "high" },
	),
	CONNECT_SECRET_EVENT_REGISTER_ANY: call(
		380,
		{ eventID: int, secret: optional(secret) },
		{ callbackID: int },
		{ acl: ["connect:search_secrets"], filter: "secret:getattr", priority: "high" },
	),
	CONNECT_SECRET_EVENT_DEREGISTER_ANY: call(381, { callbackID: int }, none, {
		acl: ["connect:read"],
		priority: "high",
	}),
	SECRET_EVENT_LIFECYCLE: event(382, { callbackID: int, secret, event: int, detail: int }),
	SECRET_EVENT_VALUE_CHANGED: event(383, { callbackID: int, secret }),
} as const;
