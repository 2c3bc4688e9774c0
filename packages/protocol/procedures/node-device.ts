// The devices of the host.

import { array, optional } from "@virtkit/xdr/composite";
import { int, uint } from "@virtkit/xdr/primitive";
import { FLAGS, ifFlags, unlessFlags } from "../access.ts";
import { LIMITS } from "../limits.ts";
import { call, event, none } from "../procedure.ts";
import { nodeDevice } from "../types/object.ts";
import { optionalText, text } from "../types/text.ts";

export const nodeDeviceProcedures = {
	NODE_NUM_OF_DEVICES: call(
		111,
		{ cap: optionalText, flags: uint },
		{ num: int },
		{ acl: ["connect:search_node_devices"], filter: "node_device:getattr", priority: "high" },
	),
	NODE_LIST_DEVICES: call(
		112,
		{ cap: optionalText, maxnames: int, flags: uint },
		{ names: array(text, LIMITS.NODE_DEVICE_LIST_MAX) },
		{ acl: ["connect:search_node_devices"], filter: "node_device:getattr", priority: "high" },
	),
	NODE_DEVICE_LOOKUP_BY_NAME: call(
		113,
		{ name: text },
		{ dev: nodeDevice },
		{ acl: ["node_device:getattr"], priority: "high" },
	),
	NODE_DEVICE_GET_XML_DESC: call(114, { name: text, flags: uint }, { xml: text }, { acl: ["node_device:read"] }),
	NODE_DEVICE_GET_PARENT: call(
		115,
		{ name: text },
		{ parentName: optionalText },
		{ acl: ["node_device:read"], priority: "high" },
	),
	NODE_DEVICE_NUM_OF_CAPS: call(116, { name: text }, { num: int }, { acl: ["node_device:read"], priority: "high" }),
	NODE_DEVICE_LIST_CAPS: call(
		117,
		{ name: text, maxnames: int },
		{ names: array(text, LIMITS.NODE_DEVICE_CAPS_LIST_MAX) },
		{ acl: ["node_device:read"], priority: "high" },
	),
	NODE_DEVICE_DETTACH: call(118, { name: text }, none, { acl: ["node_device:detach"] }),
	NODE_DEVICE_RE_ATTACH: call(119, { name: text }, none, { acl: ["node_device:detach"] }),
	NODE_DEVICE_RESET: call(120, { name: text }, none, { acl: ["node_device:detach"] }),
	NODE_DEVICE_CREATE_XML: call(
		123,
		{ xmlDesc: text, flags: uint },
		{ dev: nodeDevice },
		{ acl: ["node_device:write", "node_device:start"] },
	),
	NODE_DEVICE_DESTROY: call(124, { name: text }, none, { acl: ["node_device:stop"], priority: "high" }),
	CONNECT_LIST_ALL_NODE_DEVICES: call(
		285,
		{ needResults: int, flags: uint },
		{ devices: array(nodeDevice, LIMITS.NODE_DEVICE_LIST_MAX), ret: uint },
		{ acl: ["connect:search_node_devices"], filter: "node_device:getattr", priority: "high" },
	),
	NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN: call(
		297,
		{ wwnn: text, wwpn: text, flags: uint },
		{ dev: nodeDevice },
		{ acl: ["node_device:getattr"], priority: "high" },
	),
	NODE_DEVICE_DETACH_FLAGS: call(301, { name: text, driverName: optionalText, flags: uint }, none, {
		acl: ["node_device:detach"],
	}),
	CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY: call(
		374,
		{ eventID: int, dev: optional(nodeDevice) },
		{ callbackID: int },
		{ acl: ["connect:search_node_devices"], filter: "node_device:getattr", priority: "high" },
	),
	CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY: call(375, { callbackID: int }, none, {
		acl: ["connect:read"],
		priority: "high",
	}),
	NODE_DEVICE_EVENT_LIFECYCLE: event(376, { callbackID: int, dev: nodeDevice, event: int, detail: int }),
	NODE_DEVICE_EVENT_UPDATE: event(377, { callbackID: int, dev: nodeDevice }),
	NODE_DEVICE_DEFINE_XML: call(
		428,
		{ xmlDesc: text, flags: uint },
		{ dev: nodeDevice },
		{ acl: ["node_device:write"] },
	),
	NODE_DEVICE_UNDEFINE: call(429, { name: text, flags: uint }, none, { acl: ["node_device:delete"], priority: "high" }),
	NODE_DEVICE_CREATE: call(430, { name: text, flags: uint }, none, { acl: ["node_device:start"], priority: "high" }),
	NODE_DEVICE_GET_AUTOSTART: call(
		433,
		{ name: text },
		{ autostart: int },
		{ acl: ["node_device:read"], priority: "high" },
	),
	NODE_DEVICE_SET_AUTOSTART: call(434, { name: text, autostart: int }, none, {
		acl: ["node_device:write"],
		priority: "high",
	}),
	NODE_DEVICE_IS_PERSISTENT: call(
		435,
		{ name: text },
		{ persistent: int },
		{ acl: ["node_device:read"], priority: "high" },
	),
	NODE_DEVICE_IS_ACTIVE: call(436, { name: text }, { active: int }, { acl: ["node_device:read"], priority: "high" }),
	NODE_DEVICE_UPDATE: call(447, { name: text, xmlDesc: text, flags: uint }, none, {
		acl: [
			"node_device:write",
			unlessFlags("node_device:save", FLAGS.NODE_DEVICE_UPDATE_AFFECT_CONFIG | FLAGS.NODE_DEVICE_UPDATE_AFFECT_LIVE),
			ifFlags("node_device:save", FLAGS.NODE_DEVICE_UPDATE_AFFECT_CONFIG),
		],
		priority: "high",
	}),
} as const;
