// Commands that tell of a domain's disks, network interfaces, consoles and displays.

import type { Domain } from "@virtkit/client/sdk/domain";
import { childNamed, elementsOf, type XmlElement } from "@virtkit/xml/node";
import { CommandError, orFail } from "../context.ts";
import { flag, named, optional } from "../grammar/command.ts";
import { type CliCommand, declare, domainOption } from "./declare.ts";

/** The parsed definition of a domain. */
async function definitionOf(domain: Domain, options: Parameters<Domain["xml"]>[0] = {}): Promise<XmlElement> {
	const { parseXml } = await import("@virtkit/xml/parse");
	return parseXml(await domain.xml(options));
}

/** The devices of one kind in a definition. */
function devicesOf(definition: XmlElement, kind: string): XmlElement[] {
	const devices = childNamed(definition, "devices");
	return devices ? elementsOf(devices).filter(({ name }) => name === kind) : [];
}

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
			const shown = source.file ?? source.dev ?? source.dir ?? source.name ?? source.volume ?? "-";
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
		const domain = await context.domain(args.domain);
		const scale = args.human ? humanSize : String;
		if (args.all) {
			const targets = devicesOf(await definitionOf(domain), "disk").map(
				(disk) => childNamed(disk, "target")?.attributes.dev ?? "",
			);
			const rows = await Promise.all(
				targets.map(async (path) => {
					const info = await domain.call("DOMAIN_GET_BLOCK_INFO", { path, flags: 0 }).catch(() => undefined);
					return [path, ...(info ? [info.capacity, info.allocation, info.physical].map(scale) : ["-", "-", "-"])];
				}),
			);
			return context.table(["Target", "Capacity", "Allocation", "Physical"], rows);
		}
		if (args.device === undefined) throw new CommandError("command 'domblkinfo' requires <device> option");
		const { capacity, allocation, physical } = await domain.call("DOMAIN_GET_BLOCK_INFO", {
			path: args.device,
			flags: 0,
		});
		context.facts(
			[
				["Capacity", scale(capacity)],
				["Allocation", scale(allocation)],
				["Physical", scale(physical)],
			],
			16,
		);
	},
});

function humanSize(bytes: bigint): string {
	const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
	let value = Number(bytes);
	let unit = 0;
	for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
	return `${value.toFixed(3)} ${units[unit]}`;
}

const domblkstat = declare({
	name: "domblkstat",
	summary: "get device block stats for a domain",
	description: "Get device block stats for a running domain. See man page or\nuse --human for explanation of fields",
	options: {
		domain: domainOption("active-domain"),
		device: optional("block device", { completes: "disk" }),
		human: flag("print a more human readable output"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const path = args.device ?? "";
		const { nparams } = await orFail(
			`Failed to get block stats for domain '${domain.name}' device '${path}'`,
			domain.call("DOMAIN_BLOCK_STATS_FLAGS", { path, nparams: 0, flags: 0 }),
		);
		const { params } = await domain.call("DOMAIN_BLOCK_STATS_FLAGS", { path, nparams, flags: 0 });
		const names: Readonly<Record<string, string>> = {
			rd_operations: "rd_req",
			wr_operations: "wr_req",
			flush_operations: "flush_operations",
		};
		for (const { field, value } of params)
			context.print(`${path}${path ? " " : ""}${names[field] ?? field} ${value.value}`);
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
			const from = source.network ?? source.bridge ?? source.dev ?? source.name ?? "-";
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
		interface: named("interface device specified by name or MAC Address", { completes: "interface" }),
		device: optional("interface device"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const device = args.interface ?? args.device ?? "";
		const stats = await orFail(
			`Failed to get interface stats ${domain.name} ${device}`,
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
		for (const [name, value] of Object.entries(fields)) if (value >= 0n) context.print(`${device} ${name} ${value}`);
	},
});

const domblkerror = declare({
	name: "domblkerror",
	summary: "Show errors on block devices",
	description: "Show block device errors",
	options: { domain: domainOption("active-domain") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const { errors } = await domain.call("DOMAIN_GET_DISK_ERRORS", { maxerrors: 64, flags: 0 });
		if (errors.length === 0) return context.print("No errors found");
		for (const { disk, error } of errors)
			context.print(`${disk}: ${["no error", "unspecified error", "no space"][error] ?? "unknown"}`);
	},
});

const ttyconsole = declare({
	name: "ttyconsole",
	summary: "tty console",
	description: "Output the device for the TTY console.",
	options: { domain: domainOption("active-domain") },
	async run(context, args) {
		const [first] = devicesOf(await definitionOf(await context.domain(args.domain)), "console");
		const tty = first?.attributes.tty ?? (first && childNamed(first, "source")?.attributes.path);
		if (tty !== undefined) context.print(tty);
	},
});

/** Address and port of a running domain's display. */
async function displayOf(
	domain: Domain,
	type?: string,
): Promise<{ type: string; host: string; port: number } | undefined> {
	for (const graphics of devicesOf(await definitionOf(domain), "graphics")) {
		const { port = "-1", listen, type: kind = "" } = graphics.attributes;
		if (type !== undefined && kind !== type) continue;
		if (Number(port) > 0)
			return {
				type: kind,
				host: listen && listen !== "0.0.0.0" && listen !== "::" ? listen : "127.0.0.1",
				port: Number(port),
			};
	}
	return undefined;
}

const vncdisplay = declare({
	name: "vncdisplay",
	summary: "vnc display",
	description: "Output the IP address and port number for the VNC display.",
	options: { domain: domainOption("active-domain") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if (domain.id < 0) throw new CommandError("Domain is not running");
		const display = await displayOf(domain, "vnc");
		if (!display) throw new CommandError("Failed to get VNC port. Is this domain using VNC?");
		context.print(`${display.host}:${display.port - 5900}`);
	},
});

const domdisplay = declare({
	name: "domdisplay",
	summary: "domain display connection URI",
	description: "Output the IP address and port number for the graphical display.",
	options: {
		domain: domainOption("active-domain"),
		type: named('select particular graphical display (e.g. "vnc", "spice", "rdp")', {
			completes: ["vnc", "spice", "rdp"],
		}),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if (domain.id < 0) throw new CommandError("Domain is not running");
		const display = await displayOf(domain, args.type);
		if (!display)
			throw new CommandError(
				args.type ? `No graphical display with type '${args.type}' found` : "No graphical display found",
			);
		context.print(`${display.type}://${display.host}:${display.type === "vnc" ? display.port - 5900 : display.port}`);
	},
});

export const deviceCommands: readonly CliCommand[] = [
	domblklist,
	domblkinfo,
	domblkstat,
	domiflist,
	domifstat,
	domblkerror,
	ttyconsole,
	vncdisplay,
	domdisplay,
];
