// Figures of domains: usage, statistics, job progress, labels.

import { VirtError } from "@virtkit/base/errors";
import type { DomainHandle } from "@virtkit/core/domain-operations";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import { checkFlags, invoke } from "@virtkit/core/invoke";
import type { TypedParam } from "@virtkit/core/typed-params";
import { LIMITS } from "@virtkit/protocol/limits";
import type { DomainRef } from "@virtkit/protocol/types/object";
import type { Handlers } from "../handler.ts";
import {
	after,
	coreContext,
	countedParameters,
	findDomain,
	nothing,
	onDomain,
	wireDomain,
	wireParameters,
} from "./domain-call.ts";
import { filterDomains } from "./domain-list.ts";

/** Of the filters of lists, those by activity, persistence and state. */
const STATS_FILTERS = 0xff;
/** VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT, _BACKING and _ENFORCE_STATS. */
const STATS_FLAGS = 0xe000_0000;

/** Job figures by their names in typed parameters (VIR_DOMAIN_JOB_*), for the older call with a fixed set. */
const JOB_FIGURES = {
	timeElapsed: "time_elapsed",
	timeRemaining: "time_remaining",
	dataTotal: "data_total",
	dataProcessed: "data_processed",
	dataRemaining: "data_remaining",
	memTotal: "memory_total",
	memProcessed: "memory_processed",
	memRemaining: "memory_remaining",
	fileTotal: "disk_total",
	fileProcessed: "disk_processed",
	fileRemaining: "disk_remaining",
} as const;

type JobFigures = Record<keyof typeof JOB_FIGURES, bigint>;

function jobFigures(params: readonly TypedParam[]): JobFigures {
	const values = new Map(params.map(({ field, value }) => [field, value.value]));
	const figures = {} as JobFigures;
	for (const [name, field] of Object.entries(JOB_FIGURES)) {
		const value = values.get(field);
		figures[name as keyof JobFigures] = typeof value === "bigint" ? value : 0n;
	}
	return figures;
}

export function domainInfoHandlers(hypervisor: Hypervisor): Handlers {
	return {
		...usage(hypervisor),
		...devices(hypervisor),
		...jobs(hypervisor),
		...bulk(hypervisor),
		...labels(hypervisor),
		...inspection(hypervisor),
	};
}

function usage(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_GET_INFO: (context, { dom }) =>
			on(context, dom, "info", 0, ({ state, maxMemory, memory, vcpus, cpuTime }) => ({
				state,
				maxMem: maxMemory,
				memory,
				nrVirtCpu: vcpus,
				cpuTime,
			})),
		DOMAIN_GET_CONTROL_INFO: (context, { dom, flags }) =>
			on(context, dom, "controlInfo", flags, (info) => ({ ...info })),
		DOMAIN_MEMORY_STATS: (context, { dom, maxStats, flags }) =>
			on(context, dom, "memoryStats", flags, (stats) => ({
				stats: stats.slice(0, maxStats).map(({ tag, value }) => ({ tag, val: value })),
			})),
		DOMAIN_SET_MEMORY_STATS_PERIOD: (context, { dom, period, flags }) =>
			on(context, dom, "setMemoryStatsPeriod", flags, nothing, period),
		DOMAIN_GET_CPU_STATS: (context, { dom, nparams, startCpu, ncpus, flags }) =>
			// Asked for no CPU it answers how many there are; asked for no parameter, how many parameters.
			on(
				context,
				dom,
				"cpuStats",
				flags,
				({ perCpu, params }) => ({
					params: nparams === 0 ? [] : wireParameters(params),
					nparams: perCpu,
				}),
				startCpu,
				ncpus,
			),
	};
}

function devices(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_BLOCK_STATS: (context, { dom, path }) =>
			on(
				context,
				dom,
				"blockStats",
				0,
				(stats) => ({
					rdReq: stats.readRequests,
					rdBytes: stats.readBytes,
					wrReq: stats.writeRequests,
					wrBytes: stats.writeBytes,
					errs: stats.errors,
				}),
				path,
			),
		DOMAIN_BLOCK_STATS_FLAGS: (context, { dom, path, nparams, flags }) =>
			on(context, dom, "blockStatsParameters", flags, (params) => countedParameters(params, nparams), path),
		DOMAIN_GET_BLOCK_INFO: (context, { dom, path, flags }) =>
			on(context, dom, "blockInfo", flags, (info) => ({ ...info }), path),
		DOMAIN_GET_BLOCK_IO_TUNE: (context, { dom, disk, nparams, flags }) =>
			on(context, dom, "blockIoTune", flags, (params) => countedParameters(params, nparams), disk ?? ""),
		DOMAIN_GET_DISK_ERRORS: (context, { dom, maxerrors, flags }) =>
			on(context, dom, "diskErrors", flags, (errors) => ({
				errors: maxerrors === 0 ? [] : errors.slice(0, maxerrors).map((one) => ({ ...one })),
				nerrors: errors.length,
			})),
		DOMAIN_INTERFACE_STATS: (context, { dom, device }) =>
			on(
				context,
				dom,
				"interfaceStats",
				0,
				(stats) => ({
					rxBytes: stats.rxBytes,
					rxPackets: stats.rxPackets,
					rxErrs: stats.rxErrors,
					rxDrop: stats.rxDropped,
					txBytes: stats.txBytes,
					txPackets: stats.txPackets,
					txErrs: stats.txErrors,
					txDrop: stats.txDropped,
				}),
				device,
			),
	};
}

function jobs(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_GET_JOB_INFO: (context, { dom }) =>
			on(context, dom, "jobStats", 0, ({ type, params }) => ({
				type,
				...jobFigures(params),
			})),
		DOMAIN_GET_JOB_STATS: (context, { dom, flags }) =>
			on(context, dom, "jobStats", flags, ({ type, params }) => ({
				type,
				params: wireParameters(params),
			})),
		DOMAIN_ABORT_JOB: (context, { dom }) => on(context, dom, "abortJob", 0, nothing),
		DOMAIN_ABORT_JOB_FLAGS: (context, { dom, flags }) => on(context, dom, "abortJob", flags, nothing),
	};
}

function bulk(hypervisor: Hypervisor): Handlers {
	return {
		CONNECT_GET_ALL_DOMAIN_STATS: (context, { doms, stats, flags }) => {
			const core = coreContext(context);
			checkFlags("virConnectGetAllDomainStats", flags, STATS_FILTERS | STATS_FLAGS);
			const chosen: readonly DomainHandle[] =
				doms.length > 0
					? doms.map((dom) => findDomain(hypervisor, dom))
					: filterDomains(hypervisor, flags & STATS_FILTERS, core);
			const records = chosen.map((domain) =>
				after(invoke(hypervisor, "stats", domain, flags & ~STATS_FILTERS, core, stats), (params) =>
					record(domain, params),
				),
			);
			return records.some((one) => one instanceof Promise)
				? Promise.all(records).then((retStats) => ({ retStats }))
				: {
						retStats: records as {
							dom: DomainRef;
							params: ReturnType<typeof wireParameters>;
						}[],
					};
		},
	};
}

const record = (domain: DomainHandle, params: readonly TypedParam[]) => ({
	dom: wireDomain(domain),
	params: wireParameters(params),
});

function labels(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_GET_SECURITY_LABEL: (context, { dom }) =>
			on(context, dom, "securityLabels", 0, ([first]) => ({
				label: first?.label ?? "",
				enforcing: first?.enforcing ? 1 : 0,
			})),
		DOMAIN_GET_SECURITY_LABEL_LIST: (context, { dom }) =>
			on(context, dom, "securityLabels", 0, (all) => ({
				labels: all.map(({ label, enforcing }) => ({
					label,
					enforcing: enforcing ? 1 : 0,
				})),
				ret: all.length,
			})),
	};
}

function inspection(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	const buffer = (bytes: Uint8Array) => ({ buffer: Buffer.from(bytes) });
	return {
		DOMAIN_MEMORY_PEEK: (context, { dom, offset, size, flags }) => {
			refuseLargePeek(size);
			return on(context, dom, "memoryPeek", flags, buffer, offset, size);
		},
		DOMAIN_BLOCK_PEEK: (context, { dom, path, offset, size, flags }) => {
			refuseLargePeek(size);
			return on(context, dom, "blockPeek", flags, buffer, path, offset, size);
		},
		DOMAIN_GET_MESSAGES: (context, { dom, flags }) =>
			on(context, dom, "messages", flags, (all) => ({ msgs: [...all] })),
		DOMAIN_START_DIRTY_RATE_CALC: (context, { dom, seconds, flags }) =>
			on(context, dom, "startDirtyRateCalculation", flags, nothing, seconds),
	};
}

/** Messages have room for that many bytes. */
function refuseLargePeek(size: number): void {
	const most = Math.min(LIMITS.DOMAIN_MEMORY_PEEK_BUFFER_MAX, LIMITS.DOMAIN_BLOCK_PEEK_BUFFER_MAX);
	if (size > most)
		throw new VirtError("INTERNAL_ERROR", `size ${size} is too much to look at in one call: at most ${most} bytes`);
}
