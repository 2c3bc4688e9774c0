// Statistics of a guest's disks, network interfaces and I/O threads, and how fast it changes its memory.

import type { BlockInfo } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { allImages } from "../../block/all-images.ts";
import { perfStatistics } from "../../config/perf-operations.ts";
import { type DiskImage, formatNode, imageChain, isEmptyDisk, storageNode } from "../../devices/disk-image.ts";
import { type BlockFigures, blockFigures, type DeviceCounters } from "../block-query.ts";
import { localPath, readableSizes } from "../image-size.ts";
import { guestTraffic, readTraffic } from "../interface-facts.ts";
import { askKvm, kvmParameters } from "./kvm-stats.ts";
import { NONE, type Stats, type StatsGroup, type StatsSubject, unlessGone } from "./stats-group.ts";

/** Names of the counters of an interface. */
const TRAFFIC = {
	"rx.bytes": "rxBytes",
	"rx.pkts": "rxPackets",
	"rx.errs": "rxErrors",
	"rx.drop": "rxDropped",
	"tx.bytes": "txBytes",
	"tx.pkts": "txPackets",
	"tx.errs": "txErrors",
	"tx.drop": "txDropped",
} as const;

const network: StatsGroup = {
	bit: 16,
	monitor: false,
	gather: ({ run }) => {
		if (!run) return NONE;
		const { interfaces } = run.live.def.devices;
		const params: TypedParam[] = [param.uint("net.count", interfaces.length)];
		const host = interfaces.some(({ target }) => target?.dev !== undefined) ? readTraffic() : undefined;
		for (const [index, one] of interfaces.entries()) {
			const name = one.target?.dev;
			if (name === undefined) continue;
			params.push(param.string(`net.${index}.name`, name));
			const counters = host?.get(name);
			if (!counters) continue;
			const own = guestTraffic(one, counters);
			for (const [field, key] of Object.entries(TRAFFIC)) params.push(param.ullong(`net.${index}.${field}`, own[key]));
		}
		return params;
	},
};

/** Names of the counters of a disk's device. */
const COUNTERS = {
	"rd.reqs": "rd_operations",
	"rd.bytes": "rd_bytes",
	"rd.times": "rd_total_time_ns",
	"wr.reqs": "wr_operations",
	"wr.bytes": "wr_bytes",
	"wr.times": "wr_total_time_ns",
	"fl.reqs": "flush_operations",
	"fl.times": "flush_total_time_ns",
} as const satisfies Record<string, keyof DeviceCounters>;

const block: StatsGroup = {
	bit: 32,
	monitor: true,
	gather: (subject) => {
		const { asked } = subject;
		if (!asked) return blockStats(subject, undefined);
		return unlessGone<BlockFigures | undefined>(() => blockFigures(asked), undefined).then((figures) =>
			blockStats(subject, figures),
		);
	},
};

/** Of every disk, and of the images below it where they are wanted. */
function blockStats({ domain, run, backing }: StatsSubject, figures: BlockFigures | undefined): Stats {
	const params: TypedParam[] = [];
	let count = 0;
	for (const disk of domain.current.def.devices.disks) {
		const all = run ? allImages(run, disk) : imageChain(disk);
		for (const [depth, image] of (backing && disk.type !== "vhostuser" ? all : all.slice(0, 1)).entries()) {
			const prefix = `block.${count++}`;
			describe(params, prefix, disk, image, run !== undefined);
			if (disk.type === "vhostuser") continue;
			if (depth === 0) countAccesses(params, prefix, figures?.devices.get(disk));
			if (run === undefined) measureFile(params, prefix, disk, image);
			else measureNode(params, prefix, image, figures);
		}
	}
	return [param.uint("block.count", count), ...params];
}

function describe(params: TypedParam[], prefix: string, disk: DiskDef, image: DiskImage, running: boolean): void {
	params.push(param.string(`${prefix}.name`, disk.target.dev ?? ""));
	const path = localPath(image);
	if (path !== undefined) params.push(param.string(`${prefix}.path`, path));
	if (running && image.id !== undefined && !isEmptyDisk(disk))
		params.push(param.uint(`${prefix}.backingIndex`, image.id));
}

function countAccesses(params: TypedParam[], prefix: string, counters: DeviceCounters | undefined): void {
	if (!counters) return;
	for (const [field, name] of Object.entries(COUNTERS))
		params.push(param.ullong(`${prefix}.${field}`, BigInt(counters[name])));
}

/** Of an image that no QEMU has open. */
function measureFile(params: TypedParam[], prefix: string, disk: DiskDef, image: DiskImage): void {
	if (isEmptyDisk(disk)) return;
	const sizes: BlockInfo | undefined = readableSizes(image);
	if (!sizes) return;
	for (const name of ["allocation", "capacity", "physical"] as const)
		if (sizes[name] !== 0n) params.push(param.ullong(`${prefix}.${name}`, sizes[name]));
}

function measureNode(params: TypedParam[], prefix: string, image: DiskImage, figures: BlockFigures | undefined): void {
	const node = figures?.nodes.get(formatNode(image));
	if (!node) return;
	params.push(param.ullong(`${prefix}.allocation`, BigInt(node.highestOffset ?? 0)));
	if (node.capacity) params.push(param.ullong(`${prefix}.capacity`, BigInt(node.capacity)));
	const physical = node.physical ? BigInt(node.physical) : readableSizes(image)?.physical;
	if (physical !== undefined) params.push(param.ullong(`${prefix}.physical`, physical));
	const threshold = figures?.nodes.get(storageNode(image))?.threshold ?? 0;
	if (threshold) params.push(param.ullong(`${prefix}.threshold`, BigInt(threshold)));
}

const perf: StatsGroup = { bit: 64, monitor: false, gather: ({ run }) => (run ? perfStatistics(run) : NONE) };

const iothread: StatsGroup = {
	bit: 128,
	monitor: true,
	supported: (caps) => caps.has("iothread"),
	gather: async ({ asked }) => {
		if (!asked || asked.iothreadThreads.size === 0) return NONE;
		const threads = await unlessGone(() => asked.monitor.execute("query-iothreads"), []);
		if (threads.length === 0) return NONE;
		const params: TypedParam[] = [param.uint("iothread.count", threads.length)];
		for (const thread of threads) {
			const prefix = `iothread.${thread.id.replace(/^iothread/, "")}`;
			params.push(
				param.ullong(`${prefix}.poll-max-ns`, BigInt(thread["poll-max-ns"])),
				param.uint(`${prefix}.poll-grow`, thread["poll-grow"]),
				param.uint(`${prefix}.poll-shrink`, thread["poll-shrink"]),
			);
		}
		return params;
	},
};

/** Watching memory bandwidth needs resctrl groups, which no guest of ours has. */
const memory: StatsGroup = { bit: 256, monitor: false, gather: () => NONE };

/** virDomainDirtyRateStatus. */
const DIRTY_STATUS = { unstarted: 0, measuring: 1, measured: 2 } as const;

const dirtyRate: StatsGroup = {
	bit: 512,
	monitor: true,
	supported: (caps) => caps.hasSchema("query-dirty-rate"),
	gather: async ({ asked }) => {
		const rate = asked && (await unlessGone(() => asked.monitor.execute("query-dirty-rate"), undefined));
		if (!rate) return NONE;
		const params = [
			param.int("dirtyrate.calc_status", DIRTY_STATUS[rate.status]),
			param.llong("dirtyrate.calc_start_time", BigInt(rate["start-time"])),
			param.int("dirtyrate.calc_period", rate["calc-time"]),
			param.string("dirtyrate.calc_mode", rate.mode),
		];
		if (rate.status !== "measured") return params;
		params.push(param.llong("dirtyrate.megabytes_per_second", BigInt(rate["dirty-rate"] ?? 0)));
		for (const one of rate.mode === "dirty-ring" ? (rate["vcpu-dirty-rate"] ?? []) : [])
			params.push(param.ullong(`dirtyrate.vcpu.${one.id}.megabytes_per_second`, BigInt(one["dirty-rate"])));
		return params;
	},
};

const vm: StatsGroup = {
	bit: 1024,
	monitor: true,
	supported: (caps) => caps.hasSchema("query-stats"),
	gather: async ({ asked }) => {
		const figures = asked && (await askKvm(asked, "vm"));
		return figures ? kvmParameters(figures, undefined, "vm") : NONE;
	},
};

export const deviceGroups = { network, block, perf, iothread, memory, dirtyRate, vm };
