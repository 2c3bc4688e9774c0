// Storage volumes.

import { range, uhyper, uint } from "@virtkit/xdr/primitive";
import { call, none } from "../procedure.ts";
import { storagePool, storageVol } from "../types/object.ts";
import { text } from "../types/text.ts";

export const storageVolProcedures = {
	STORAGE_VOL_CREATE_XML: call(
		93,
		{ pool: storagePool, xml: text, flags: uint },
		{ vol: storageVol },
		{ acl: ["storage_vol:create"] },
	),
	STORAGE_VOL_DELETE: call(94, { vol: storageVol, flags: uint }, none, { acl: ["storage_vol:delete"] }),
	STORAGE_VOL_LOOKUP_BY_NAME: call(
		95,
		{ pool: storagePool, name: text },
		{ vol: storageVol },
		{ acl: ["storage_vol:getattr"], priority: "high" },
	),
	STORAGE_VOL_LOOKUP_BY_KEY: call(
		96,
		{ key: text },
		{ vol: storageVol },
		{ acl: ["storage_vol:getattr"], priority: "high" },
	),
	STORAGE_VOL_LOOKUP_BY_PATH: call(
		97,
		{ path: text },
		{ vol: storageVol },
		{ acl: ["storage_vol:getattr"], priority: "high" },
	),
	STORAGE_VOL_GET_INFO: call(
		98,
		{ vol: storageVol },
		{ type: range(-128, 127), capacity: uhyper, allocation: uhyper },
		{ acl: ["storage_vol:read"], priority: "high" },
	),
	STORAGE_VOL_GET_XML_DESC: call(
		99,
		{ vol: storageVol, flags: uint },
		{ xml: text },
		{ acl: ["storage_vol:read"], priority: "high" },
	),
	STORAGE_VOL_GET_PATH: call(100, { vol: storageVol }, { name: text }, { acl: ["storage_vol:read"], priority: "high" }),
	STORAGE_VOL_CREATE_XML_FROM: call(
		125,
		{ pool: storagePool, xml: text, clonevol: storageVol, flags: uint },
		{ vol: storageVol },
		{ acl: ["storage_vol:create"] },
	),
	STORAGE_VOL_WIPE: call(165, { vol: storageVol, flags: uint }, none, { acl: ["storage_vol:format"] }),
	STORAGE_VOL_UPLOAD: call(208, { vol: storageVol, offset: uhyper, length: uhyper, flags: uint }, none, {
		acl: ["storage_vol:data_write"],
		stream: "write",
	}),
	STORAGE_VOL_DOWNLOAD: call(209, { vol: storageVol, offset: uhyper, length: uhyper, flags: uint }, none, {
		acl: ["storage_vol:data_read"],
		stream: "read",
	}),
	STORAGE_VOL_WIPE_PATTERN: call(259, { vol: storageVol, algorithm: uint, flags: uint }, none, {
		acl: ["storage_vol:format"],
	}),
	STORAGE_VOL_RESIZE: call(260, { vol: storageVol, capacity: uhyper, flags: uint }, none, {
		acl: ["storage_vol:resize"],
	}),
	STORAGE_VOL_GET_INFO_FLAGS: call(
		378,
		{ vol: storageVol, flags: uint },
		{ type: range(-128, 127), capacity: uhyper, allocation: uhyper },
		{ acl: ["storage_vol:read"], priority: "high" },
	),
} as const;
