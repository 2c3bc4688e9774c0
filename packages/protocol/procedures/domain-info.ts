// Statistics, job progress and security labels of domains.

import { chars } from "@virtkit/xdr/chars";
import { array } from "@virtkit/xdr/composite";
import { hyper, int, uhyper, uint } from "@virtkit/xdr/primitive";
import { struct } from "@virtkit/xdr/struct";
import { DOMAIN_CHANGE } from "../access.ts";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { domain } from "../types/object.ts";
import { text } from "../types/text.ts";
import { typedParameters } from "../types/typed-parameter.ts";

/** One memory statistic: its tag (virDomainMemoryStatTags) and value. */
const memoryStat = struct({ tag: int, val: uhyper });

/** A security label, and whether it is enforced. */
const securityLabel = struct({ label: chars(LIMITS.SECURITY_LABEL_MAX), enforcing: int });

/** The statistics of one domain. */
const domainStatsRecord = struct({ dom: domain, params: typedParameters(LIMITS.CONNECT_GET_ALL_DOMAIN_STATS_MAX) });

export const domainInfoProcedures = {
	DOMAIN_INTERFACE_STATS: call(
		65,
		{ dom: domain, device: text },
		{
			rxBytes: hyper,
			rxPackets: hyper,
			rxErrs: hyper,
			rxDrop: hyper,
			txBytes: hyper,
			txPackets: hyper,
			txErrs: hyper,
			txDrop: hyper,
		},
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_GET_SECURITY_LABEL: call(
		121,
		{ dom: domain },
		{ label: chars(LIMITS.SECURITY_LABEL_MAX), enforcing: int },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_MEMORY_STATS: call(
		159,
		{ dom: domain, maxStats: uint, flags: uint },
		{ stats: array(memoryStat, LIMITS.DOMAIN_MEMORY_STATS_MAX) },
		{ acl: ["domain:read"] },
	),
	DOMAIN_GET_JOB_INFO: call(
		163,
		{ dom: domain },
		{
			type: int,
			timeElapsed: uhyper,
			timeRemaining: uhyper,
			dataTotal: uhyper,
			dataProcessed: uhyper,
			dataRemaining: uhyper,
			memTotal: uhyper,
			memProcessed: uhyper,
			memRemaining: uhyper,
			fileTotal: uhyper,
			fileProcessed: uhyper,
			fileRemaining: uhyper,
		},
		{ acl: ["domain:read"] },
	),
	DOMAIN_ABORT_JOB: call(164, { dom: domain }, none, { acl: ["domain:write"] }),
	DOMAIN_GET_CONTROL_INFO: call(
		229,
		{ dom: domain, flags: uint },
		{ state: uint, details: uint, stateTime: uhyper },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_GET_CPU_STATS: call(
		262,
		{ dom: domain, nparams: uint, startCpu: int, ncpus: uint, flags: uint },
		{ params: typedParameters(LIMITS.DOMAIN_GET_CPU_STATS_MAX), nparams: int },
		{ acl: ["domain:read"] },
	),
	DOMAIN_GET_SECURITY_LABEL_LIST: call(
		278,
		{ dom: domain },
		{ labels: array(securityLabel, LIMITS.SECURITY_LABEL_LIST_MAX), ret: int },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_GET_JOB_STATS: call(
		298,
		{ dom: domain, flags: uint },
		{ type: int, params: typedParameters(LIMITS.DOMAIN_JOB_STATS_MAX) },
		{ acl: ["domain:read"] },
	),
	DOMAIN_SET_MEMORY_STATS_PERIOD: call(308, { dom: domain, period: int, flags: uint }, none, { acl: DOMAIN_CHANGE }),
	CONNECT_GET_ALL_DOMAIN_STATS: call(
		344,
		{ doms: array(domain, LIMITS.DOMAIN_LIST_MAX), stats: uint, flags: uint },
		{ retStats: array(domainStatsRecord, LIMITS.DOMAIN_LIST_MAX) },
		{ acl: ["connect:search_domains"], filter: "domain:read" },
	),
	DOMAIN_GET_LAUNCH_SECURITY_INFO: call(
		396,
		{ dom: domain, flags: uint },
		{ params: typedParameters(LIMITS.DOMAIN_LAUNCH_SECURITY_INFO_PARAMS_MAX) },
		{ acl: ["domain:read"] },
	),
	DOMAIN_START_DIRTY_RATE_CALC: call(427, { dom: domain, seconds: int, flags: uint }, none, { acl: ["domain:write"] }),
	DOMAIN_SET_LAUNCH_SECURITY_STATE: call(
		439,
		{ dom: domain, params: typedParameters(LIMITS.DOMAIN_LAUNCH_SECURITY_STATE_PARAMS_MAX), flags: uint },
		none,
		{ acl: ["domain:write"] },
	),
	DOMAIN_ABORT_JOB_FLAGS: call(442, { dom: domain, flags: uint }, none, { acl: ["domain:write"] }),
} as const;
