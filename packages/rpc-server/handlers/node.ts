// The host: processors, memory, NUMA cells.

import type { Hypervisor } from "@virtkit/core/hypervisor";
import { checkFlags } from "@virtkit/core/invoke";
import { encodeCpuMap } from "@virtkit/protocol/cpu-map";
import type { Handlers } from "../handler.ts";
import { hostOperation } from "./connect.ts";
import { after, coreContext, countedParameters } from "./domain-call.ts";

/** VIR_NODE_ALLOC_PAGES_SET: the counts are those wanted in all. */
const ALLOC_PAGES_SET = 1;

/** Fields for a caller with room for `room` of them: none but their number where it only asked for that. */
function counted<T>(params: readonly T[], room: number): { params: T[]; nparams: number } {
	return room === 0
		? { params: [], nparams: params.length }
		: { params: params.slice(0, room), nparams: Math.min(room, params.length) };
}

export function nodeHandlers(hypervisor: Hypervisor): Handlers {
	return {
		NODE_GET_INFO: () => after(hostOperation(hypervisor, "nodeInfo", "virNodeGetInfo")(), (info) => ({ ...info })),
		NODE_GET_CPU_STATS: (_, { cpuNum, nparams, flags }) =>
			after(hostOperation(hypervisor, "cpuStats", "virNodeGetCPUStats")(cpuNum, flags), (stats) =>
				counted(stats, nparams),
			),
		NODE_GET_MEMORY_STATS: (_, { cellNum, nparams, flags }) =>
			after(hostOperation(hypervisor, "memoryStats", "virNodeGetMemoryStats")(cellNum, flags), (stats) =>
				counted(stats, nparams),
			),
		NODE_GET_FREE_MEMORY: () =>
			after(hostOperation(hypervisor, "freeMemory", "virNodeGetFreeMemory")(), (freeMem) => ({ freeMem })),
		NODE_GET_CELLS_FREE_MEMORY: (_, { startCell, maxcells }) =>
			after(
				hostOperation(hypervisor, "cellsFreeMemory", "virNodeGetCellsFreeMemory")(startCell, maxcells),
				(cells) => ({ cells: [...cells] }),
			),
		NODE_GET_FREE_PAGES: (_, { pages, startCell, cellCount, flags }) =>
			after(
				hostOperation(hypervisor, "freePages", "virNodeGetFreePages")(pages, startCell, cellCount, flags),
				(counts) => ({ counts: [...counts] }),
			),
		NODE_ALLOC_PAGES: (_, { pageSizes, pageCounts, startCell, cellCount, flags }) => {
			checkFlags("qemuNodeAllocPages", flags, ALLOC_PAGES_SET);
			const pools = pageSizes.map((sizeKib, index) => ({ sizeKib, count: pageCounts[index] ?? 0n }));
			const allocate = hostOperation(hypervisor, "allocatePages", "virNodeAllocPages");
			return after(allocate(pools, startCell, cellCount, flags), (ret) => ({ ret }));
		},
		NODE_GET_CPU_MAP: (_, { needMap, needOnline }) =>
			after(hostOperation(hypervisor, "cpuMap", "virNodeGetCPUMap")(), ({ present, online }) => ({
				cpumap: needMap ? encodeCpuMap(online, Math.ceil(present / 8)) : Buffer.alloc(0),
				online: needOnline ? online.length : 0,
				ret: present,
			})),
		NODE_GET_MEMORY_PARAMETERS: (_, { nparams, flags }) =>
			after(hostOperation(hypervisor, "memoryParameters", "virNodeGetMemoryParameters")(flags), (params) =>
				countedParameters(params, nparams),
			),
		NODE_SET_MEMORY_PARAMETERS: (context, { params, flags }) => {
			const core = coreContext(context);
			return hostOperation(hypervisor, "setMemoryParameters", "virNodeSetMemoryParameters")(params, flags, core);
		},
		NODE_GET_SECURITY_MODEL: () => hostOperation(hypervisor, "securityModel", "virNodeGetSecurityModel")(),
	};
}
