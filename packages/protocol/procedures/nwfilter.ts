// Network filters and their bindings to ports.

import { array } from "@virtkit/xdr/composite";
import { int, uint, uuid } from "@virtkit/xdr/primitive";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { nwfilter, nwfilterBinding } from "../types/object.ts";
import { text } from "../types/text.ts";

export const nwfilterProcedures = {
	NWFILTER_LOOKUP_BY_NAME: call(175, { name: text }, { nwfilter }, { acl: ["nwfilter:getattr"], priority: "high" }),
	NWFILTER_LOOKUP_BY_UUID: call(176, { uuid }, { nwfilter }, { acl: ["nwfilter:getattr"], priority: "high" }),
	NWFILTER_GET_XML_DESC: call(
		177,
		{ nwfilter, flags: uint },
		{ xml: text },
		{ acl: ["nwfilter:read"], priority: "high" },
	),
	CONNECT_NUM_OF_NWFILTERS: call(
		178,
		none,
		{ num: int },
		{ acl: ["connect:search_nwfilters"], filter: "nwfilter:getattr", priority: "high" },
	),
	CONNECT_LIST_NWFILTERS: call(
		179,
		{ maxnames: int },
		{ names: array(text, LIMITS.NWFILTER_LIST_MAX) },
		{ acl: ["connect:search_nwfilters"], filter: "nwfilter:getattr", priority: "high" },
	),
	NWFILTER_DEFINE_XML: call(
		180,
		{ xml: text },
		{ nwfilter },
		{ acl: ["nwfilter:write", "nwfilter:save"], priority: "high" },
	),
	NWFILTER_UNDEFINE: call(181, { nwfilter }, none, { acl: ["nwfilter:delete"], priority: "high" }),
	CONNECT_LIST_ALL_NWFILTERS: call(
		286,
		{ needResults: int, flags: uint },
		{ filters: array(nwfilter, LIMITS.NWFILTER_LIST_MAX), ret: uint },
		{ acl: ["connect:search_nwfilters"], filter: "nwfilter:getattr", priority: "high" },
	),
	NWFILTER_BINDING_LOOKUP_BY_PORT_DEV: call(
		397,
		{ name: text },
		{ nwfilter: nwfilterBinding },
		{ acl: ["nwfilter_binding:getattr"], priority: "high" },
	),
	NWFILTER_BINDING_GET_XML_DESC: call(
		398,
		{ nwfilter: nwfilterBinding, flags: uint },
		{ xml: text },
		{ acl: ["nwfilter_binding:read"], priority: "high" },
	),
	NWFILTER_BINDING_CREATE_XML: call(
		399,
		{ xml: text, flags: uint },
		{ nwfilter: nwfilterBinding },
		{ acl: ["nwfilter_binding:create"], priority: "high" },
	),
	NWFILTER_BINDING_DELETE: call(400, { nwfilter: nwfilterBinding }, none, {
		acl: ["nwfilter_binding:delete"],
		priority: "high",
	}),
	CONNECT_LIST_ALL_NWFILTER_BINDINGS: call(
		401,
		{ needResults: int, flags: uint },
		{ bindings: array(nwfilterBinding, LIMITS.NWFILTER_BINDING_LIST_MAX), ret: uint },
		{ acl: ["connect:search_nwfilter_bindings"], filter: "nwfilter_binding:getattr", priority: "high" },
	),
	NWFILTER_DEFINE_XML_FLAGS: call(
		431,
		{ xml: text, flags: uint },
		{ nwfilter },
		{ acl: ["nwfilter:write", "nwfilter:save"], priority: "high" },
	),
} as const;
