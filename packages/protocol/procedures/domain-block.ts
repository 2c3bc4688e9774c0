// The disks of domains: block jobs, limits, statistics, backup.

import { array } from "@virtkit/xdr/composite";
import { hyper, int, opaque, uhyper, uint } from "@virtkit/xdr/primitive";
import { struct } from "@virtkit/xdr/struct";
import { DOMAIN_CHANGE } from "../access.ts";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { domain } from "../types/object.ts";
import { optionalText, text } from "../types/text.ts";
import { typedParameters } from "../types/typed-parameter.ts";

/** A disk and what is wrong with it (virDomainDiskErrorCode). */
const diskError = struct({ disk: text, error: int });

export const domainBlockProcedures = {
	DOMAIN_BLOCK_STATS: call(
		64,
		{ dom: domain, path: text },
		{ rdReq: hyper, rdBytes: hyper, wrReq: hyper, wrBytes: hyper, errs: hyper },
		{ acl: ["domain:read"] },
	),
	DOMAIN_BLOCK_PEEK: call(
		103,
		{ dom: domain, path: text, offset: uhyper, size: uint, flags: uint },
		{ buffer: opaque(LIMITS.DOMAIN_BLOCK_PEEK_BUFFER_MAX) },
		{ acl: ["domain:block_read"] },
	),
	DOMAIN_MEMORY_PEEK: call(
		104,
		{ dom: domain, offset: uhyper, size: uint, flags: uint },
		{ buffer: opaque(LIMITS.DOMAIN_MEMORY_PEEK_BUFFER_MAX) },
		{ acl: ["domain:mem_read"] },
	),
	DOMAIN_GET_BLOCK_INFO: call(
		194,
		{ dom: domain, path: text, flags: uint },
		{ allocation: uhyper, capacity: uhyper, physical: uhyper },
		{ acl: ["domain:read"] },
	),
	DOMAIN_BLOCK_JOB_ABORT: call(237, { dom: domain, path: text, flags: uint }, none, { acl: ["domain:write"] }),
	DOMAIN_GET_BLOCK_JOB_INFO: call(
		238,
		{ dom: domain, path: text, flags: uint },
		{ found: int, type: int, bandwidth: uhyper, cur: uhyper, end: uhyper },
		{ acl: ["domain:read"] },
	),
	DOMAIN_BLOCK_JOB_SET_SPEED: call(239, { dom: domain, path: text, bandwidth: uhyper, flags: uint }, none, {
		acl: ["domain:write"],
	}),
	DOMAIN_BLOCK_PULL: call(240, { dom: domain, path: text, bandwidth: uhyper, flags: uint }, none, {
		acl: ["domain:block_write"],
	}),
	DOMAIN_BLOCK_STATS_FLAGS: call(
		243,
		{ dom: domain, path: text, nparams: int, flags: uint },
		{ params: typedParameters(LIMITS.DOMAIN_BLOCK_STATS_PARAMETERS_MAX), nparams: int },
		{ acl: ["domain:read"] },
	),
	DOMAIN_BLOCK_RESIZE: call(251, { dom: domain, disk: text, size: uhyper, flags: uint }, none, {
		acl: ["domain:block_write"],
	}),
	DOMAIN_SET_BLOCK_IO_TUNE: call(
		252,
		{ dom: domain, disk: text, params: typedParameters(LIMITS.DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX), flags: uint },
		none,
		{ acl: DOMAIN_CHANGE },
	),
	DOMAIN_GET_BLOCK_IO_TUNE: call(
		253,
		{ dom: domain, disk: optionalText, nparams: int, flags: uint },
		{ params: typedParameters(LIMITS.DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX), nparams: int },
		{ acl: ["domain:read"] },
	),
	DOMAIN_GET_DISK_ERRORS: call(
		263,
		{ dom: domain, maxerrors: uint, flags: uint },
		{ errors: array(diskError, LIMITS.DOMAIN_DISK_ERRORS_MAX), nerrors: int },
		{ acl: ["domain:read"] },
	),
	DOMAIN_BLOCK_REBASE: call(
		266,
		{ dom: domain, path: text, base: optionalText, bandwidth: uhyper, flags: uint },
		none,
		{ acl: ["domain:block_write"] },
	),
	DOMAIN_BLOCK_COMMIT: call(
		290,
		{ dom: domain, disk: text, base: optionalText, top: optionalText, bandwidth: uhyper, flags: uint },
		none,
		{ acl: ["domain:block_write"] },
	),
	DOMAIN_BLOCK_COPY: call(
		345,
		{
			dom: domain,
			path: text,
			destxml: text,
			params: typedParameters(LIMITS.DOMAIN_BLOCK_COPY_PARAMETERS_MAX),
			flags: uint,
		},
		none,
		{ acl: ["domain:block_write"] },
	),
	DOMAIN_SET_BLOCK_THRESHOLD: call(386, { dom: domain, dev: text, threshold: uhyper, flags: uint }, none, {
		acl: ["domain:write"],
	}),
	DOMAIN_BACKUP_BEGIN: call(421, { dom: domain, backupXml: text, checkpointXml: optionalText, flags: uint }, none, {
		acl: ["domain:checkpoint", "domain:block_write"],
	}),
	DOMAIN_BACKUP_GET_XML_DESC: call(
		422,
		{ dom: domain, flags: uint },
		{ xml: text },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_SET_THROTTLE_GROUP: call(
		451,
		{ dom: domain, group: text, params: typedParameters(LIMITS.DOMAIN_THROTTLE_GROUP_PARAMETERS_MAX), flags: uint },
		none,
		{ acl: DOMAIN_CHANGE },
	),
	DOMAIN_DEL_THROTTLE_GROUP: call(452, { dom: domain, group: text, flags: uint }, none, { acl: DOMAIN_CHANGE }),
} as const;
