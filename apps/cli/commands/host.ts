// Commands about the host and the hypervisor.

import type { Host } from "@virtkit/client/sdk/host";
import { decodeCpuMap } from "@virtkit/protocol/cpu-map";
import { type CliContext, CommandError, orFail } from "../context.ts";
import { flag, needed, neededNumber, neededSize, optional, optionalNumber, optionalSize } from "../grammar/command.ts";
import { parseKib } from "../output/size.ts";
import { formatValue } from "../output/typed-parameter.ts";
import { type CliCommand, declare, exclusive } from "./declare.ts";

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
		cpu: optionalNumber("prints specified cpu statistics only."),
		percent: flag("prints by percentage during 1 second."),
	},
	async run(context, args) {
		const { host } = await context.connection;
		const cpu = args.cpu ?? -1;
		const before = await orFail("Unable to get number of cpu stats", host.cpuStats(cpu));
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
	options: { cell: optionalNumber("prints specified cell statistics only.") },
	async run(context, args) {
		const { host } = await context.connection;
		const stats = await orFail("Unable to get number of memory stats", host.memoryStats(args.cell ?? -1));
		if (context.options.json)
			return context.facts(
				[...stats].map(([field, value]) => [field, String(value)]),
				0,
			);
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
	options: { cellno: optionalNumber("NUMA cell number"), all: flag("show free memory for all NUMA cells") },
	async run(context, args) {
		exclusive(args, "all", "cellno");
		const { rpc, host } = await context.connection;
		const free = async (cell: number): Promise<bigint> =>
			((await rpc.call("NODE_GET_CELLS_FREE_MEMORY", { startCell: cell, maxcells: 1 })).cells[0] ?? 0n) / 1024n;
		if (args.cellno !== undefined) return context.print(`${args.cellno}: ${await free(args.cellno)} KiB`);
		if (!args.all) return context.print(`Total: ${(await host.freeMemory()) / 1024n} KiB`);
		const cells = await Promise.all((await numaCells(context)).map(async (id) => ({ id, kib: await free(id) })));
		if (context.options.json)
			return context.table(
				["cell", "free_kib"],
				cells.map(({ id, kib }) => [String(id), String(kib)]),
			);
		const line = (title: string, kib: bigint): string => `${title.padStart(5)}: ${String(kib).padStart(10)} KiB`;
		for (const { id, kib } of cells) context.print(line(String(id), kib));
		context.say("--------------------");
		const total = cells.reduce((sum, { kib }) => sum + kib, 0n);
		context.say(line("Total", total));
	},
});

/** Numbers of the host's NUMA cells, as its capabilities tell them. */
async function numaCells(context: CliContext): Promise<number[]> {
	const document = await (await context.connection).host.capabilities();
	return [...document.matchAll(/<cell id='(\d+)'/g)].map(([, id]) => Number(id));
}

/** Sizes in KiB of the pages that the host's processor has. */
async function pageSizes(context: CliContext): Promise<number[]> {
	const document = await (await context.connection).host.capabilities();
	const sizes = [...document.matchAll(/<pages [^>]*size='(\d+)'/g)].map(([, size]) => Number(size));
	return [...new Set(sizes)].sort((a, b) => a - b);
}

const freepages = declare({
	name: "freepages",
	summary: "NUMA free pages",
	description: "display available free pages for the NUMA cell.",
	options: {
		cellno: optionalNumber("NUMA cell number"),
		pagesize: optionalSize("page size (in kibibytes)"),
		all: flag("free pages of every NUMA cell"),
	},
	async run(context, args) {
		exclusive(args, "all", "cellno");
		const { rpc } = await context.connection;
		const given = args.pagesize === undefined ? undefined : Number(parseKib(args.pagesize, "pagesize"));
		const free = async (pages: number[], startCell: number): Promise<string[]> => {
			const { counts } = await rpc.call("NODE_GET_FREE_PAGES", { pages, startCell, cellCount: 1, flags: 0 });
			return pages.map((size, index) => `${size}KiB: ${counts[index] ?? 0n}`);
		};
		if (args.all) {
			const sizes = given === undefined ? await pageSizes(context) : [given];
			for (const cell of await numaCells(context))
				context.print(`Node ${cell}:\n${(await free(sizes, cell)).join("\n")}\n`);
			return;
		}
		if (args.cellno === undefined) throw new CommandError("missing cellno argument");
		if (args.cellno < -1) throw new CommandError("cell number must be non-negative integer or -1");
		if (given === undefined) throw new CommandError("missing pagesize argument");
		context.print((await free([given], args.cellno)).join("\n"));
	},
});

const allocpages = declare({
	name: "allocpages",
	summary: "Manipulate pages pool size",
	description: "Sets how many huge pages the host, or one of its NUMA cells, keeps.",
	options: {
		pagesize: neededSize("page size (in kibibytes)"),
		pagecount: neededNumber("number of pages"),
		cellno: optionalNumber("NUMA cell number"),
		add: flag("add to the pages that are there"),
		all: flag("in every NUMA cell"),
	},
	async run(context, args) {
		exclusive(args, "all", "cellno");
		const pageSizes = [Number(parseKib(args.pagesize, "pagesize"))];
		const pageCounts = [BigInt(args.pagecount)];
		// VIR_NODE_ALLOC_PAGES_SET.
		const flags = args.add ? 0 : 1;
		const { rpc } = await context.connection;
		for (const startCell of args.all ? await numaCells(context) : [args.cellno ?? -1])
			await rpc.call("NODE_ALLOC_PAGES", { pageSizes, pageCounts, startCell, cellCount: 1, flags });
	},
});

const domcapabilities = declare({
	name: "domcapabilities",
	summary: "domain capabilities",
	description: "Returns capabilities of emulator with respect to host and libvirt.",
	options: {
		virttype: optional("virtualization type (/domain/@type)", { completes: ["kvm", "qemu"] }),
		emulatorbin: optional("path to emulator binary (/domain/devices/emulator)", { completes: "file" }),
		arch: optional("domain architecture (/domain/os/type/@arch)"),
		machine: optional("machine type (/domain/os/type/@machine)"),
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
		"shm-pages-to-scan": optionalNumber("number of pages to scan before the shared memory service goes to sleep"),
		"shm-sleep-millisecs": optionalNumber(
			"number of millisecs the shared memory service should sleep before next scan",
		),
		"shm-merge-across-nodes": optionalNumber("Specifies if pages from different numa nodes can be merged"),
	},
	async run(context, args) {
		const { rpc } = await context.connection;
		const params = Object.entries(args).flatMap(([name, value]) =>
			value === undefined ? [] : [{ field: name.replaceAll("-", "_"), value: { type: 2 as const, value } }],
		);
		if (params.length > 0) return rpc.call("NODE_SET_MEMORY_PARAMETERS", { params, flags: 0 });
		const { nparams } = await rpc.call("NODE_GET_MEMORY_PARAMETERS", { nparams: 0, flags: 0 });
		if (nparams === 0) return;
		const { params: told } = await rpc.call("NODE_GET_MEMORY_PARAMETERS", { nparams, flags: 0 });
		if (context.options.json)
			return context.facts(
				told.map((parameter) => [parameter.field, formatValue(parameter)]),
				0,
			);
		context.print("Shared memory:");
		for (const parameter of told) context.print(`\t${parameter.field.padEnd(15)} ${formatValue(parameter)}`);
	},
});

const SUSPEND_TARGETS = ["mem", "disk", "hybrid"];

const nodesuspend = declare({
	name: "nodesuspend",
	summary: "suspend the host node for a given time duration",
	description: "Suspends the host, and wakes it after a time.",
	options: {
		target: needed("mem, disk or hybrid", { completes: SUSPEND_TARGETS }),
		duration: neededNumber("seconds until it wakes, at least 60"),
	},
	async run(context, args) {
		const target = SUSPEND_TARGETS.indexOf(args.target);
		if (target === -1) throw new CommandError("Invalid target");
		if (args.duration < 0) throw new CommandError("Invalid duration");
		const { rpc } = await context.connection;
		await orFail(
			"The host was not suspended",
			rpc.call("NODE_SUSPEND_FOR_DURATION", { target, duration: BigInt(args.duration), flags: 0 }),
		);
	},
});

const nodesevinfo = declare({
	name: "nodesevinfo",
	summary: "node SEV information",
	description: "Tells what the host's processor can do of AMD's encrypted guests.",
	options: {},
	async run(context) {
		const { rpc } = await context.connection;
		const ask = async (nparams: number) =>
			orFail("Unable to get host SEV information", rpc.call("NODE_GET_SEV_INFO", { nparams, flags: 0 }));
		for (const parameter of (await ask((await ask(0)).nparams)).params)
			context.print(`${parameter.field.padEnd(18)}: ${formatValue(parameter)}`);
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
	allocpages,
	nodesuspend,
	nodesevinfo,
	domcapabilities,
	cpuModels,
	maxvcpus,
	nodeMemoryTune,
	fact("capabilities", "capabilities", (host) => host.capabilities()),
	fact("hostname", "print the hypervisor hostname", (host) => host.hostname()),
	fact("sysinfo", "print the hypervisor sysinfo", (host) => orFail("failed to get sysinfo", host.sysinfo())),
	fact("uri", "print the hypervisor canonical URI", (host) => host.uri()),
];
