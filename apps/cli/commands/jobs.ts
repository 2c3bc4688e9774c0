// Commands about the long operation that a domain is in: saving, dumping, migrating, backing up.

import type { Parameters } from "@virtkit/client/sdk/parameters";
import { flag } from "../grammar/command.ts";
import { formatSize } from "../output/size.ts";
import { type CliCommand, declare, domainOption, requires } from "./declare.ts";

/** virDomainJobType */
const JOB_TYPES = ["None", "Bounded", "Unbounded", "Completed", "Failed", "Cancelled"] as const;
const [BOUNDED, UNBOUNDED, COMPLETED] = [1, 2, 3];

/** virDomainJobOperation */
const OPERATIONS = [
	"Unknown",
	"Start",
	"Save",
	"Restore",
	"Incoming migration",
	"Outgoing migration",
	"Snapshot",
	"Snapshot revert",
	"Dump",
	"Backup",
	"Snapshot delete",
] as const;

type Format = (value: bigint) => string;
const size: Format = formatSize;
const rate: Format = (value) => `${formatSize(value)}/s`;
const padded =
	(unit: string, width = 12): Format =>
	(value) =>
		`${String(value).padEnd(width)}${unit}`;
const milliseconds = padded(" ms");

interface Row {
	readonly title: string;
	readonly field: string;
	readonly format: Format;
	/** Only where the group's totals are not all zero. */
	readonly group?: "data" | "memory" | "disk";
	/** Shown as zero where it is not told, or hidden where it is zero. */
	readonly zero?: "shown" | "hidden";
	/** Only of these kinds of jobs. */
	readonly types?: readonly number[];
}

/** The three amounts of a group. */
const amounts = (title: string, group: "data" | "memory" | "disk"): Row[] =>
	["processed", "remaining", "total"].map((what) => ({
		title: `${title} ${what}`,
		field: `${group}_${what}`,
		format: size,
		group,
		zero: "shown",
	}));

/** What virsh prints of libvirt's statistics (VIR_DOMAIN_JOB_*), in its order. */
const ROWS: readonly Row[] = [
	{ title: "Time elapsed", field: "time_elapsed", format: milliseconds, zero: "shown" },
	{ title: "Time elapsed w/o network", field: "time_elapsed_net", format: milliseconds },
	{ title: "Time remaining", field: "time_remaining", format: milliseconds, zero: "shown", types: [BOUNDED] },
	...amounts("Data", "data"),
	...amounts("Memory", "memory"),
	{ title: "Memory bandwidth", field: "memory_bps", format: rate, group: "memory", zero: "hidden" },
	{ title: "Dirty rate", field: "memory_dirty_rate", format: padded(" pages/s"), group: "memory" },
	{ title: "Page size", field: "memory_page_size", format: padded(" bytes"), group: "memory" },
	{ title: "Iteration", field: "memory_iteration", format: padded(""), group: "memory" },
	{ title: "Postcopy requests", field: "memory_postcopy_requests", format: padded(""), group: "memory" },
	...amounts("File", "disk"),
	{ title: "File bandwidth", field: "disk_bps", format: rate, group: "disk", zero: "hidden" },
	{ title: "Constant pages", field: "memory_constant", format: padded("") },
	{ title: "Normal pages", field: "memory_normal", format: padded("") },
	{ title: "Normal data", field: "memory_normal_bytes", format: size },
	{ title: "Total downtime", field: "downtime", format: milliseconds, types: [COMPLETED] },
	{ title: "Expected downtime", field: "downtime", format: milliseconds, types: [0, BOUNDED, UNBOUNDED, 4, 5] },
	{ title: "Downtime w/o network", field: "downtime_net", format: milliseconds },
	{ title: "Setup time", field: "setup_time", format: milliseconds },
	{ title: "Compression cache", field: "compression_cache", format: size },
	{ title: "Compressed data", field: "compression_bytes", format: size },
	{ title: "Compressed pages", field: "compression_pages", format: padded("", 13) },
	{ title: "Compression cache misses", field: "compression_cache_misses", format: padded("", 13) },
	{ title: "Compression overflows", field: "compression_overflow", format: padded("", 13) },
	{ title: "Auto converge throttle", field: "auto_converge_throttle", format: padded("", 13) },
	{ title: "Temporary disk space use", field: "disk_temp_used", format: size },
	{ title: "Temporary disk space total", field: "disk_temp_total", format: size },
];

const amount = (parameters: Parameters, field: string): bigint => BigInt(Number(parameters[field] ?? 0));

const hasGroup = (parameters: Parameters, group: string): boolean =>
	["total", "remaining", "processed"].some((what) => amount(parameters, `${group}_${what}`) !== 0n);

/** The lines below the operation: titles and values. */
function statistics(type: number, parameters: Parameters): [string, string][] {
	const shown = ROWS.filter(({ field, group, zero, types }) => {
		if (types && !types.includes(type)) return false;
		if (group && !hasGroup(parameters, group)) return false;
		if (zero === "shown") return true;
		return parameters[field] !== undefined && (zero !== "hidden" || amount(parameters, field) !== 0n);
	});
	const lines = shown.map(({ title, field, format }): [string, string] => [title, format(amount(parameters, field))]);
	return parameters.errmsg === undefined ? lines : [...lines, ["Error message", String(parameters.errmsg)]];
}

const domjobinfo = declare({
	name: "domjobinfo",
	summary: "domain job information",
	description: "Returns information about jobs running on a domain.",
	options: {
		domain: domainOption(),
		completed: flag("statistics of the last job that completed"),
		"keep-completed": flag("keep these statistics for the next time they are asked for"),
		anystats: flag("statistics of any kind of job, failed ones too"),
		rawstats: flag("statistics as the daemon tells them"),
	},
	async run(context, args) {
		requires(args, "keep-completed", "completed");
		const domain = await context.domain(args.domain);
		const { type, parameters } = await domain.jobStats({
			completed: args.completed,
			keepCompleted: args["keep-completed"],
		});
		if (context.options.json) {
			const told = Object.entries({ type, ...parameters });
			return context.print(
				JSON.stringify(Object.fromEntries(told.map(([name, value]) => [name, plain(value)])), undefined, 2),
			);
		}
		if (args.rawstats) {
			context.print(`Job type: ${type}\n`);
			for (const [name, value] of Object.entries(parameters)) context.print(`${name}: ${value}`);
			return;
		}
		const line = (title: string, value: string): void => context.print(`${`${title}:`.padEnd(17)} ${value}`);
		line("Job type", (JOB_TYPES[type] ?? "unknown").padEnd(12));
		if (type === 0) return;
		line("Operation", (OPERATIONS[Number(parameters.operation ?? 0)] ?? "unknown").padEnd(12));
		const going = type === BOUNDED || type === UNBOUNDED || (args.completed && type === COMPLETED);
		if (args.anystats || going) for (const [title, value] of statistics(type, parameters)) line(title, value);
	},
});

const plain = (value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);

const domjobabort = declare({
	name: "domjobabort",
	summary: "abort active domain job",
	description: "Aborts the currently running domain job",
	options: { domain: domainOption("active-domain"), postcopy: flag("stop a migration that is in its post-copy phase") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		await (args.postcopy ? domain.call("DOMAIN_ABORT_JOB_FLAGS", { flags: 1 }) : domain.abortJob());
	},
});

export const jobCommands: readonly CliCommand[] = [domjobinfo, domjobabort];
