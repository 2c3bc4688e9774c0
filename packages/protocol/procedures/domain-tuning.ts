// What a running domain may use: vCPUs, memory, scheduler and I/O parameters, pinning.

import { array } from "@virtkit/xdr/composite";
import { int, opaque, uhyper, uint } from "@virtkit/xdr/primitive";
import { struct } from "@virtkit/xdr/struct";
import { DOMAIN_CHANGE, FLAGS, ifFlags } from "../access.ts";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { domain } from "../types/object.ts";
import { text } from "../types/text.ts";
import { typedParameters } from "../types/typed-parameter.ts";

/** What one vCPU does: its state, CPU time in nanoseconds, and the host CPU it runs on. */
const vcpuInfo = struct({ number: uint, state: int, cpuTime: uhyper, cpu: int });

/** An I/O thread and the host CPUs it may run on, one bit each. */
const iothreadInfo = struct({ iothreadId: uint, cpumap: opaque(LIMITS.CPUMAP_MAX) });

export const domainTuningProcedures = {
	DOMAIN_GET_MAX_MEMORY: call(17, { dom: domain }, { memory: uhyper }, { acl: ["domain:read"], priority: "high" }),
	DOMAIN_GET_MAX_VCPUS: call(18, { dom: domain }, { num: int }, { acl: ["domain:read"], priority: "high" }),
	DOMAIN_GET_VCPUS: call(
		20,
		{ dom: domain, maxinfo: int, maplen: int },
		{ info: array(vcpuInfo, LIMITS.VCPUINFO_MAX), cpumaps: opaque(LIMITS.CPUMAPS_MAX) },
		{ acl: ["domain:read"], priority: "high" },
	),
	DOMAIN_PIN_VCPU: call(26, { dom: domain, vcpu: uint, cpumap: opaque(LIMITS.CPUMAP_MAX) }, none, {
		acl: ["domain:write"],
	}),
	DOMAIN_SET_MAX_MEMORY: call(30, { dom: domain, memory: uhyper }, none, { acl: ["domain:write"], priority: "high" }),
	DOMAIN_SET_MEMORY: call(31, { dom: domain, memory: uhyper }, none, { acl: ["domain:write"] }),
	DOMAIN_SET_VCPUS: call(32, { dom: domain, nvcpus: uint }, none, { acl: ["domain:write"] }),
	DOMAIN_GET_SCHEDULER_TYPE: call(56, { dom: domain }, { type: text, nparams: int }, { acl: ["domain:read"] }),
	DOMAIN_GET_SCHEDULER_PARAMETERS: call(
		57,
		{ dom: domain, nparams: int },
		{ params: typedParameters(LIMITS.DOMAIN_SCHEDULER_PARAMETERS_MAX) },
		{ acl: ["domain:read"] },
	),
	DOMAIN_SET_SCHEDULER_PARAMETERS: call(
		58,
		{ dom: domain, params: typedParameters(LIMITS.DOMAIN_SCHEDULER_PARAMETERS_MAX) },
		none,
		{ acl: ["domain:read"] },
	),
	DOMAIN_SET_MEMORY_PARAMETERS: call(
		197,
		{ dom: domain, params: typedParameters(LIMITS.DOMAIN_MEMORY_PARAMETERS_MAX), flags: uint },
		none,
		{ acl: DOMAIN_CHANGE },
	),
	DOMAIN_GET_MEMORY_PARAMETERS: call(
		198,
		{ dom: domain, nparams: int, flags: uint },
		{ params: typedParameters(LIMITS.DOMAIN_MEMORY_PARAMETERS_MAX), nparams: int },
		{ acl: ["domain:read"] },
	),
	DOMAIN_SET_VCPUS_FLAGS: call(199, { dom: domain, nvcpus: uint, flags: uint }, none, {
		acl: [...DOMAIN_CHANGE, ifFlags("domain:write", FLAGS.DOMAIN_VCPU_GUEST)],
	}),
	DOMAIN_GET_VCPUS_FLAGS: call(
		200,
		{ dom: domain, flags: uint },
		{ num: int },
		{ acl: ["domain:read", ifFlags("domain:write", FLAGS.DOMAIN_VCPU_GUEST)] },
	),
	DOMAIN_SET_MEMORY_FLAGS: call(204, { dom: domain, memory: uhyper, flags: uint }, none, { acl: DOMAIN_CHANGE }),
	DOMAIN_SET_BLKIO_PARAMETERS: call(
		205,
		{ dom: domain, params: typedParameters(LIMITS.DOMAIN_BLKIO_PARAMETERS_MAX), flags: uint },
		none,
		{ acl: DOMAIN_CHANGE },
	),
	DOMAIN_GET_BLKIO_PARAMETERS: call(
		206,
		{ dom: domain, nparams: int, flags: uint },
		{ params: typedParameters(LIMITS.DOMAIN_BLKIO_PARAMETERS_MAX), nparams: int },
		{ acl: ["domain:read"] },
	),
	DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS: call(
		219,
		{ dom: domain, params: typedParameters(LIMITS.DOMAIN_SCHEDULER_PARAMETERS_MAX), flags: uint },
		none,
		{ acl: DOMAIN_CHANGE },
	),
	DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS: call(
		223,
		{ dom: domain, nparams: int, flags: uint },
		{ params: typedParameters(LIMITS.DOMAIN_SCHEDULER_PARAMETERS_MAX) },
		{ acl: ["domain:read"] },
	),
	DOMAIN_PIN_VCPU_FLAGS: call(225, { dom: domain, vcpu: uint, cpumap: opaque(LIMITS.CPUMAP_MAX), flags: uint }, none, {
		acl: DOMAIN_CHANGE,
	}),
	DOMAIN_GET_VCPU_PIN_INFO: call(
		230,
		{ dom: domain, ncpumaps: int, maplen: int, flags: uint },
		{ cpumaps: opaque(LIMITS.CPUMAPS_MAX), num: int },
		{ acl: ["domain:read"] },
	),
	DOMAIN_SET_NUMA_PARAMETERS: call(
		254,
		{ dom: domain, params: typedParameters(LIMITS.DOMAIN_NUMA_PARAMETERS_MAX), flags: uint },
		none,
		{ acl: DOMAIN_CHANGE },
	),
	DOMAIN_GET_NUMA_PARAMETERS: call(
		255,
		{ dom: domain, nparams: int, flags: uint },
		{ params: typedParameters(LIMITS.DOMAIN_NUMA_PARAMETERS_MAX), nparams: int },
		{ acl: ["domain:read"] },
	),
	DOMAIN_SET_INTERFACE_PARAMETERS: call(
		256,
		{ dom: domain, device: text, params: typedParameters(LIMITS.DOMAIN_INTERFACE_PARAMETERS_MAX), flags: uint },
		none,
		{ acl: DOMAIN_CHANGE },
	),
	DOMAIN_GET_INTERFACE_PARAMETERS: call(
		257,
		{ dom: domain, device: text, nparams: int, flags: uint },
		{ params: typedParameters(LIMITS.DOMAIN_INTERFACE_PARAMETERS_MAX), nparams: int },
		{ acl: ["domain:read"] },
	),
	DOMAIN_PIN_EMULATOR: call(279, { dom: domain, cpumap: opaque(LIMITS.CPUMAP_MAX), flags: uint }, none, {
		acl: DOMAIN_CHANGE,
	}),
	DOMAIN_GET_EMULATOR_PIN_INFO: call(
		280,
		{ dom: domain, maplen: int, flags: uint },
		{ cpumaps: opaque(LIMITS.CPUMAPS_MAX), ret: int },
		{ acl: ["domain:read"] },
	),
	DOMAIN_GET_IOTHREAD_INFO: call(
		351,
		{ dom: domain, flags: uint },
		{ info: array(iothreadInfo, LIMITS.IOTHREAD_INFO_MAX), ret: uint },
		{ acl: ["domain:read"] },
	),
	DOMAIN_PIN_IOTHREAD: call(
		352,
		{ dom: domain, iothreadsId: uint, cpumap: opaque(LIMITS.CPUMAP_MAX), flags: uint },
		none,
		{ acl: DOMAIN_CHANGE },
	),
	DOMAIN_ADD_IOTHREAD: call(355, { dom: domain, iothreadId: uint, flags: uint }, none, { acl: DOMAIN_CHANGE }),
	DOMAIN_DEL_IOTHREAD: call(356, { dom: domain, iothreadId: uint, flags: uint }, none, { acl: DOMAIN_CHANGE }),
	DOMAIN_GET_PERF_EVENTS: call(
		365,
		{ dom: domain, flags: uint },
		{ params: typedParameters(LIMITS.DOMAIN_PERF_EVENTS_MAX) },
		{ acl: ["domain:read"] },
	),
	DOMAIN_SET_PERF_EVENTS: call(
		366,
		{ dom: domain, params: typedParameters(LIMITS.DOMAIN_PERF_EVENTS_MAX), flags: uint },
		none,
		{ acl: ["domain:write"] },
	),
	DOMAIN_SET_VCPU: call(384, { dom: domain, cpumap: text, state: int, flags: uint }, none, { acl: DOMAIN_CHANGE }),
	DOMAIN_SET_IOTHREAD_PARAMS: call(
		402,
		{ dom: domain, iothreadId: uint, params: typedParameters(LIMITS.DOMAIN_IOTHREAD_PARAMS_MAX), flags: uint },
		none,
		{ acl: DOMAIN_CHANGE },
	),
} as const;
