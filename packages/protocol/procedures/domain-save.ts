// Saving a domain's memory to a file, restoring it, and dumping it.

import { int, uint } from "@virtkit/xdr/primitive";
import { FLAGS, ifFlags } from "../access.ts";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { domain } from "../types/object.ts";
import { optionalText, text } from "../types/text.ts";
import { typedParameters } from "../types/typed-parameter.ts";

export const domainSaveProcedures = {
	DOMAIN_CORE_DUMP: call(53, { dom: domain, to: text, flags: uint }, none, { acl: ["domain:core_dump"] }),
	DOMAIN_RESTORE: call(54, { from: text }, none, { acl: ["domain:start", "domain:write"] }),
	DOMAIN_SAVE: call(55, { dom: domain, to: text }, none, { acl: ["domain:hibernate"] }),
	DOMAIN_MANAGED_SAVE: call(182, { dom: domain, flags: uint }, none, { acl: ["domain:hibernate"] }),
	DOMAIN_HAS_MANAGED_SAVE_IMAGE: call(183, { dom: domain, flags: uint }, { result: int }, { acl: ["domain:read"] }),
	DOMAIN_MANAGED_SAVE_REMOVE: call(184, { dom: domain, flags: uint }, none, { acl: ["domain:hibernate"] }),
	DOMAIN_SAVE_FLAGS: call(232, { dom: domain, to: text, dxml: optionalText, flags: uint }, none, {
		acl: ["domain:hibernate"],
	}),
	DOMAIN_RESTORE_FLAGS: call(233, { from: text, dxml: optionalText, flags: uint }, none, {
		acl: ["domain:start", "domain:write"],
	}),
	DOMAIN_SAVE_IMAGE_GET_XML_DESC: call(
		235,
		{ file: text, flags: uint },
		{ xml: text },
		{ acl: ["domain:write"], priority: "high" },
	),
	DOMAIN_SAVE_IMAGE_DEFINE_XML: call(236, { file: text, dxml: text, flags: uint }, none, {
		acl: ["domain:write", "domain:hibernate"],
		priority: "high",
	}),
	DOMAIN_CORE_DUMP_WITH_FORMAT: call(334, { dom: domain, to: text, dumpformat: uint, flags: uint }, none, {
		acl: ["domain:core_dump"],
	}),
	DOMAIN_MANAGED_SAVE_GET_XML_DESC: call(
		388,
		{ dom: domain, flags: uint },
		{ xml: text },
		{ acl: ["domain:read", ifFlags("domain:read_secure", FLAGS.DOMAIN_SAVE_IMAGE_XML_SECURE)] },
	),
	DOMAIN_MANAGED_SAVE_DEFINE_XML: call(389, { dom: domain, dxml: optionalText, flags: uint }, none, {
		acl: ["domain:write", "domain:hibernate"],
	}),
	DOMAIN_SAVE_PARAMS: call(
		440,
		{ dom: domain, params: typedParameters(LIMITS.DOMAIN_SAVE_PARAMS_MAX), flags: uint },
		none,
		{ acl: ["domain:hibernate"] },
	),
	DOMAIN_RESTORE_PARAMS: call(441, { params: typedParameters(LIMITS.DOMAIN_SAVE_PARAMS_MAX), flags: uint }, none, {
		acl: ["domain:start", "domain:write"],
	}),
} as const;
