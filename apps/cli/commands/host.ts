// Commands about the host and the hypervisor.

import type { Host } from "@virtkit/client/sdk/host";
import { decodeCpuMap } from "@virtkit/protocol/cpu-map";
import { orFail } from "../context.ts";
import { flag, named, namedNumber, needed, optional } from "../grammar/command.ts";
import { type CliCommand, declare } from "./declare.ts";

/** Commands that print one text of the host. */
function fact(name: string, summary: string, get: (host: Host) => Promise<string | number>): CliCommand {
	return declare({
		name,
		summary,
		options: {},
		async run(context) {
			context.print(String(await get((await context.connection).host)));
		},
	});
}

const version = declare({
	name: "version",
	summary: "show version",
	description: "Display the system version information.",
	options: { daemon: flag("report daemon version too") },
	async run(context, args) {
		const { host } = await context.connection;
		const [{ hypervisor, library }, type] = await Promise.all([host.versions(), host.type()]);
		context.print(`Compiled against library: libvirt ${library}`);
		context.print(`Using library: libvirt ${library}`);
		context.print(`Using API: ${type} ${library}`);
		context.print(`Running hypervisor: ${type} ${hypervisor}`);
		if (args.daemon) context.print(`Running against daemon: ${library}`);
	},
});

const nodeinfo = declare({
	name: "nodeinfo",
	summary: "node information",
	description: "Returns basic information about the node.",
	options: {},
	async run(context) {
		const info = await (await context.connection).host.nodeInfo();
		context.facts(
			[
				["CPU model", info.model],
				["CPU(s)", String(info.cpus)],
				...(info.mhz > 0 ? [["CPU frequency", `${info.mhz} MHz`] as const] : []),
				["CPU socket(s)", String(info.sockets)],
				["Core(s) per socket", String(info.cores)],
				["Thread(s) per core", String(info.threads)],
				["NUMA cell(s)", String(info.nodes)],
				["Memory size", `${info.memory} KiB`],
			],
			21,
		);
	},
});

const nodecpustats = declare({
	name: "nodecpustats",
	summary: "Prints cpu stats of the node.",
	description: "Returns cpu stats of the node, in nanoseconds.",
	options: {
		cpu: namedNumber("prints specified cpu statistics only."),
		percent: flag("prints by percentage during 1 second."),
	},
	async run(context, args) {
		const { host } = await context.connection;
		const cpu = args.cpu ?? -1;
		const before = await orFail("Unable to get node cpu stats", host.cpuStats(cpu));
		const order = [
			["user", "user"],
			["system", "kernel"],
			["idle", "idle"],
			["iowait", "iowait"],
		] as const;
		if (!args.percent) {
			for (const [title, field] of order)
				if (before.has(field)) context.print(`${`${title}:`.padEnd(15)} ${String(before.get(field)).padStart(20)}`);
			return;
		}
		await new Promise((resolve) => setTimeout(resolve, 1000));
		const after = await host.cpuStats(cpu);
		const spent = (field: string): number => Number((after.get(field) ?? 0n) - (before.get(field) ?? 0n));
		const total = order.reduce((sum, [, field]) => sum + spent(field), 0) || 1;
		const usage = 100 - ((spent("idle") + spent("iowait")) / total) * 100;
		context.print(`${"usage:".padEnd(15)} ${usage.toFixed(1).padStart(5)}%`);
		for (const [title, field] of order)
			context.print(`${`${title}:`.padEnd(15)} ${((spent(field) / total) * 100).toFixed(1).padStart(5)}%`);
	},
});

const nodememstats = declare({
	name: "nodememstats",
	summary: "Prints memory stats of the node.",
	description: "Returns memory stats of the node, in kilobytes.",
	options: { cell: namedNumber("prints specified cell statistics only.") },
	async run(context, args) {
		const { host } = await context.connection;
		const stats = await orFail("Unable to get memory stats", host.memoryStats(args.cell ?? -1));
		for (const [field, value] of stats) context.print(`${`${field}`.padEnd(7)}: ${String(value).padStart(20)} KiB`);
	},
});

const nodecpumap = declare({
	name: "nodecpumap",
	summary: "node cpu map",
	description: "Displays the node's total number of CPUs, the number of online CPUs and the list of online CPUs.",
	options: { pretty: flag("return human readable output") },
	async run(context, args) {
		const { rpc } = await context.connection;
		const { cpumap, online, ret } = await rpc.call("NODE_GET_CPU_MAP", { needMap: 1, needOnline: 1, flags: 0 });
		const { formatNumberSet } = await import("@virtkit/xml/bitmap");
		const cpus = decodeCpuMap(cpumap);
		const map = args.pretty
			? formatNumberSet(cpus)
			: Array.from({ length: ret }, (_, cpu) => (cpus.includes(cpu) ? "y" : "-")).join("");
		context.print(`${"CPUs present:".padEnd(15)} ${ret}`);
		context.print(`${"CPUs online:".padEnd(15)} ${online}`);
		context.print(`${"CPU map:".padEnd(15)} ${map}`);
	},
});

const freecell = declare({
	name: "freecell",
	summary: "NUMA free memory",
	description: "display available free memory for the NUMA cell.",
	options: { cellno: namedNumber("NUMA cell number"), all: flag("show free memory for all NUMA cells") },
	async run(context, args) {
		const { rpc, host } = await context.connection;
		if (!args.all && args.cellno === undefined) return context.print(`Total: ${(await host.freeMemory()) / 1024n} KiB`);
		const { cells } = await rpc.call("NODE_GET_CELLS_FREE_MEMORY", {
			startCell: args.cellno ?? 0,
			maxcells: args.all ? 1024 : 1,
		});
		for (const [index, bytes] of cells.entries())
			context.print(`${String((args.cellno ?? 0) + index).padStart(5)}: ${String(bytes / 1024n).padStart(10)} KiB`);
		if (args.all) {
			context.print("--------------------");
			context.print(`Total: ${String(cells.reduce((sum, bytes) => sum + bytes, 0n) / 1024n).padStart(10)} KiB`);
		}
	},
});

const freepages = declare({
	name: "freepages",
	summary: "NUMA free pages",
	description: "display available free pages for the NUMA cell.",
	options: { cellno: namedNumber("NUMA cell number"), pagesize: namedNumber("page size (in kibibytes)") },
	async run(context, args) {
		const { rpc } = await context.connection;
		const cell = args.cellno ?? 0;
		const pages = args.pagesize === undefined ? [4, 2048, 1048576] : [args.pagesize];
		for (const size of pages) {
			const reply = rpc.call("NODE_GET_FREE_PAGES", { pages: [size], startCell: cell, cellCount: 1, flags: 0 });
			const counts = args.pagesize === undefined ? await reply.catch(() => undefined) : await reply;
			if (counts) context.print(`${size}KiB: ${counts.counts[0] ?? 0n}`);
		}
	},
});

const domcapabilities = declare({
	name: "domcapabilities",
	summary: "domain capabilities",
	description: "Returns capabilities of emulator with respect to host and libvirt.",
	options: {
		virttype: named("virtualization type (/domain/@type)", { completes: ["kvm", "qemu"] }),
		emulatorbin: named("path to emulator binary (/domain/devices/emulator)", { completes: "file" }),
		arch: named("domain architecture (/domain/os/type/@arch)"),
		machine: named("machine type (/domain/os/type/@machine)"),
	},
	async run(context, args) {
		const { emulatorbin: emulator, virttype: virtType, arch, machine } = args;
		const request = Object.fromEntries(
			Object.entries({ emulator, virtType, arch, machine }).filter(([, value]) => value !== undefined),
		);
		context.print(
			await orFail("failed to get emulator capabilities", (await context.connection).host.domainCapabilities(request)),
		);
	},
});

const cpuModels = declare({
	name: "cpu-models",
	summary: "CPU models",
	description: "Get the CPU models for an arch.",
	options: { arch: needed("architecture") },
	async run(context, args) {
		const models = await orFail("failed to get CPU model names", (await context.connection).host.cpuModels(args.arch));
		if (models.length === 0) context.print("all CPU models are accepted");
		for (const model of models) context.print(model);
	},
});

const maxvcpus = declare({
	name: "maxvcpus",
	summary: "connection vcpu maximum",
	description: "Show maximum number of virtual CPUs for guests on this connection.",
	options: { type: optional("domain type", { completes: ["kvm", "qemu"] }) },
	async run(context, args) {
		const { host } = await context.connection;
		const virtType = args.type === undefined ? {} : { virtType: args.type };
		// What the emulator allows, where the daemon tells; else what the hypervisor does at most.
		const document = await host.domainCapabilities(virtType).catch(() => "");
		const max = /<vcpu max='(\d+)'/.exec(document)?.[1];
		context.print(max ?? String(await host.maxVcpus(args.type ?? null)));
	},
});

const nodeMemoryTune = declare({
	name: "node-memory-tune",
	summary: "Get or set node memory parameters",
	options: {
		"shm-pages-to-scan": namedNumber("number of pages to scan before the shared memory service goes to sleep"),
		"shm-sleep-millisecs": namedNumber("number of millisecs the shared memory service should sleep before next scan"),
		"shm-merge-across-nodes": namedNumber("Specifies if pages from different numa nodes can be merged"),
	},
	async run(context, args) {
		const { rpc } = await context.connection;
		const params = Object.entries(args).flatMap(([name, value]) =>
			value === undefined ? [] : [{ field: name.replaceAll("-", "_"), value: { type: 2 as const, value } }],
		);
		if (params.length > 0) return rpc.call("NODE_SET_MEMORY_PARAMETERS", { params, flags: 0 });
		const { nparams } = await rpc.call("NODE_GET_MEMORY_PARAMETERS", { nparams: 0, flags: 0 });
		context.print("Shared memory:");
		for (const { field, value } of (await rpc.call("NODE_GET_MEMORY_PARAMETERS", { nparams, flags: 0 })).params)
			context.print(`\t${field.padEnd(15)} ${value.value}`);
	},
});

export const hostCommands: readonly CliCommand[] = [
	version,
	nodeinfo,
	nodecpustats,
	nodememstats,
	nodecpumap,
	freecell,
	freepages,
	domcapabilities,
	cpuModels,
	maxvcpus,
	nodeMemoryTune,
	fact("capabilities", "capabilities", (host) => host.capabilities()),
	fact("hostname", "print the hypervisor hostname", (host) => host.hostname()),
	fact("sysinfo", "print the hypervisor sysinfo", (host) => host.sysinfo()),
	fact("uri", "print the hypervisor canonical URI", (host) => host.uri()),
];
