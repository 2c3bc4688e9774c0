// Commands that tell of a domain's disks, network interfaces, consoles and displays.

import { childNamed, type XmlElement } from "@virtkit/xml/node";
import { CommandError, orFail } from "../context.ts";
import { flag, needed, optional } from "../grammar/command.ts";
import { formatSize } from "../output/size.ts";
import { formatValue } from "../output/typed-parameter.ts";
import { type CliCommand, declare, domainOption, exclusive } from "./declare.ts";
import { definitionOf, devicesOf } from "./device-list.ts";

const domblklist = declare({
	name: "domblklist",
	summary: "list all domain blocks",
	description: "Get the summary of block devices for a domain.",
	options: {
		domain: domainOption(),
		inactive: flag("get inactive rather than running configuration"),
		details: flag("additionally display the type and device value"),
	},
	async run(context, args) {
		const definition = await definitionOf(await context.domain(args.domain), { inactive: args.inactive });
		const rows = devicesOf(definition, "disk").map((disk) => {
			const source = childNamed(disk, "source")?.attributes ?? {};
			const shown = source.file ?? source.dev ?? source.dir ?? source.name ?? source.volume ?? source.path ?? "-";
			const target = childNamed(disk, "target")?.attributes.dev ?? "-";
			return args.details
				? [disk.attributes.type ?? "file", disk.attributes.device ?? "disk", target, shown]
				: [target, shown];
		});
		context.table(args.details ? ["Type", "Device", "Target", "Source"] : ["Target", "Source"], rows);
	},
});

const domblkinfo = declare({
	name: "domblkinfo",
	summary: "domain block device size information",
	description: "Get block device size info for a domain.",
	options: {
		domain: domainOption(),
		device: optional("block device", { completes: "disk" }),
		human: flag("Human readable output"),
		all: flag("display all block devices info"),
	},
	async run(context, args) {
		exclusive(args, "all", "device");
		const domain = await context.domain(args.domain);
		const scale = args.human ? formatSize : String;
		const info = async (path: string): Promise<string[]> => {
			const { capacity, allocation, physical } = await domain.call("DOMAIN_GET_BLOCK_INFO", { path, flags: 0 });
			const sizes = [capacity, allocation, physical];
			return sizes.every((one) => one === 0n) ? ["-", "-", "-"] : sizes.map(scale);
		};
		if (args.all) {
			const disks = devicesOf(await definitionOf(domain), "disk");
			const row = async (disk: XmlElement): Promise<string[]> => {
				const path = childNamed(disk, "target")?.attributes.dev ?? "";
				return [path, ...(childNamed(disk, "source") ? await info(path) : ["-", "-", "-"])];
			};
			return context.table(["Target", "Capacity", "Allocation", "Physical"], await Promise.all(disks.map(row)));
		}
		if (args.device === undefined) throw new CommandError("command 'domblkinfo' requires <device> option");
		const [capacity = "", allocation = "", physical = ""] = await info(args.device);
		const facts = [
			["Capacity", capacity] as const,
			["Allocation", allocation] as const,
			["Physical", physical] as const,
		];
		context.facts(facts, 16);
	},
});

/** Block statistics in virsh's order: libvirt's name, the name printed, the words of --human. */
const BLOCK_STATS: readonly (readonly [field: string, printed: string, human: string])[] = [
	["rd_operations", "rd_req", "number of read operations:"],
	["rd_bytes", "rd_bytes", "number of bytes read:"],
	["wr_operations", "wr_req", "number of write operations:"],
	["wr_bytes", "wr_bytes", "number of bytes written:"],
	["errs", "errs", "error count:"],
	["flush_operations", "flush_operations", "number of flush operations:"],
	["rd_total_times", "rd_total_times", "total duration of reads (ns):"],
	["wr_total_times", "wr_total_times", "total duration of writes (ns):"],
	["flush_total_times", "flush_total_times", "total duration of flushes (ns):"],
];

const domblkstat = declare({
	name: "domblkstat",
	summary: "get device block stats for a domain",
	description: "Get device block stats for a running domain. See man page or use --human for explanation of fields",
	options: {
		domain: domainOption("active-domain"),
		device: optional("block device", { completes: "disk", emptyAllowed: true }),
		human: flag("print a more human readable output"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const path = args.device ?? "";
		const { nparams } = await domain.call("DOMAIN_BLOCK_STATS_FLAGS", { path, nparams: 0, flags: 0 });
		const { params } = await orFail(
			`Failed to get block stats for domain '${args.domain}' device '${path}'`,
			domain.call("DOMAIN_BLOCK_STATS_FLAGS", { path, nparams, flags: 0 }),
		);
		const known = new Map(params.map((parameter) => [parameter.field, formatValue(parameter)]));
		if (context.options.json) return context.facts([...known], 0);
		if (args.human) context.print(`Device: ${path}`);
		const line = (name: string, value: string): void => context.print(`${args.human ? "" : path} ${name} ${value}`);
		for (const [field, printed, human] of BLOCK_STATS) {
			const value = known.get(field);
			if (value !== undefined) line(args.human ? human.padEnd(31) : printed, value);
			known.delete(field);
		}
		for (const [field, value] of known) line(field, value);
	},
});

const domiflist = declare({
	name: "domiflist",
	summary: "list all domain virtual interfaces",
	description: "Get the summary of virtual interfaces for a domain.",
	options: { domain: domainOption(), inactive: flag("get inactive rather than running configuration") },
	async run(context, args) {
		const definition = await definitionOf(await context.domain(args.domain), { inactive: args.inactive });
		const rows = devicesOf(definition, "interface").map((one) => {
			const source = childNamed(one, "source")?.attributes ?? {};
			const from = source.bridge ?? source.dev ?? source.network ?? source.name ?? source.path ?? "-";
			const part = (name: string, attribute: string): string => childNamed(one, name)?.attributes[attribute] ?? "-";
			return [part("target", "dev"), one.attributes.type ?? "-", from, part("model", "type"), part("mac", "address")];
		});
		context.table(["Interface", "Type", "Source", "Model", "MAC"], rows);
	},
});

const domifstat = declare({
	name: "domifstat",
	summary: "get network interface stats for a domain",
	description: "Get network interface stats for a running domain.",
	options: {
		domain: domainOption("active-domain"),
		interface: needed("interface device specified by name or MAC Address", { completes: "interface" }),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const device = args.interface;
		const stats = await orFail(
			`Failed to get interface stats ${args.domain} ${device}`,
			domain.call("DOMAIN_INTERFACE_STATS", { device }),
		);
		const fields = {
			rx_bytes: stats.rxBytes,
			rx_packets: stats.rxPackets,
			rx_errs: stats.rxErrs,
			rx_drop: stats.rxDrop,
			tx_bytes: stats.txBytes,
			tx_packets: stats.txPackets,
			tx_errs: stats.txErrs,
			tx_drop: stats.txDrop,
		};
		if (context.options.json)
			return context.facts(
				Object.entries(fields).map(([name, value]) => [name, String(value)]),
				0,
			);
		for (const [name, value] of Object.entries(fields)) if (value >= 0n) context.print(`${device} ${name} ${value}`);
	},
});

/** virDomainDiskErrorCode */
const DISK_ERRORS = ["no error", "unspecified error", "no space"];

const domblkerror = declare({
	name: "domblkerror",
	summary: "Show errors on block devices",
	description: "Show block device errors",
	options: { domain: domainOption("active-domain") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const { errors } = await domain.call("DOMAIN_GET_DISK_ERRORS", { maxerrors: 64, flags: 0 });
		if (context.options.json)
			return context.table(
				["disk", "error"],
				errors.map(({ disk, error }) => [disk, DISK_ERRORS[error] ?? "unknown"]),
			);
		if (errors.length === 0) return context.print("No errors found");
		for (const { disk, error } of errors) context.print(`${disk}: ${DISK_ERRORS[error] ?? "unknown"}`);
	},
});

export const deviceCommands: readonly CliCommand[] = [
	domblklist,
	domblkinfo,
	domblkstat,
	domiflist,
	domifstat,
	domblkerror,
];
