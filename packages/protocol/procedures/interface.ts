// The network interfaces of the host.

import { array } from "@virtkit/xdr/composite";
import { int, uint } from "@virtkit/xdr/primitive";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { hostInterface } from "../types/object.ts";
import { text } from "../types/text.ts";

export const interfaceProcedures = {
	CONNECT_NUM_OF_INTERFACES: call(
		126,
		none,
		{ num: int },
		{ acl: ["connect:search_interfaces"], filter: "interface:getattr", priority: "high" },
	),
	CONNECT_LIST_INTERFACES: call(
		127,
		{ maxnames: int },
		{ names: array(text, LIMITS.INTERFACE_LIST_MAX) },
		{ acl: ["connect:search_interfaces"], filter: "interface:getattr", priority: "high" },
	),
	INTERFACE_LOOKUP_BY_NAME: call(
		128,
		{ name: text },
		{ iface: hostInterface },
		{ acl: ["interface:getattr"], priority: "high" },
	),
	INTERFACE_LOOKUP_BY_MAC_STRING: call(
		129,
		{ mac: text },
		{ iface: hostInterface },
		{ acl: ["interface:getattr"], priority: "high" },
	),
	INTERFACE_GET_XML_DESC: call(130, { iface: hostInterface, flags: uint }, { xml: text }, { acl: ["interface:read"] }),
	INTERFACE_DEFINE_XML: call(
		131,
		{ xml: text, flags: uint },
		{ iface: hostInterface },
		{ acl: ["interface:write", "interface:save"], priority: "high" },
	),
	INTERFACE_UNDEFINE: call(132, { iface: hostInterface }, none, { acl: ["interface:delete"], priority: "high" }),
	INTERFACE_CREATE: call(133, { iface: hostInterface, flags: uint }, none, { acl: ["interface:start"] }),
	INTERFACE_DESTROY: call(134, { iface: hostInterface, flags: uint }, none, {
		acl: ["interface:stop"],
		priority: "high",
	}),
	CONNECT_NUM_OF_DEFINED_INTERFACES: call(
		137,
		none,
		{ num: int },
		{ acl: ["connect:search_interfaces"], filter: "interface:getattr", priority: "high" },
	),
	CONNECT_LIST_DEFINED_INTERFACES: call(
		138,
		{ maxnames: int },
		{ names: array(text, LIMITS.INTERFACE_LIST_MAX) },
		{ acl: ["connect:search_interfaces"], filter: "interface:getattr", priority: "high" },
	),
	INTERFACE_IS_ACTIVE: call(
		156,
		{ iface: hostInterface },
		{ active: int },
		{ acl: ["interface:read"], priority: "high" },
	),
	INTERFACE_CHANGE_BEGIN: call(220, { flags: uint }, none, { acl: ["connect:interface_transaction"] }),
	INTERFACE_CHANGE_COMMIT: call(221, { flags: uint }, none, { acl: ["connect:interface_transaction"] }),
	INTERFACE_CHANGE_ROLLBACK: call(222, { flags: uint }, none, { acl: ["connect:interface_transaction"] }),
	CONNECT_LIST_ALL_INTERFACES: call(
		284,
		{ needResults: int, flags: uint },
		{ ifaces: array(hostInterface, LIMITS.INTERFACE_LIST_MAX), ret: uint },
		{ acl: ["connect:search_interfaces"], filter: "interface:getattr", priority: "high" },
	),
} as const;
