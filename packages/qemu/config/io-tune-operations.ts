// Limits of a disk's throughput: changed while the guest runs, in its stored definition, or both; alone or for a group of disks.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { DiskDef, IotuneDef } from "@virtkit/model/domain/disk";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { isEmptyDisk } from "../devices/disk-image.ts";
import { hasLimits, throttleRequest } from "../devices/disk-throttle.ts";
import type { QemuDomain } from "../domain/domain.ts";
import { diskByName } from "../domain/find-device.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { changeConfig, changeLive, impactOf } from "./impact.ts";
import { type ParameterType, readParameters } from "./read-parameters.ts";

type LimitName = Exclude<keyof IotuneDef, "group_name">;

/** Limits that are given together: who gives one says that its family's others are none. */
const FAMILIES = {
	bytes_sec: ["total_bytes_sec", "read_bytes_sec", "write_bytes_sec"],
	iops_sec: ["total_iops_sec", "read_iops_sec", "write_iops_sec"],
	bytes_sec_max: ["total_bytes_sec_max", "read_bytes_sec_max", "write_bytes_sec_max"],
	iops_sec_max: ["total_iops_sec_max", "read_iops_sec_max", "write_iops_sec_max"],
	size_iops_sec: ["size_iops_sec"],
} as const satisfies Record<string, readonly LimitName[]>;

/** The same for how long bursts last. */
const LENGTHS = [
	["total_bytes_sec", "read_bytes_sec", "write_bytes_sec"],
	["total_iops_sec", "read_iops_sec", "write_iops_sec"],
] as const;

const RATES = LENGTHS.flat();

const PARAMETERS: Readonly<Record<keyof IotuneDef, ParameterType>> = {
	...(Object.fromEntries(
		[...Object.values(FAMILIES).flat(), ...RATES.map((rate) => `${rate}_max_length`)].map((name) => [name, "ullong"]),
	) as Record<LimitName, ParameterType>),
	group_name: "string",
};

/** The largest limit that QEMU takes (THROTTLE_VALUE_MAX). */
const LARGEST = 1_000_000_000_000_000n;

/** What the client asks for. Throws INVALID_ARG for a total together with one of its parts. */
function readWish(params: readonly TypedParam[]): IotuneDef {
	const wish: IotuneDef = {};
	for (const [name, value] of readParameters(params, PARAMETERS)) {
		if (name === "group_name") {
			wish.group_name = String(value);
			continue;
		}
		if (BigInt(value) > LARGEST)
			throw new VirtError("ARGUMENT_UNSUPPORTED", `block I/O throttle limit value must be no more than ${LARGEST}`);
		wish[name] = Number(value);
	}
	for (const [family, [total, read, write]] of Object.entries(FAMILIES))
		if (read && write && wish[total] && (wish[read] || wish[write]))
			throw new VirtError("INVALID_ARG", `total and read/write of ${family} cannot be set at the same time`);
	return wish;
}

/** Whose limits hold where the wish says nothing: those of the group that the disk is to be in, else its own. */
function limitsBefore(def: DomainDef, disk: DiskDef, group: string | undefined): IotuneDef {
	const isMember = ({ iotune }: DiskDef): boolean => iotune?.group_name === group;
	const member = group === undefined || isMember(disk) ? disk : (def.devices.disks.find(isMember) ?? disk);
	return member.iotune ?? {};
}

/** The limits that `disk` comes to have. Throws CONFIG_UNSUPPORTED for a group without any. */
function settle(def: DomainDef, disk: DiskDef, wish: IotuneDef): IotuneDef {
	if (disk.type === "vhostuser")
		throw new VirtError("CONFIG_UNSUPPORTED", "a block I/O throttling is not supported for vhostuser disk");
	const before = limitsBefore(def, disk, wish.group_name);
	const limits: IotuneDef = { ...wish };
	const group = wish.group_name ?? before.group_name;
	if (group !== undefined) limits.group_name = group;
	for (const family of Object.values(FAMILIES)) inherit(limits, before, family);
	for (const family of LENGTHS) settleLengths(limits, before, family);
	if (hasLimits(limits)) return limits;
	if (limits.group_name !== undefined && limits.group_name !== disk.iotune?.group_name)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			"creating a new group/updating existing with all tune parameters zero is not supported",
		);
	// No limits at all: the disk leaves its group.
	return {};
}

function inherit(limits: IotuneDef, before: IotuneDef, family: readonly LimitName[]): void {
	if (family.some((name) => limits[name] !== undefined)) return;
	for (const name of family) if (before[name]) limits[name] = before[name];
}

/** QEMU refuses a length of 0 where there is a limit, so taking a length away makes it the shortest. */
function settleLengths(limits: IotuneDef, before: IotuneDef, family: readonly (typeof RATES)[number][]): void {
	const names = family.map((rate) => `${rate}_max_length` as const);
	if (names.every((name) => limits[name] === undefined)) return inherit(limits, before, names);
	for (const rate of family) {
		const name = `${rate}_max_length` as const;
		if (before[name] && !limits[name]) limits[name] = limits[rate] || limits[`${rate}_max`] ? 1 : 0;
	}
}

/** Throws CONFIG_UNSUPPORTED for bursts that QEMU would refuse. */
function checkBursts(limits: IotuneDef): void {
	for (const rate of RATES) {
		const burst = limits[`${rate}_max`];
		if (!burst) continue;
		if (!limits[rate]) throw new VirtError("CONFIG_UNSUPPORTED", `cannot reset '${rate}' when '${rate}_max' is set`);
		if (burst < limits[rate])
			throw new VirtError("CONFIG_UNSUPPORTED", `value '${rate}_max' cannot be smaller than '${rate}'`);
	}
}

/** Gives the disk its limits, and all disks of its group the same. */
function keep(def: DomainDef, disk: DiskDef, limits: IotuneDef): void {
	const { group_name: group } = limits;
	const isMember = ({ iotune }: DiskDef): boolean => group !== undefined && iotune?.group_name === group;
	for (const one of def.devices.disks) {
		if (one !== disk && !isMember(one)) continue;
		if (hasLimits(limits)) one.iotune = { ...limits };
		else delete one.iotune;
	}
}

function liveDisk(run: Run, path: string): DiskDef {
	const disk = diskByName(run.live.def, path);
	if (disk) return disk;
	throw new VirtError("INVALID_ARG", `disk '${path}' not found in domain`);
}

function storedDisk(def: DomainDef, path: string): DiskDef {
	const disk = diskByName(def, path);
	if (disk) return disk;
	throw new VirtError("INVALID_ARG", `missing persistent configuration for disk '${path}'`);
}

async function setBlockIoTune(
	driver: Driver,
	domain: QemuDomain,
	path: string,
	params: readonly TypedParam[],
	flags: number,
): Promise<void> {
	const wish = readWish(params);
	const { run, config } = impactOf(domain, flags);
	const disk = run && liveDisk(run, path);
	const limits = run && disk && settle(run.live.def, disk, wish);
	if (limits) checkBursts(limits);
	const stored = domain.config.def;
	// Before anything changes: neither definition may be left behind by the other's error.
	if (config) settle(stored, storedDisk(stored, path), wish);
	if (run && disk && limits) {
		if (!isEmptyDisk(disk))
			await run.monitor.executeUntyped("block_set_io_throttle", throttleRequest({ ...disk, iotune: limits }));
		changeLive(driver, domain, run, (def) => keep(def, disk, limits));
		tell(driver, domain, path, params);
	}
	if (config)
		await changeConfig(driver, domain, (def) => {
			const one = storedDisk(def, path);
			keep(def, one, settle(def, one, wish));
		});
}

function tell(driver: Driver, domain: QemuDomain, path: string, params: readonly TypedParam[]): void {
	const told = params.map(({ field, value }) => ({ field: `blkdeviotune.${field}`, value }));
	driver.emit("tunable", domain.ref, { params: [param.string("blkdeviotune.disk", path), ...told] });
}

export const ioTuneOperations = (driver: Driver): Pick<DomainOperations<QemuDomain>, "setBlockIoTune"> => ({
	setBlockIoTune: (domain, path, params, flags) => setBlockIoTune(driver, domain, path, params, flags),
});
