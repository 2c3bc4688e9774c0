// The host: its processors, memory, NUMA cells and power states.

import { chars, fixedChars } from "@virtkit/xdr/chars";
import { array } from "@virtkit/xdr/composite";
import { int, opaque, uhyper, uint } from "@virtkit/xdr/primitive";
import { struct } from "@virtkit/xdr/struct";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { text } from "../types/text.ts";
import { typedParameters } from "../types/typed-parameter.ts";

/** One CPU time of the host, in nanoseconds (kernel, user, idle, iowait, …). */
const nodeCpuStat = struct({ field: text, value: uhyper });

/** One amount of host memory, in KiB (total, free, buffers, cached). */
const nodeMemoryStat = struct({ field: text, value: uhyper });

export const nodeProcedures = {
	NODE_GET_INFO: call(
		6,
		none,
		{ model: fixedChars(32), memory: uhyper, cpus: int, mhz: int, nodes: int, sockets: int, cores: int, threads: int },
		{ acl: ["connect:read"], priority: "high" },
	),
	NODE_GET_CELLS_FREE_MEMORY: call(
		101,
		{ startCell: int, maxcells: int },
		{ cells: array(uhyper, LIMITS.NODE_MAX_CELLS) },
		{ acl: ["connect:read"], priority: "high" },
	),
	NODE_GET_FREE_MEMORY: call(102, none, { freeMem: uhyper }, { acl: ["connect:read"], priority: "high" }),
	NODE_GET_SECURITY_MODEL: call(
		122,
		none,
		{ model: chars(LIMITS.SECURITY_MODEL_MAX), doi: chars(LIMITS.SECURITY_DOI_MAX) },
		{ acl: ["connect:read"], priority: "high" },
	),
	NODE_GET_CPU_STATS: call(
		227,
		{ cpuNum: int, nparams: int, flags: uint },
		{ params: array(nodeCpuStat, LIMITS.NODE_CPU_STATS_MAX), nparams: int },
		{ acl: ["connect:read"], priority: "high" },
	),
	NODE_GET_MEMORY_STATS: call(
		228,
		{ nparams: int, cellNum: int, flags: uint },
		{ params: array(nodeMemoryStat, LIMITS.NODE_MEMORY_STATS_MAX), nparams: int },
		{ acl: ["connect:read"], priority: "high" },
	),
	NODE_SUSPEND_FOR_DURATION: call(250, { target: uint, duration: uhyper, flags: uint }, none, {
		acl: ["connect:pm_control"],
	}),
	NODE_SET_MEMORY_PARAMETERS: call(
		288,
		{ params: typedParameters(LIMITS.NODE_MEMORY_PARAMETERS_MAX), flags: uint },
		none,
		{ acl: ["connect:write"] },
	),
	NODE_GET_MEMORY_PARAMETERS: call(
		289,
		{ nparams: int, flags: uint },
		{ params: typedParameters(LIMITS.NODE_MEMORY_PARAMETERS_MAX), nparams: int },
		{ acl: ["connect:read"] },
	),
	NODE_GET_CPU_MAP: call(
		293,
		{ needMap: int, needOnline: int, flags: uint },
		{ cpumap: opaque(LIMITS.CPUMAP_MAX), online: uint, ret: int },
		{ acl: ["connect:read"] },
	),
	NODE_GET_FREE_PAGES: call(
		340,
		{ pages: array(uint, LIMITS.NODE_MAX_CELLS), startCell: int, cellCount: uint, flags: uint },
		{ counts: array(uhyper, LIMITS.NODE_MAX_CELLS) },
		{ acl: ["connect:read"], priority: "high" },
	),
	NODE_ALLOC_PAGES: call(
		347,
		{
			pageSizes: array(uint, LIMITS.NODE_MAX_CELLS),
			pageCounts: array(uhyper, LIMITS.NODE_MAX_CELLS),
			startCell: int,
			cellCount: uint,
			flags: uint,
		},
		{ ret: int },
		{ acl: ["connect:write"] },
	),
	NODE_GET_SEV_INFO: call(
		395,
		{ nparams: int, flags: uint },
		{ params: typedParameters(LIMITS.NODE_SEV_INFO_MAX), nparams: int },
		{ acl: ["connect:read"] },
	),
} as const;
