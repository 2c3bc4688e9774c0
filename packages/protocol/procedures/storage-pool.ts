// Storage pools.

import { array, optional } from "@virtkit/xdr/composite";
import { int, range, uhyper, uint, uuid } from "@virtkit/xdr/primitive";
import { LIMITS } from "../limits.ts";
import { call, event, none } from "../procedure.ts";
import { storagePool, storageVol } from "../types/object.ts";
import { optionalText, text } from "../types/text.ts";

export const storagePoolProcedures = {
	CONNECT_NUM_OF_STORAGE_POOLS: call(
		71,
		none,
		{ num: int },
		{ acl: ["connect:search_storage_pools"], filter: "storage_pool:getattr", priority: "high" },
	),
	CONNECT_LIST_STORAGE_POOLS: call(
		72,
		{ maxnames: int },
		{ names: array(text, LIMITS.STORAGE_POOL_LIST_MAX) },
		{ acl: ["connect:search_storage_pools"], filter: "storage_pool:getattr", priority: "high" },
	),
	CONNECT_NUM_OF_DEFINED_STORAGE_POOLS: call(
		73,
		none,
		{ num: int },
		{ acl: ["connect:search_storage_pools"], filter: "storage_pool:getattr", priority: "high" },
	),
	CONNECT_LIST_DEFINED_STORAGE_POOLS: call(
		74,
		{ maxnames: int },
		{ names: array(text, LIMITS.STORAGE_POOL_LIST_MAX) },
		{ acl: ["connect:search_storage_pools"], filter: "storage_pool:getattr", priority: "high" },
	),
	CONNECT_FIND_STORAGE_POOL_SOURCES: call(
		75,
		{ type: text, srcSpec: optionalText, flags: uint },
		{ xml: text },
		{ acl: ["connect:detect_storage_pools"] },
	),
	STORAGE_POOL_CREATE_XML: call(
		76,
		{ xml: text, flags: uint },
		{ pool: storagePool },
		{ acl: ["storage_pool:start", "storage_pool:write"] },
	),
	STORAGE_POOL_DEFINE_XML: call(
		77,
		{ xml: text, flags: uint },
		{ pool: storagePool },
		{ acl: ["storage_pool:write", "storage_pool:save"], priority: "high" },
	),
	STORAGE_POOL_CREATE: call(78, { pool: storagePool, flags: uint }, none, { acl: ["storage_pool:start"] }),
	STORAGE_POOL_BUILD: call(79, { pool: storagePool, flags: uint }, none, { acl: ["storage_pool:format"] }),
	STORAGE_POOL_DESTROY: call(80, { pool: storagePool }, none, { acl: ["storage_pool:stop"], priority: "high" }),
	STORAGE_POOL_DELETE: call(81, { pool: storagePool, flags: uint }, none, { acl: ["storage_pool:format"] }),
	STORAGE_POOL_UNDEFINE: call(82, { pool: storagePool }, none, { acl: ["storage_pool:delete"], priority: "high" }),
	STORAGE_POOL_REFRESH: call(83, { pool: storagePool, flags: uint }, none, { acl: ["storage_pool:refresh"] }),
	STORAGE_POOL_LOOKUP_BY_NAME: call(
		84,
		{ name: text },
		{ pool: storagePool },
		{ acl: ["storage_pool:getattr"], priority: "high" },
	),
	STORAGE_POOL_LOOKUP_BY_UUID: call(
		85,
		{ uuid },
		{ pool: storagePool },
		{ acl: ["storage_pool:getattr"], priority: "high" },
	),
	STORAGE_POOL_LOOKUP_BY_VOLUME: call(
		86,
		{ vol: storageVol },
		{ pool: storagePool },
		{ acl: ["storage_pool:getattr"], priority: "high" },
	),
	STORAGE_POOL_GET_INFO: call(
		87,
		{ pool: storagePool },
		{ state: range(0, 255), capacity: uhyper, allocation: uhyper, available: uhyper },
		{ acl: ["storage_pool:read"], priority: "high" },
	),
	STORAGE_POOL_GET_XML_DESC: call(
		88,
		{ pool: storagePool, flags: uint },
		{ xml: text },
		{ acl: ["storage_pool:read"], priority: "high" },
	),
	STORAGE_POOL_GET_AUTOSTART: call(
		89,
		{ pool: storagePool },
		{ autostart: int },
		{ acl: ["storage_pool:read"], priority: "high" },
	),
	STORAGE_POOL_SET_AUTOSTART: call(90, { pool: storagePool, autostart: int }, none, {
		acl: ["storage_pool:write"],
		priority: "high",
	}),
	STORAGE_POOL_NUM_OF_VOLUMES: call(
		91,
		{ pool: storagePool },
		{ num: int },
		{ acl: ["storage_pool:search_storage_vols"], filter: "storage_vol:getattr", priority: "high" },
	),
	STORAGE_POOL_LIST_VOLUMES: call(
		92,
		{ pool: storagePool, maxnames: int },
		{ names: array(text, LIMITS.STORAGE_VOL_LIST_MAX) },
		{ acl: ["storage_pool:search_storage_vols"], filter: "storage_vol:getattr", priority: "high" },
	),
	STORAGE_POOL_IS_ACTIVE: call(
		154,
		{ pool: storagePool },
		{ active: int },
		{ acl: ["storage_pool:read"], priority: "high" },
	),
	STORAGE_POOL_IS_PERSISTENT: call(
		155,
		{ pool: storagePool },
		{ persistent: int },
		{ acl: ["storage_pool:read"], priority: "high" },
	),
	CONNECT_LIST_ALL_STORAGE_POOLS: call(
		281,
		{ needResults: int, flags: uint },
		{ pools: array(storagePool, LIMITS.STORAGE_POOL_LIST_MAX), ret: uint },
		{ acl: ["connect:search_storage_pools"], filter: "storage_pool:getattr", priority: "high" },
	),
	STORAGE_POOL_LIST_ALL_VOLUMES: call(
		282,
		{ pool: storagePool, needResults: int, flags: uint },
		{ vols: array(storageVol, LIMITS.STORAGE_VOL_LIST_MAX), ret: uint },
		{ acl: ["storage_pool:search_storage_vols"], filter: "storage_vol:getattr", priority: "high" },
	),
	CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY: call(
		368,
		{ eventID: int, pool: optional(storagePool) },
		{ callbackID: int },
		{ acl: ["connect:search_storage_pools"], filter: "storage_pool:getattr", priority: "high" },
	),
	CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY: call(369, { callbackID: int }, none, {
		acl: ["connect:read"],
		priority: "high",
	}),
	STORAGE_POOL_EVENT_LIFECYCLE: event(370, { callbackID: int, pool: storagePool, event: int, detail: int }),
	STORAGE_POOL_EVENT_REFRESH: event(373, { callbackID: int, pool: storagePool }),
	STORAGE_POOL_LOOKUP_BY_TARGET_PATH: call(
		391,
		{ path: text },
		{ pool: storagePool },
		{ acl: ["storage_pool:getattr"], priority: "high" },
	),
	CONNECT_GET_STORAGE_POOL_CAPABILITIES: call(403, { flags: uint }, { capabilities: text }, { acl: ["connect:read"] }),
} as const;
