// A guest's disks: sizes, counters, limits, failures.

import { VirtError } from "@virtkit/base/errors";
import type { BlockInfo, BlockStats, DomainOperations } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import { type DiskDef, type IotuneDef, isEmptySource } from "@virtkit/model/domain/disk";
import type { BlockDeviceInfo } from "@virtkit/qapi/schema.gen";
import { oneDefinition } from "../config/impact.ts";
import { topImage } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import { diskByName, findDisk } from "../domain/find-device.ts";
import type { Run } from "../domain/run.ts";
import { blockFigures, type DeviceCounters, deviceCounters, nodeOf } from "./block-query.ts";
import { imageSizes, readableSizes } from "./image-size.ts";

function refuseVhostUser(disk: DiskDef, what: string): void {
	if (disk.type === "vhostuser")
		throw new VirtError("OPERATION_UNSUPPORTED", `${what} not supported for vhostuser disk`);
}

async function blockInfo(domain: QemuDomain, path: string): Promise<BlockInfo> {
	const { run } = domain;
	const disk = diskByName(domain.current.def, path);
	if (!disk) throw new VirtError("INVALID_ARG", `invalid path ${path} not assigned to domain`);
	refuseVhostUser(disk, "block info is");
	if (isEmptySource(disk.source))
		throw new VirtError("INVALID_ARG", `disk '${path}' does not currently have a source assigned`);
	if (run && disk.source?.fdgroup === undefined) return await liveInfo(run, disk);
	if (disk.source?.fdgroup !== undefined)
		throw new VirtError("OPERATION_UNSUPPORTED", "block info is not supported for FD passed disk image");
	const sizes = imageSizes(topImage(disk));
	if (sizes) return sizes;
	throw new VirtError("OPERATION_UNSUPPORTED", `the size of disk '${path}', which is on the network, is not known`);
}

/** libvirt's rules of which of QEMU's figures means what (qemuDomainGetBlockInfo). */
async function liveInfo(run: Run, disk: DiskDef): Promise<BlockInfo> {
	const node = nodeOf(disk, await blockFigures(run));
	if (!node) throw new VirtError("INTERNAL_ERROR", `cannot find statistics for device '${disk.alias}'`);
	const { capacity, physical, highestOffset } = node;
	const sparse = disk.type === "file" && disk.driver.type === "qcow2";
	const written = highestOffset === undefined || sparse ? physical : highestOffset;
	const allocation = written === 0 ? physical : written;
	const full = physical === 0 || allocation === physical;
	const onHost = full ? readableSizes(topImage(disk))?.physical : undefined;
	return {
		capacity: BigInt(capacity),
		allocation: BigInt(allocation),
		physical: onHost ?? BigInt(physical),
	};
}

type Counters = Pick<
	DeviceCounters,
	| "rd_bytes"
	| "wr_bytes"
	| "rd_operations"
	| "wr_operations"
	| "flush_operations"
	| "rd_total_time_ns"
	| "wr_total_time_ns"
	| "flush_total_time_ns"
>;

/** Counters of one disk, or of all together where `path` is empty. */
async function countersOf(domain: QemuDomain, path: string): Promise<Counters> {
	const run = domain.activeRun();
	const all = await deviceCounters(run);
	const countersOfDisk = (disk: DiskDef): DeviceCounters => {
		const found = all.get(disk);
		if (found) return found;
		throw new VirtError("INTERNAL_ERROR", `cannot find statistics for device '${disk.alias}'`);
	};
	if (path === "")
		return sumOf(run.live.def.devices.disks.filter(({ type }) => type !== "vhostuser").map(countersOfDisk));
	const disk = diskByName(run.live.def, path);
	if (!disk) throw new VirtError("INVALID_ARG", `invalid path: ${path}`);
	refuseVhostUser(disk, "block stats are");
	return countersOfDisk(disk);
}

function sumOf(all: readonly DeviceCounters[]): Counters {
	const sum = (name: keyof Counters): number => all.reduce((total, one) => total + one[name], 0);
	return {
		rd_bytes: sum("rd_bytes"),
		wr_bytes: sum("wr_bytes"),
		rd_operations: sum("rd_operations"),
		wr_operations: sum("wr_operations"),
		flush_operations: sum("flush_operations"),
		rd_total_time_ns: sum("rd_total_time_ns"),
		wr_total_time_ns: sum("wr_total_time_ns"),
		flush_total_time_ns: sum("flush_total_time_ns"),
	};
}

async function blockStats(domain: QemuDomain, path: string): Promise<BlockStats> {
	const counters = await countersOf(domain, path);
	return {
		readRequests: BigInt(counters.rd_operations),
		readBytes: BigInt(counters.rd_bytes),
		writeRequests: BigInt(counters.wr_operations),
		writeBytes: BigInt(counters.wr_bytes),
		// QEMU counts no errors.
		errors: -1n,
	};
}

/** VIR_DOMAIN_BLOCK_STATS_*, in libvirt's order. */
const PARAMETERS = {
	wr_bytes: "wr_bytes",
	wr_operations: "wr_operations",
	rd_bytes: "rd_bytes",
	rd_operations: "rd_operations",
	flush_operations: "flush_operations",
	wr_total_times: "wr_total_time_ns",
	rd_total_times: "rd_total_time_ns",
	flush_total_times: "flush_total_time_ns",
} as const satisfies Record<string, keyof Counters>;

async function blockStatsParameters(domain: QemuDomain, path: string): Promise<TypedParam[]> {
	const counters = await countersOf(domain, path);
	return Object.entries(PARAMETERS).map(([field, name]) => param.llong(field, BigInt(counters[name])));
}

/** VIR_DOMAIN_BLOCK_IOTUNE_*, in libvirt's order, with QEMU's names of them; null for the group's name. */
const IOTUNE = {
	total_bytes_sec: "bps",
	read_bytes_sec: "bps_rd",
	write_bytes_sec: "bps_wr",
	total_iops_sec: "iops",
	read_iops_sec: "iops_rd",
	write_iops_sec: "iops_wr",
	total_bytes_sec_max: "bps_max",
	read_bytes_sec_max: "bps_rd_max",
	write_bytes_sec_max: "bps_wr_max",
	total_iops_sec_max: "iops_max",
	read_iops_sec_max: "iops_rd_max",
	write_iops_sec_max: "iops_wr_max",
	size_iops_sec: "iops_size",
	group_name: "group",
	total_bytes_sec_max_length: "bps_max_length",
	read_bytes_sec_max_length: "bps_rd_max_length",
	write_bytes_sec_max_length: "bps_wr_max_length",
	total_iops_sec_max_length: "iops_max_length",
	read_iops_sec_max_length: "iops_rd_max_length",
	write_iops_sec_max_length: "iops_wr_max_length",
} as const satisfies Record<keyof IotuneDef, keyof BlockDeviceInfo>;

async function blockIoTune(domain: QemuDomain, path: string, flags: number): Promise<TypedParam[]> {
	const { def, run } = oneDefinition(domain, flags);
	// Clients ask without a disk how many parameters there are.
	if (path === "") return Object.keys(IOTUNE).map((field) => limitParameter(field, undefined));
	const disk = diskByName(def, path);
	if (!disk)
		throw new VirtError(
			"INVALID_ARG",
			run ? `disk '${path}' not found in domain` : `disk '${path}' was not found in the domain config`,
		);
	if (disk.type === "vhostuser")
		throw new VirtError("OPERATION_UNSUPPORTED", "block IO tuning is not supported for vhostuser disk");
	const live = run ? await liveLimits(run, disk) : undefined;
	return Object.entries(IOTUNE).map(([field, name]) =>
		limitParameter(field, run ? live?.[name] : disk.iotune?.[field as keyof IotuneDef]),
	);
}

function limitParameter(field: string, value: unknown): TypedParam {
	return field === "group_name"
		? param.string(field, String(value ?? ""))
		: param.ullong(field, BigInt(Number(value ?? 0)));
}

async function liveLimits(run: Run, disk: DiskDef): Promise<BlockDeviceInfo | undefined> {
	const all = await run.monitor.execute("query-block");
	const found = all.find(({ qdev = "", device, inserted }) => {
		return findDisk(run.live.def, qdev || device, inserted?.["node-name"]) === disk;
	});
	if (found) return found.inserted;
	throw new VirtError("INTERNAL_ERROR", `cannot find throttling info for device '${disk.alias}'`);
}

/** virDomainDiskErrorCode by QEMU's io-status. */
const DISK_ERRORS: Readonly<Record<string, number>> = { failed: 1, nospace: 2 };

async function diskErrors(domain: QemuDomain): Promise<{ disk: string; error: number }[]> {
	const run = domain.activeRun();
	const all = await run.monitor.execute("query-block");
	const found = new Map<DiskDef | undefined, number | undefined>();
	for (const { qdev = "", device, inserted, "io-status": status = "" } of all)
		found.set(findDisk(run.live.def, qdev || device, inserted?.["node-name"]), DISK_ERRORS[status]);
	return run.live.def.devices.disks.flatMap((disk) => {
		const error = found.get(disk);
		return error === undefined ? [] : [{ disk: disk.target.dev ?? "", error }];
	});
}

export const blockFacts: Pick<
	DomainOperations<QemuDomain>,
	"blockInfo" | "blockStats" | "blockStatsParameters" | "blockIoTune" | "diskErrors"
> = { blockInfo, blockStats, blockStatsParameters, blockIoTune, diskErrors };
