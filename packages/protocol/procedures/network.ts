// Virtual networks.

import { array, optional } from "@virtkit/xdr/composite";
import { hyper, int, uint, uuid } from "@virtkit/xdr/primitive";
import { struct } from "@virtkit/xdr/struct";
import { FLAGS, ifFlags, unlessFlags } from "../access.ts";
import { LIMITS } from "../limits.ts";
import { call, event, none } from "../procedure.ts";
import { network } from "../types/object.ts";
import { optionalText, text } from "../types/text.ts";

/** One lease: expiry in seconds since the epoch, address type (virIPAddrType), and who holds it. */
const dhcpLease = struct({
	iface: text,
	expirytime: hyper,
	type: int,
	mac: optionalText,
	iaid: optionalText,
	ipaddr: text,
	prefix: uint,
	hostname: optionalText,
	clientid: optionalText,
});

export const networkProcedures = {
	CONNECT_LIST_DEFINED_NETWORKS: call(
		36,
		{ maxnames: int },
		{ names: array(text, LIMITS.NETWORK_LIST_MAX) },
		{ acl: ["connect:search_networks"], filter: "network:getattr", priority: "high" },
	),
	CONNECT_LIST_NETWORKS: call(
		38,
		{ maxnames: int },
		{ names: array(text, LIMITS.NETWORK_LIST_MAX) },
		{ acl: ["connect:search_networks"], filter: "network:getattr", priority: "high" },
	),
	NETWORK_CREATE: call(39, { net: network }, none, { acl: ["network:start"] }),
	NETWORK_CREATE_XML: call(40, { xml: text }, { net: network }, { acl: ["network:write", "network:start"] }),
	NETWORK_DEFINE_XML: call(
		41,
		{ xml: text },
		{ net: network },
		{ acl: ["network:write", "network:save"], priority: "high" },
	),
	NETWORK_DESTROY: call(42, { net: network }, none, { acl: ["network:stop"], priority: "high" }),
	NETWORK_GET_XML_DESC: call(
		43,
		{ net: network, flags: uint },
		{ xml: text },
		{ acl: ["network:read"], priority: "high" },
	),
	NETWORK_GET_AUTOSTART: call(44, { net: network }, { autostart: int }, { acl: ["network:read"], priority: "high" }),
	NETWORK_GET_BRIDGE_NAME: call(45, { net: network }, { name: text }, { acl: ["network:read"], priority: "high" }),
	NETWORK_LOOKUP_BY_NAME: call(46, { name: text }, { net: network }, { acl: ["network:getattr"], priority: "high" }),
	NETWORK_LOOKUP_BY_UUID: call(47, { uuid }, { net: network }, { acl: ["network:getattr"], priority: "high" }),
	NETWORK_SET_AUTOSTART: call(48, { net: network, autostart: int }, none, { acl: ["network:write"], priority: "high" }),
	NETWORK_UNDEFINE: call(49, { net: network }, none, { acl: ["network:delete"], priority: "high" }),
	CONNECT_NUM_OF_DEFINED_NETWORKS: call(
		50,
		none,
		{ num: int },
		{ acl: ["connect:search_networks"], filter: "network:getattr", priority: "high" },
	),
	CONNECT_NUM_OF_NETWORKS: call(
		52,
		none,
		{ num: int },
		{ acl: ["connect:search_networks"], filter: "network:getattr", priority: "high" },
	),
	NETWORK_IS_ACTIVE: call(152, { net: network }, { active: int }, { acl: ["network:read"], priority: "high" }),
	NETWORK_IS_PERSISTENT: call(153, { net: network }, { persistent: int }, { acl: ["network:read"], priority: "high" }),
	CONNECT_LIST_ALL_NETWORKS: call(
		283,
		{ needResults: int, flags: uint },
		{ nets: array(network, LIMITS.NETWORK_LIST_MAX), ret: uint },
		{ acl: ["connect:search_networks"], filter: "network:getattr", priority: "high" },
	),
	NETWORK_UPDATE: call(
		291,
		{ net: network, command: uint, section: uint, parentIndex: int, xml: text, flags: uint },
		none,
		{
			acl: [
				"network:write",
				unlessFlags("network:save", FLAGS.NETWORK_UPDATE_AFFECT_CONFIG | FLAGS.NETWORK_UPDATE_AFFECT_LIVE),
				ifFlags("network:save", FLAGS.NETWORK_UPDATE_AFFECT_CONFIG),
			],
			priority: "high",
		},
	),
	CONNECT_NETWORK_EVENT_REGISTER_ANY: call(
		313,
		{ eventID: int, net: optional(network) },
		{ callbackID: int },
		{ acl: ["connect:search_networks"], filter: "network:getattr", priority: "high" },
	),
	CONNECT_NETWORK_EVENT_DEREGISTER_ANY: call(314, { callbackID: int }, none, {
		acl: ["connect:read"],
		priority: "high",
	}),
	NETWORK_EVENT_LIFECYCLE: event(315, { callbackID: int, net: network, event: int, detail: int }),
	NETWORK_GET_DHCP_LEASES: call(
		341,
		{ net: network, mac: optionalText, needResults: int, flags: uint },
		{ leases: array(dhcpLease, LIMITS.NETWORK_DHCP_LEASES_MAX), ret: uint },
		{ acl: ["network:read"] },
	),
	NETWORK_DEFINE_XML_FLAGS: call(
		432,
		{ xml: text, flags: uint },
		{ net: network },
		{ acl: ["network:write", "network:save"], priority: "high" },
	),
	NETWORK_CREATE_XML_FLAGS: call(
		437,
		{ xml: text, flags: uint },
		{ net: network },
		{ acl: ["network:write", "network:start"], priority: "high" },
	),
	NETWORK_SET_METADATA: call(
		444,
		{ network, type: int, metadata: optionalText, key: optionalText, uri: optionalText, flags: uint },
		none,
		{
			acl: [
				"network:write",
				unlessFlags("network:save", FLAGS.NETWORK_UPDATE_AFFECT_CONFIG | FLAGS.NETWORK_UPDATE_AFFECT_LIVE),
				ifFlags("network:save", FLAGS.NETWORK_UPDATE_AFFECT_CONFIG),
			],
		},
	),
	NETWORK_GET_METADATA: call(
		445,
		{ network, type: int, uri: optionalText, flags: uint },
		{ metadata: text },
		{ acl: ["network:read"] },
	),
	NETWORK_EVENT_CALLBACK_METADATA_CHANGE: event(446, { callbackID: int, net: network, type: int, nsuri: optionalText }),
} as const;
