// What a domain may use: memory, vCPUs, pinning, scheduling.

import type { Hypervisor } from "@virtkit/core/hypervisor";
import { decodeCpuMap, encodeCpuMap } from "@virtkit/protocol/cpu-map";
import type { Handlers } from "../handler.ts";
import { countedParameters, nothing, onDomain, wireParameters } from "./domain-call.ts";

/** VIR_DOMAIN_AFFECT_LIVE, what calls without flags mean; and VIR_DOMAIN_MEM_MAXIMUM. */
const LIVE = 1;
const MEMORY_MAXIMUM = 4;

export function domainTuningHandlers(hypervisor: Hypervisor): Handlers {
	return {
		...memory(hypervisor),
		...vcpus(hypervisor),
		...pinning(hypervisor),
		...scheduling(hypervisor),
		...hostShares(hypervisor),
		...iothreads(hypervisor),
	};
}

function memory(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_GET_MAX_MEMORY: (context, { dom }) => on(context, dom, "maxMemory", 0, (kib) => ({ memory: kib })),
		DOMAIN_SET_MAX_MEMORY: (context, { dom, memory: kib }) =>
			on(context, dom, "setMemory", MEMORY_MAXIMUM, nothing, kib),
		DOMAIN_SET_MEMORY: (context, { dom, memory: kib }) => on(context, dom, "setMemory", LIVE, nothing, kib),
		DOMAIN_SET_MEMORY_FLAGS: (context, { dom, memory: kib, flags }) =>
			on(context, dom, "setMemory", flags, nothing, kib),
	};
}

function vcpus(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_GET_MAX_VCPUS: (context, { dom }) => on(context, dom, "maxVcpus", 0, (num) => ({ num })),
		DOMAIN_SET_VCPUS: (context, { dom, nvcpus }) => on(context, dom, "setVcpus", LIVE, nothing, nvcpus),
		DOMAIN_SET_VCPUS_FLAGS: (context, { dom, nvcpus, flags }) => on(context, dom, "setVcpus", flags, nothing, nvcpus),
		DOMAIN_SET_VCPU: (context, { dom, cpumap, state, flags }) =>
			on(context, dom, "setVcpu", flags, nothing, cpumap, state),
		DOMAIN_SET_GUEST_VCPUS: (context, { dom, cpumap, state, flags }) =>
			on(context, dom, "setGuestVcpus", flags, nothing, cpumap, state),
		DOMAIN_GET_GUEST_VCPUS: (context, { dom, flags }) =>
			on(context, dom, "guestVcpus", flags, (params) => ({ params: wireParameters(params) })),
		DOMAIN_GET_VCPUS_FLAGS: (context, { dom, flags }) => on(context, dom, "vcpuCount", flags, (num) => ({ num })),
		DOMAIN_GET_VCPUS: (context, { dom, maxinfo, maplen }) =>
			on(context, dom, "vcpus", 0, (all) => {
				const shown = all.slice(0, maxinfo);
				return {
					info: shown.map(({ number, state, cpuTime, cpu }) => ({
						number,
						state,
						cpuTime,
						cpu,
					})),
					cpumaps: Buffer.concat(shown.map(({ affinity }) => encodeCpuMap(affinity, maplen))),
				};
			}),
	};
}

function pinning(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_PIN_VCPU: (context, { dom, vcpu, cpumap }) =>
			on(context, dom, "pinVcpu", LIVE, nothing, vcpu, decodeCpuMap(cpumap)),
		DOMAIN_PIN_VCPU_FLAGS: (context, { dom, vcpu, cpumap, flags }) =>
			on(context, dom, "pinVcpu", flags, nothing, vcpu, decodeCpuMap(cpumap)),
		DOMAIN_GET_VCPU_PIN_INFO: (context, { dom, ncpumaps, maplen, flags }) =>
			on(context, dom, "vcpuPins", flags, (pins) => {
				const shown = pins.slice(0, ncpumaps);
				return {
					cpumaps: Buffer.concat(shown.map((cpus) => encodeCpuMap(cpus, maplen))),
					num: shown.length,
				};
			}),
		DOMAIN_PIN_EMULATOR: (context, { dom, cpumap, flags }) =>
			on(context, dom, "pinEmulator", flags, nothing, decodeCpuMap(cpumap)),
		DOMAIN_GET_EMULATOR_PIN_INFO: (context, { dom, maplen, flags }) =>
			on(context, dom, "emulatorPin", flags, (cpus) => ({
				cpumaps: encodeCpuMap(cpus, maplen),
				ret: 1,
			})),
	};
}

function scheduling(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_GET_SCHEDULER_TYPE: (context, { dom }) =>
			on(context, dom, "schedulerType", 0, ({ type, parameters }) => ({
				type,
				nparams: parameters,
			})),
		DOMAIN_GET_SCHEDULER_PARAMETERS: (context, { dom, nparams }) =>
			on(context, dom, "schedulerParameters", 0, (params) => ({
				params: wireParameters(params.slice(0, nparams)),
			})),
		DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS: (context, { dom, nparams, flags }) =>
			on(context, dom, "schedulerParameters", flags, (params) => ({
				params: wireParameters(params.slice(0, nparams)),
			})),
		DOMAIN_SET_SCHEDULER_PARAMETERS: (context, { dom, params }) =>
			on(context, dom, "setSchedulerParameters", LIVE, nothing, params),
		DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS: (context, { dom, params, flags }) =>
			on(context, dom, "setSchedulerParameters", flags, nothing, params),
	};
}

function hostShares(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_GET_PERF_EVENTS: (context, { dom, flags }) =>
			on(context, dom, "perfEvents", flags, (params) => ({ params: wireParameters(params) })),
		DOMAIN_SET_PERF_EVENTS: (context, { dom, params, flags }) =>
			on(context, dom, "setPerfEvents", flags, nothing, params),
		DOMAIN_GET_MEMORY_PARAMETERS: (context, { dom, nparams, flags }) =>
			on(context, dom, "memoryParameters", flags, (params) => countedParameters(params, nparams)),
		DOMAIN_SET_MEMORY_PARAMETERS: (context, { dom, params, flags }) =>
			on(context, dom, "setMemoryParameters", flags, nothing, params),
		DOMAIN_GET_NUMA_PARAMETERS: (context, { dom, nparams, flags }) =>
			on(context, dom, "numaParameters", flags, (params) => countedParameters(params, nparams)),
		DOMAIN_SET_NUMA_PARAMETERS: (context, { dom, params, flags }) =>
			on(context, dom, "setNumaParameters", flags, nothing, params),
		DOMAIN_GET_BLKIO_PARAMETERS: (context, { dom, nparams, flags }) =>
			on(context, dom, "blkioParameters", flags, (params) => countedParameters(params, nparams)),
		DOMAIN_SET_BLKIO_PARAMETERS: (context, { dom, params, flags }) =>
			on(context, dom, "setBlkioParameters", flags, nothing, params),
		DOMAIN_GET_INTERFACE_PARAMETERS: (context, { dom, device, nparams, flags }) =>
			on(context, dom, "interfaceParameters", flags, (params) => countedParameters(params, nparams), device),
		DOMAIN_SET_INTERFACE_PARAMETERS: (context, { dom, device, params, flags }) =>
			on(context, dom, "setInterfaceParameters", flags, nothing, device, params),
	};
}

function iothreads(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_GET_IOTHREAD_INFO: (context, { dom, flags }) =>
			on(context, dom, "iothreads", flags, (threads) => ({
				info: threads.map(({ id, cpus }) => ({ iothreadId: id, cpumap: encodeCpuMap(cpus) })),
				ret: threads.length,
			})),
		DOMAIN_PIN_IOTHREAD: (context, { dom, iothreadsId, cpumap, flags }) =>
			on(context, dom, "pinIothread", flags, nothing, iothreadsId, decodeCpuMap(cpumap)),
		DOMAIN_ADD_IOTHREAD: (context, { dom, iothreadId, flags }) =>
			on(context, dom, "addIothread", flags, nothing, iothreadId),
		DOMAIN_DEL_IOTHREAD: (context, { dom, iothreadId, flags }) =>
			on(context, dom, "deleteIothread", flags, nothing, iothreadId),
		DOMAIN_SET_IOTHREAD_PARAMS: (context, { dom, iothreadId, params, flags }) =>
			on(context, dom, "setIothreadParameters", flags, nothing, iothreadId, params),
	};
}
