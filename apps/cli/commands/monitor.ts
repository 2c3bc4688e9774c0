// Commands that tell how domains are doing.

import type { Domain } from "@virtkit/client/sdk/domain";
import { CommandError, orFail } from "../context.ts";
import { flag, namedNumber, optional, rest } from "../grammar/command.ts";
import { formatValue } from "../output/typed-parameter.ts";
import { affectFlags, affectOptions, type CliCommand, declare, domainOption } from "./declare.ts";

/** State words as virsh prints them. */
const STATE_WORDS = {
	nostate: "no state",
	running: "running",
	blocked: "idle",
	paused: "paused",
	shutdown: "in shutdown",
	shutoff: "shut off",
	crashed: "crashed",
	pmsuspended: "pmsuspended",
} as const;

/** Reasons whose printed words are not libvirt's own names of them. */
const REASON_WORDS: Readonly<Record<string, string>> = {
	"from-snapshot": "from snapshot",
	"migration-canceled": "migration canceled",
	"save-canceled": "save canceled",
	wakeup: "event wakeup",
	ioerror: "I/O error",
	migration: "migrating",
	save: "saving",
	dump: "dumping",
	"shutting-down": "shutting down",
	snapshot: "creating snapshot",
	"starting-up": "starting up",
	postcopy: "post-copy",
	"postcopy-failed": "post-copy failed",
	"api-error": "api error",
};

const list = declare({
	name: "list",
	summary: "list domains",
	description: "Returns list of domains.",
	options: {
		inactive: flag("list inactive domains"),
		all: flag("list inactive & active domains"),
		transient: flag("list transient domains"),
		persistent: flag("list persistent domains"),
		"with-snapshot": flag("list domains with existing snapshot"),
		"without-snapshot": flag("list domains without a snapshot"),
		"with-checkpoint": flag("list domains with existing checkpoint"),
		"without-checkpoint": flag("list domains without a checkpoint"),
		"state-running": flag("list domains in running state"),
		"state-paused": flag("list domains in paused state"),
		"state-shutoff": flag("list domains in shutoff state"),
		"state-other": flag("list domains in other states"),
		autostart: flag("list domains with autostart enabled"),
		"no-autostart": flag("list domains with autostart disabled"),
		"with-managed-save": flag("list domains with managed save state"),
		"without-managed-save": flag("list domains without managed save"),
		uuid: flag("list uuid's only"),
		name: flag("list domain names only"),
		id: flag("list domain IDs only"),
		table: flag("list table (default)"),
		"managed-save": flag("mark inactive domains with managed save state"),
		title: flag("show domain title"),
	},
	async run(context, args) {
		const { domains } = await context.connection;
		const found = await domains.list({
			active: args.all || !args.inactive,
			inactive: args.all || args.inactive,
			transient: args.transient,
			persistent: args.persistent,
			hasSnapshot: args["with-snapshot"],
			noSnapshot: args["without-snapshot"],
			hasCheckpoint: args["with-checkpoint"],
			noCheckpoint: args["without-checkpoint"],
			running: args["state-running"],
			paused: args["state-paused"],
			shutoff: args["state-shutoff"],
			other: args["state-other"],
			autostart: args.autostart,
			noAutostart: args["no-autostart"],
			managedSave: args["with-managed-save"],
			noManagedSave: args["without-managed-save"],
		});
		// Running ones by number, then the others by name.
		const sorted = found.sort((a, b) =>
			a.id >= 0 && b.id >= 0 ? a.id - b.id : a.id >= 0 ? -1 : b.id >= 0 ? 1 : a.name < b.name ? -1 : 1,
		);
		const only = [args.uuid && "uuid", args.id && "id", args.name && "name"].filter(
			(one): one is "uuid" | "name" | "id" => one !== false,
		);
		if (only.length > 0 && !args.table) {
			// Numbers alone are those of running domains.
			for (const domain of sorted.filter(({ id }) => args.uuid || args.name || id >= 0))
				context.print(only.map((what) => (what === "id" && domain.id < 0 ? "-" : String(domain[what]))).join(" "));
			return;
		}
		const rows = await Promise.all(sorted.map(async (domain) => listRow(domain, args["managed-save"], args.title)));
		context.table(args.title ? ["Id", "Name", "State", "Title"] : ["Id", "Name", "State"], rows);
	},
});

async function listRow(domain: Domain, markSaved: boolean, title: boolean): Promise<string[]> {
	const { state } = await domain.state();
	const saved = markSaved && state === "shutoff" && (await domain.hasManagedSave());
	const cells = [domain.id < 0 ? "-" : String(domain.id), domain.name, saved ? "saved" : STATE_WORDS[state]];
	return title ? [...cells, await domain.getMetadata("title").catch(() => "")] : cells;
}

const dominfo = declare({
	name: "dominfo",
	summary: "domain information",
	description: "Returns basic information about the domain.",
	options: { domain: domainOption() },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const { rpc } = await context.connection;
		const [info, osType, persistent, autostart, saved, model] = await Promise.all([
			domain.info(),
			domain.osType(),
			domain.isPersistent(),
			domain.getAutostart(),
			domain.hasManagedSave(),
			rpc.call("NODE_GET_SECURITY_MODEL").catch(() => ({ model: "", doi: "" })),
		]);
		const facts: [string, string][] = [
			["Id", domain.id < 0 ? "-" : String(domain.id)],
			["Name", domain.name],
			["UUID", domain.uuid],
			["OS Type", osType],
			["State", STATE_WORDS[info.state]],
			["CPU(s)", String(info.vcpus)],
			...(info.cpuTime === 0n ? [] : [["CPU time", `${(Number(info.cpuTime) / 1e9).toFixed(1)}s`] as [string, string]]),
			["Max memory", `${info.maxMemory} KiB`],
			["Used memory", `${info.memory} KiB`],
			["Persistent", persistent ? "yes" : "no"],
			["Autostart", autostart ? "enable" : "disable"],
			["Managed save", saved ? "yes" : "no"],
		];
		if (model.model !== "") {
			facts.push(["Security model", model.model], ["Security DOI", model.doi]);
			const { label, enforcing } = await domain.call("DOMAIN_GET_SECURITY_LABEL", {});
			if (label !== "") facts.push(["Security label", `${label} (${enforcing ? "enforcing" : "permissive"})`]);
		}
		const messages = await domain.messages().catch(() => []);
		if (messages.length > 0) facts.push(["Messages", messages.join(`\n${" ".repeat(16)}`)]);
		context.facts(facts, 16);
	},
});

const domstate = declare({
	name: "domstate",
	summary: "domain state",
	description: "Returns state about a domain.",
	options: { domain: domainOption(), reason: flag("also print reason for the state") },
	async run(context, args) {
		const { state, reason } = await (await context.domain(args.domain)).state();
		context.print(args.reason ? `${STATE_WORDS[state]} (${REASON_WORDS[reason] ?? reason})` : STATE_WORDS[state]);
	},
});

/** Commands that print one fact of a domain. */
function identity(name: string, summary: string, fact: (domain: Domain) => string): CliCommand {
	return declare({
		name,
		summary,
		options: { domain: domainOption() },
		async run(context, args) {
			context.print(fact(await context.domain(args.domain)));
		},
	});
}

const domcontrol = declare({
	name: "domcontrol",
	summary: "domain control interface state",
	description: "Returns state of a control interface to the domain.",
	options: { domain: domainOption("active-domain") },
	async run(context, args) {
		const { state, details, stateTime } = await (await context.domain(args.domain)).call("DOMAIN_GET_CONTROL_INFO", {
			flags: 0,
		});
		const word = ["ok", "background job", "occupied", "error"][state] ?? "unknown";
		if (state === 3 && details > 0)
			context.print(`${word}: ${["", "unknown", "monitor failure", "internal (locking) error"][details] ?? "unknown"}`);
		else context.print(state === 0 || state === 3 ? word : `${word} (${(Number(stateTime) / 1000).toFixed(3)}s)`);
	},
});

const domstats = declare({
	name: "domstats",
	summary: "get statistics about one or multiple domains",
	description: "Gets statistics about one or more (or all) domains",
	options: {
		state: flag("report domain state"),
		"cpu-total": flag("report domain physical cpu usage"),
		balloon: flag("report domain balloon statistics"),
		vcpu: flag("report domain virtual cpu information"),
		interface: flag("report domain network interface information"),
		block: flag("report domain block device statistics"),
		perf: flag("report domain perf event statistics"),
		iothread: flag("report domain IOThread information"),
		memory: flag("report domain memory usage"),
		dirtyrate: flag("report domain dirty rate information"),
		vm: flag("report hypervisor-specific statistics"),
		"list-active": flag("list only active domains"),
		"list-inactive": flag("list only inactive domains"),
		"list-persistent": flag("list only persistent domains"),
		"list-transient": flag("list only transient domains"),
		"list-running": flag("list only running domains"),
		"list-paused": flag("list only paused domains"),
		"list-shutoff": flag("list only shutoff domains"),
		"list-other": flag("list only domains in other states"),
		raw: flag("do not pretty-print the fields"),
		enforce: flag("enforce requested stats parameters"),
		backing: flag("add backing chain information to block stats"),
		nowait: flag("report only stats that are accessible instantly"),
		domain: rest("list of domains to get stats for", { completes: "domain" }),
	},
	async run(context, args) {
		const groups = [
			args.state,
			args["cpu-total"],
			args.balloon,
			args.vcpu,
			args.interface,
			args.block,
			args.perf,
			args.iothread,
			args.memory,
			args.dirtyrate,
			args.vm,
		];
		const filters = [
			args["list-active"],
			args["list-inactive"],
			args["list-persistent"],
			args["list-transient"],
			args["list-running"],
			args["list-paused"],
			args["list-shutoff"],
			args["list-other"],
		];
		const bits = (switches: readonly boolean[]): number =>
			switches.reduce((sum, on, bit) => sum | (on ? 1 << bit : 0), 0);
		const extra = (args.nowait ? 1 << 29 : 0) | (args.backing ? 1 << 30 : 0) | (args.enforce ? 1 << 31 : 0);
		const { rpc } = await context.connection;
		const doms = await Promise.all(args.domain.map(async (spelled) => (await context.domain(spelled)).ref));
		const { retStats } = await rpc.call("CONNECT_GET_ALL_DOMAIN_STATS", {
			doms,
			stats: bits(groups),
			flags: (bits(filters) | extra) >>> 0,
		});
		if (context.options.json) {
			const objects = retStats.map(({ dom, params }) => ({
				domain: dom.name,
				...Object.fromEntries(
					params.map(({ field, value }) => [
						field,
						typeof value.value === "bigint" ? Number(value.value) : value.value,
					]),
				),
			}));
			return context.print(JSON.stringify(objects, undefined, 2));
		}
		for (const [index, { dom, params }] of retStats.entries()) {
			context.print(`${index === 0 ? "" : "\n"}Domain: '${dom.name}'`);
			for (const parameter of params) context.print(`  ${parameter.field}=${formatValue(parameter)}`);
		}
	},
});

/** Memory statistics by tag (virDomainMemoryStatTags). */
const MEMORY_STATS = [
	"swap_in",
	"swap_out",
	"major_fault",
	"minor_fault",
	"unused",
	"available",
	"actual",
	"rss",
	"usable",
	"last_update",
	"disk_caches",
	"hugetlb_pgalloc",
	"hugetlb_pgfail",
] as const;

const dommemstat = declare({
	name: "dommemstat",
	summary: "get memory statistics for a domain",
	description: "Get memory statistics for a running domain.",
	options: {
		domain: domainOption("active-domain"),
		period: namedNumber("period in seconds to set collection"),
		...affectOptions,
	},
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		if (args.period !== undefined) {
			if (args.period < 0) throw new CommandError(`Invalid collection period value '${args.period}'`);
			const set = domain.call("DOMAIN_SET_MEMORY_STATS_PERIOD", { period: args.period, flags });
			await orFail("Unable to change balloon collection period.", set);
			return;
		}
		const stats = await orFail(`Failed to get memory statistics for domain ${domain.name}`, domain.memoryStats());
		for (const [tag, value] of stats) context.print(`${MEMORY_STATS[tag] ?? tag} ${value}`);
	},
});

/** virDomainGetHostnameFlags */
const HOSTNAME_SOURCES: Readonly<Record<string, number>> = { lease: 1, agent: 2 };

const domhostname = declare({
	name: "domhostname",
	summary: "print the domain's hostname",
	options: {
		domain: domainOption("active-domain"),
		source: optional("where the name comes from: lease or agent", { completes: Object.keys(HOSTNAME_SOURCES) }),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const flags = args.source === undefined ? 0 : HOSTNAME_SOURCES[args.source];
		if (flags === undefined) throw new CommandError(`Unknown data source '${args.source}'`);
		context.print((await orFail("failed to get hostname", domain.call("DOMAIN_GET_HOSTNAME", { flags }))).hostname);
	},
});

export const monitorCommands: readonly CliCommand[] = [
	list,
	dominfo,
	domstate,
	identity("domid", "convert a domain name or UUID to domain id", ({ id }) => (id < 0 ? "-" : String(id))),
	identity("domname", "convert a domain id or UUID to domain name", ({ name }) => name),
	identity("domuuid", "convert a domain name or id to domain UUID", ({ uuid }) => uuid),
	domcontrol,
	domstats,
	dommemstat,
	domhostname,
];
