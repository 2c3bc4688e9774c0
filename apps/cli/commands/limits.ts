// Commands that show or set what a domain may use of disks, networks and memory: lists of libvirt's parameters.

import type { Domain } from "@virtkit/client/sdk/domain";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import { type CliContext, CommandError, orFail, orFailOfOwn } from "../context.ts";
import { needed, optional, optionalNumber, optionalSize } from "../grammar/command.ts";
import { parseBytes, parseKib } from "../output/size.ts";
import { formatValue, PARAMETER_TYPE, text, ullong } from "../output/typed-parameter.ts";
import { affectFlags, affectOptions, type CliCommand, declare, domainOption } from "./declare.ts";

interface Limits {
	/** What the parameters are called in complaints. */
	readonly what: string;
	/** The same where they cannot be set or counted, if other. */
	readonly setWhat?: string;
	readonly countWhat?: string;
	read(nparams: number): Promise<{ readonly params: readonly TypedParameter[]; readonly nparams: number }>;
	set(params: TypedParameter[]): Promise<unknown>;
	readonly format?: (parameter: TypedParameter) => string;
}

/** Sets what was given, or shows all where nothing was. */
async function tune(context: CliContext, given: readonly TypedParameter[], limits: Limits): Promise<void> {
	const { what, setWhat = `Unable to change ${what}`, countWhat = what, format = formatValue } = limits;
	if (given.length > 0) {
		await orFail(setWhat, limits.set([...given]));
		return;
	}
	const { nparams } = await orFail(`Unable to get number of ${countWhat}`, limits.read(0));
	if (nparams === 0) return;
	const { params } = await orFail(`Unable to get ${what}`, limits.read(nparams));
	const facts = params.map((parameter) => [parameter.field, format(parameter)] as const);
	if (context.options.json) return context.facts(facts, 0);
	for (const [field, value] of facts) context.print(`${field.padEnd(15)}: ${value}`);
}

const optionalText = (field: string, value: string | undefined): TypedParameter[] =>
	value === undefined ? [] : [text(field, value)];

/** libvirt's number for memory without a limit. */
const UNLIMITED = 9007199254740991n;
const MEMORY_LIMITS = ["hard-limit", "soft-limit", "swap-hard-limit", "min-guarantee"] as const;

const memtune = declare({
	name: "memtune",
	summary: "Get or set memory parameters",
	description: "Shows or sets how much memory of the host a guest may take; −1 takes a limit away.",
	options: {
		domain: domainOption(),
		"hard-limit": optionalSize("most memory"),
		"soft-limit": optionalSize("most memory while the host is short of it"),
		"swap-hard-limit": optionalSize("most memory and swap together"),
		"min-guarantee": optionalSize("least memory that it always has"),
		...affectOptions,
	},
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		const given = MEMORY_LIMITS.flatMap((name): TypedParameter[] => {
			const spelled = args[name];
			if (spelled === undefined) return [];
			return [ullong(name.replaceAll("-", "_"), spelled.startsWith("-") ? UNLIMITED : memoryLimit(name, spelled))];
		});
		await tune(context, given, {
			what: "memory parameters",
			read: (nparams) => domain.call("DOMAIN_GET_MEMORY_PARAMETERS", { nparams, flags }),
			set: (params) => domain.call("DOMAIN_SET_MEMORY_PARAMETERS", { params, flags }),
			format: (parameter) => (parameter.value.value === UNLIMITED ? "unlimited" : formatValue(parameter)),
		});
	},
});

function memoryLimit(name: string, spelled: string): bigint {
	try {
		return parseKib(spelled, name);
	} catch {
		throw new CommandError(`Unable to parse integer parameter ${name}`);
	}
}

const DEVICE_LIMITS = {
	"device-weights": "device_weight",
	"device-read-iops-sec": "device_read_iops_sec",
	"device-write-iops-sec": "device_write_iops_sec",
	"device-read-bytes-sec": "device_read_bytes_sec",
	"device-write-bytes-sec": "device_write_bytes_sec",
} as const;

const blkiotune = declare({
	name: "blkiotune",
	summary: "Get or set blkio parameters",
	description: "Shows or sets a guest's share of the host's disks, as its control group has it.",
	options: {
		domain: domainOption(),
		weight: optionalNumber("weight of the guest's requests"),
		"device-weights": optional("weights by device: /path/to/device,weight,…"),
		"device-read-iops-sec": optional("reads a second by device: /path/to/device,number,…"),
		"device-write-iops-sec": optional("writes a second by device: /path/to/device,number,…"),
		"device-read-bytes-sec": optional("bytes read a second by device: /path/to/device,number,…"),
		"device-write-bytes-sec": optional("bytes written a second by device: /path/to/device,number,…"),
		...affectOptions,
	},
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		if (args.weight !== undefined && args.weight <= 0)
			throw new CommandError(`Invalid value of ${args.weight} for I/O weight`);
		const weight: TypedParameter[] =
			args.weight === undefined ? [] : [{ field: "weight", value: { type: PARAMETER_TYPE.uint, value: args.weight } }];
		const devices = Object.entries(DEVICE_LIMITS).flatMap(([name, field]) =>
			optionalText(field, args[name as keyof typeof DEVICE_LIMITS]),
		);
		await tune(context, [...weight, ...devices], {
			what: "blkio parameters",
			read: (nparams) => domain.call("DOMAIN_GET_BLKIO_PARAMETERS", { nparams, flags }),
			set: (params) => domain.call("DOMAIN_SET_BLKIO_PARAMETERS", { params, flags }),
		});
	},
});

/** virDomainNumatuneMemMode */
const NUMA_MODES = ["strict", "preferred", "interleave", "restrictive"];

const numatune = declare({
	name: "numatune",
	summary: "Get or set numa parameters",
	description: "Shows or sets from which NUMA nodes of the host a guest's memory comes.",
	options: {
		domain: domainOption(),
		mode: optional("strict, preferred, interleave or restrictive", { completes: NUMA_MODES }),
		nodeset: optional("nodes of the host, such as 0-1"),
		...affectOptions,
	},
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		await tune(context, [...optionalText("numa_nodeset", args.nodeset), ...numaMode(args.mode)], {
			what: "numa parameters",
			countWhat: "memory parameters",
			read: (nparams) => domain.call("DOMAIN_GET_NUMA_PARAMETERS", { nparams, flags }),
			set: (params) => domain.call("DOMAIN_SET_NUMA_PARAMETERS", { params, flags }),
			format: (parameter) =>
				parameter.field === "numa_mode"
					? (NUMA_MODES[Number(parameter.value.value)] ?? formatValue(parameter))
					: formatValue(parameter),
		});
	},
});

function numaMode(mode: string | undefined): TypedParameter[] {
	if (mode === undefined) return [];
	const named = NUMA_MODES.indexOf(mode);
	// A number may be one of a newer daemon.
	if (named === -1 && !/^\d+$/.test(mode)) throw new CommandError(`Invalid mode: ${mode}`);
	return [{ field: "numa_mode", value: { type: PARAMETER_TYPE.int, value: named === -1 ? Number(mode) : named } }];
}

/** What a network interface may carry: KiB a second, KiB at once. */
export interface Rate {
	readonly average: number;
	readonly peak: number;
	readonly burst: number;
	readonly floor: number;
}

/** `average,peak,burst,floor`, of which any may be left out. Throws in virsh's words. */
export function parseRate(spelled: string): Rate {
	const fields = spelled.split(",");
	if (fields.length > 4) throw new CommandError(`Rate string '${spelled}' has too many fields`);
	const field = (index: number, name: string): number => {
		const value = fields[index] ?? "";
		if (!/^\d*$/.test(value)) throw new CommandError(`field '${name}' is malformed`);
		return Number(value);
	};
	return { average: field(0, "average"), peak: field(1, "peak"), burst: field(2, "burst"), floor: field(3, "floor") };
}

const uint = (field: string, value: number): TypedParameter => ({
	field,
	value: { type: PARAMETER_TYPE.uint, value },
});

function rateParameters(direction: "inbound" | "outbound", spelled: string | undefined): TypedParameter[] {
	if (spelled === undefined) return [];
	const { average, ...others } = parseRate(spelled);
	const { floor, peak, burst } = others;
	if (Math.max(average, peak, burst) > 0xffffffff)
		throw new CommandError(`${direction} rate larger than maximum ${0xffffffff}`);
	if (direction === "outbound" && floor) throw new CommandError("outbound floor is unsupported yet");
	if (!average && (burst || peak) && !floor)
		throw new CommandError(
			direction === "inbound" ? "either inbound average or floor is mandatory" : "outbound average is mandatory",
		);
	const more = Object.entries(others).filter(([, value]) => value > 0);
	return [uint(`${direction}.average`, average), ...more.map(([name, value]) => uint(`${direction}.${name}`, value))];
}

const domiftune = declare({
	name: "domiftune",
	summary: "get/set parameters of a virtual interface",
	description: "Shows or sets what a network interface may carry.",
	options: {
		domain: domainOption(),
		interface: needed("name of the host's interface, or MAC address", { completes: "interface" }),
		inbound: optional("to the guest: average,peak,burst,floor"),
		outbound: optional("from the guest: average,peak,burst"),
		...affectOptions,
	},
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		const device = args.interface;
		const given = [...rateParameters("inbound", args.inbound), ...rateParameters("outbound", args.outbound)];
		await tune(context, given, {
			what: "interface parameters",
			setWhat: "Unable to set interface parameters",
			read: (nparams) => domain.call("DOMAIN_GET_INTERFACE_PARAMETERS", { device, nparams, flags }),
			set: (params) => domain.call("DOMAIN_SET_INTERFACE_PARAMETERS", { device, params, flags }),
		});
	},
});

const throttle = (help: string, name: string) => optionalNumber(help, { alias: name.replaceAll("-", "_") });
const scaledThrottle = (help: string, name: string) => optionalSize(help, { alias: name.replaceAll("-", "_") });

const throttles = {
	"total-bytes-sec": scaledThrottle("bytes a second", "total-bytes-sec"),
	"read-bytes-sec": scaledThrottle("bytes read a second", "read-bytes-sec"),
	"write-bytes-sec": scaledThrottle("bytes written a second", "write-bytes-sec"),
	"total-iops-sec": throttle("requests a second", "total-iops-sec"),
	"read-iops-sec": throttle("reads a second", "read-iops-sec"),
	"write-iops-sec": throttle("writes a second", "write-iops-sec"),
	"total-bytes-sec-max": scaledThrottle("bytes a second at most, in a burst", "total-bytes-sec-max"),
	"read-bytes-sec-max": scaledThrottle("bytes read a second at most, in a burst", "read-bytes-sec-max"),
	"write-bytes-sec-max": scaledThrottle("bytes written a second at most, in a burst", "write-bytes-sec-max"),
	"total-iops-sec-max": throttle("requests a second at most, in a burst", "total-iops-sec-max"),
	"read-iops-sec-max": throttle("reads a second at most, in a burst", "read-iops-sec-max"),
	"write-iops-sec-max": throttle("writes a second at most, in a burst", "write-iops-sec-max"),
	"size-iops-sec": throttle("bytes that count as one request", "size-iops-sec"),
	"group-name": optional("disks of one name share its limits", { alias: "group_name" }),
	"total-bytes-sec-max-length": throttle("seconds that a burst of bytes may last", "total-bytes-sec-max-length"),
	"read-bytes-sec-max-length": throttle("seconds that a burst of reading may last", "read-bytes-sec-max-length"),
	"write-bytes-sec-max-length": throttle("seconds that a burst of writing may last", "write-bytes-sec-max-length"),
	"total-iops-sec-max-length": throttle("seconds that a burst of requests may last", "total-iops-sec-max-length"),
	"read-iops-sec-max-length": throttle("seconds that a burst of reads may last", "read-iops-sec-max-length"),
	"write-iops-sec-max-length": throttle("seconds that a burst of writes may last", "write-iops-sec-max-length"),
} as const;

type Throttles = { readonly [K in keyof typeof throttles]: string | number | undefined };

/** libvirt's parameters: bytes, requests, their bursts, and how long these last; the group last. */
function throttleParameters(args: Throttles): TypedParameter[] {
	const numbers = Object.keys(throttles).flatMap((name): TypedParameter[] => {
		const value = args[name as keyof Throttles];
		if (value === undefined || name === "group-name") return [];
		const bytes = typeof value === "string" ? parseBytes(value, 1n, name) : BigInt(value);
		return [ullong(name.replaceAll("-", "_"), bytes)];
	});
	return [...numbers, ...optionalText("group_name", args["group-name"]?.toString())];
}

const blkdeviotune = declare({
	name: "blkdeviotune",
	summary: "Set or query a block device I/O tuning parameters.",
	description: "Shows or sets how much a guest may read and write of one of its disks.",
	options: {
		domain: domainOption(),
		device: needed("the disk's target", { completes: "disk" }),
		...throttles,
		...affectOptions,
	},
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		const disk = args.device;
		const given = await orFailOfOwn("Unable to parse integer parameter", () => throttleParameters(args));
		await tune(context, given, {
			what: "block I/O throttle parameters",
			setWhat: "Unable to change block I/O throttle",
			read: (nparams) => domain.call("DOMAIN_GET_BLOCK_IO_TUNE", { disk: nparams === 0 ? null : disk, nparams, flags }),
			set: (params) => domain.call("DOMAIN_SET_BLOCK_IO_TUNE", { disk, params, flags }),
		});
	},
});

const perfEvents = (names: string | undefined, value: boolean): TypedParameter[] =>
	(names ?? "")
		.split(",")
		.filter((name) => name !== "")
		.map((field) => ({ field, value: { type: PARAMETER_TYPE.boolean, value } }));

const perf = declare({
	name: "perf",
	summary: "Get or set perf event",
	description: "Shows or sets which of the processor's counters are read for a guest.",
	options: {
		domain: domainOption(),
		enable: optional("counters to read, separated by commas"),
		disable: optional("counters to stop reading, separated by commas"),
		...affectOptions,
	},
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		const given = [...perfEvents(args.enable, true), ...perfEvents(args.disable, false)];
		const set = domainPerf(domain, flags, given);
		const params = await orFail(
			given.length > 0 ? "Unable to enable/disable perf events" : "Unable to get perf events",
			set,
		);
		const facts = params.map(({ field, value }) => [field, value.value ? "enabled" : "disabled"] as const);
		if (context.options.json) return context.facts(facts, 0);
		for (const [field, state] of facts) context.print(`${field.padEnd(15)}: ${state}`);
	},
});

/** Sets the events given, or asks for all. */
async function domainPerf(
	domain: Domain,
	flags: number,
	given: readonly TypedParameter[],
): Promise<readonly TypedParameter[]> {
	if (given.length === 0) return (await domain.call("DOMAIN_GET_PERF_EVENTS", { flags })).params;
	await domain.call("DOMAIN_SET_PERF_EVENTS", { params: [...given], flags });
	return given;
}

export const limitCommands: readonly CliCommand[] = [memtune, blkiotune, numatune, domiftune, blkdeviotune, perf];
