// The steps of migrating a domain, of every version of the migration protocol.

import { int, opaque, uhyper, uint } from "@virtkit/xdr/primitive";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { domain } from "../types/object.ts";
import { optionalText, text } from "../types/text.ts";
import { typedParameters } from "../types/typed-parameter.ts";

export const domainMigrateProcedures = {
	DOMAIN_MIGRATE_PREPARE: call(
		61,
		{ uriIn: optionalText, flags: uhyper, dname: optionalText, resource: uhyper },
		{ cookie: opaque(LIMITS.MIGRATE_COOKIE_MAX), uriOut: optionalText },
		{ acl: ["domain:migrate", "domain:start", "domain:write"] },
	),
	DOMAIN_MIGRATE_PERFORM: call(
		62,
		{
			dom: domain,
			cookie: opaque(LIMITS.MIGRATE_COOKIE_MAX),
			uri: text,
			flags: uhyper,
			dname: optionalText,
			resource: uhyper,
		},
		none,
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_FINISH: call(
		63,
		{ dname: text, cookie: opaque(LIMITS.MIGRATE_COOKIE_MAX), uri: text, flags: uhyper },
		{ ddom: domain },
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_PREPARE2: call(
		108,
		{ uriIn: optionalText, flags: uhyper, dname: optionalText, resource: uhyper, domXml: text },
		{ cookie: opaque(LIMITS.MIGRATE_COOKIE_MAX), uriOut: optionalText },
		{ acl: ["domain:migrate", "domain:start", "domain:write"] },
	),
	DOMAIN_MIGRATE_FINISH2: call(
		109,
		{ dname: text, cookie: opaque(LIMITS.MIGRATE_COOKIE_MAX), uri: text, flags: uhyper, retcode: int },
		{ ddom: domain },
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_PREPARE_TUNNEL: call(
		148,
		{ flags: uhyper, dname: optionalText, resource: uhyper, domXml: text },
		none,
		{ acl: ["domain:migrate", "domain:start", "domain:write"], stream: "write" },
	),
	DOMAIN_MIGRATE_SET_MAX_DOWNTIME: call(166, { dom: domain, downtime: uhyper, flags: uint }, none, {
		acl: ["domain:migrate"],
	}),
	DOMAIN_MIGRATE_SET_MAX_SPEED: call(207, { dom: domain, bandwidth: uhyper, flags: uint }, none, {
		acl: ["domain:migrate"],
	}),
	DOMAIN_MIGRATE_BEGIN3: call(
		213,
		{ dom: domain, xmlin: optionalText, flags: uhyper, dname: optionalText, resource: uhyper },
		{ cookieOut: opaque(LIMITS.MIGRATE_COOKIE_MAX), xml: text },
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_PREPARE3: call(
		214,
		{
			cookieIn: opaque(LIMITS.MIGRATE_COOKIE_MAX),
			uriIn: optionalText,
			flags: uhyper,
			dname: optionalText,
			resource: uhyper,
			domXml: text,
		},
		{ cookieOut: opaque(LIMITS.MIGRATE_COOKIE_MAX), uriOut: optionalText },
		{ acl: ["domain:migrate", "domain:start", "domain:write"] },
	),
	DOMAIN_MIGRATE_PREPARE_TUNNEL3: call(
		215,
		{ cookieIn: opaque(LIMITS.MIGRATE_COOKIE_MAX), flags: uhyper, dname: optionalText, resource: uhyper, domXml: text },
		{ cookieOut: opaque(LIMITS.MIGRATE_COOKIE_MAX) },
		{ acl: ["domain:migrate", "domain:start", "domain:write"], stream: "write" },
	),
	DOMAIN_MIGRATE_PERFORM3: call(
		216,
		{
			dom: domain,
			xmlin: optionalText,
			cookieIn: opaque(LIMITS.MIGRATE_COOKIE_MAX),
			dconnuri: optionalText,
			uri: optionalText,
			flags: uhyper,
			dname: optionalText,
			resource: uhyper,
		},
		{ cookieOut: opaque(LIMITS.MIGRATE_COOKIE_MAX) },
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_FINISH3: call(
		217,
		{
			dname: text,
			cookieIn: opaque(LIMITS.MIGRATE_COOKIE_MAX),
			dconnuri: optionalText,
			uri: optionalText,
			flags: uhyper,
			cancelled: int,
		},
		{ dom: domain, cookieOut: opaque(LIMITS.MIGRATE_COOKIE_MAX) },
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_CONFIRM3: call(
		218,
		{ dom: domain, cookieIn: opaque(LIMITS.MIGRATE_COOKIE_MAX), flags: uhyper, cancelled: int },
		none,
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_GET_MAX_SPEED: call(
		242,
		{ dom: domain, flags: uint },
		{ bandwidth: uhyper },
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_GET_COMPRESSION_CACHE: call(
		299,
		{ dom: domain, flags: uint },
		{ cacheSize: uhyper },
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_SET_COMPRESSION_CACHE: call(300, { dom: domain, cacheSize: uhyper, flags: uint }, none, {
		acl: ["domain:migrate"],
	}),
	DOMAIN_MIGRATE_BEGIN3_PARAMS: call(
		302,
		{ dom: domain, params: typedParameters(LIMITS.DOMAIN_MIGRATE_PARAM_LIST_MAX), flags: uint },
		{ cookieOut: opaque(LIMITS.MIGRATE_COOKIE_MAX), xml: text },
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_PREPARE3_PARAMS: call(
		303,
		{
			params: typedParameters(LIMITS.DOMAIN_MIGRATE_PARAM_LIST_MAX),
			cookieIn: opaque(LIMITS.MIGRATE_COOKIE_MAX),
			flags: uint,
		},
		{ cookieOut: opaque(LIMITS.MIGRATE_COOKIE_MAX), uriOut: optionalText },
		{ acl: ["domain:migrate", "domain:start", "domain:write"] },
	),
	DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS: call(
		304,
		{
			params: typedParameters(LIMITS.DOMAIN_MIGRATE_PARAM_LIST_MAX),
			cookieIn: opaque(LIMITS.MIGRATE_COOKIE_MAX),
			flags: uint,
		},
		{ cookieOut: opaque(LIMITS.MIGRATE_COOKIE_MAX) },
		{ acl: ["domain:migrate", "domain:start", "domain:write"], stream: "write" },
	),
	DOMAIN_MIGRATE_PERFORM3_PARAMS: call(
		305,
		{
			dom: domain,
			dconnuri: optionalText,
			params: typedParameters(LIMITS.DOMAIN_MIGRATE_PARAM_LIST_MAX),
			cookieIn: opaque(LIMITS.MIGRATE_COOKIE_MAX),
			flags: uint,
		},
		{ cookieOut: opaque(LIMITS.MIGRATE_COOKIE_MAX) },
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_FINISH3_PARAMS: call(
		306,
		{
			params: typedParameters(LIMITS.DOMAIN_MIGRATE_PARAM_LIST_MAX),
			cookieIn: opaque(LIMITS.MIGRATE_COOKIE_MAX),
			flags: uint,
			cancelled: int,
		},
		{ dom: domain, cookieOut: opaque(LIMITS.MIGRATE_COOKIE_MAX) },
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_CONFIRM3_PARAMS: call(
		307,
		{
			dom: domain,
			params: typedParameters(LIMITS.DOMAIN_MIGRATE_PARAM_LIST_MAX),
			cookieIn: opaque(LIMITS.MIGRATE_COOKIE_MAX),
			flags: uint,
			cancelled: int,
		},
		none,
		{ acl: ["domain:migrate"] },
	),
	DOMAIN_MIGRATE_START_POST_COPY: call(364, { dom: domain, flags: uint }, none, { acl: ["domain:migrate"] }),
	DOMAIN_MIGRATE_GET_MAX_DOWNTIME: call(
		387,
		{ dom: domain, flags: uint },
		{ downtime: uhyper },
		{ acl: ["domain:migrate"] },
	),
} as const;
