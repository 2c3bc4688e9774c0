// Commands that copy, merge and resize the disks of running guests, and back them up.

import type { Domain } from "@virtkit/client/sdk/domain";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import { xmlElement } from "@virtkit/xml/node";
import { writeXml } from "@virtkit/xml/write";
import { type CliContext, CommandError, orFail } from "../context.ts";
import {
	type Arguments,
	flag,
	needed,
	neededSize,
	optional,
	optionalNumber,
	optionalSize,
} from "../grammar/command.ts";
import { formatSize, parseBytes } from "../output/size.ts";
import { PARAMETER_TYPE, ullong } from "../output/typed-parameter.ts";
import { checkWaiting, failUnlessDone, runBlockJob, showProgress } from "./block-wait.ts";
import { type CliCommand, declare, domainOption, exclusive, requires } from "./declare.ts";
import { readFile } from "./definition.ts";
import { BLOCK_JOB_TYPES } from "./events.ts";
import { printXml, xpathOptions } from "./print-xml.ts";

const MIB = 1048576n;
const path = needed("the disk's target, or its source", { completes: "disk" });
const bandwidthOption = optionalSize("most MiB a second, or bytes with --bytes");
const bytesOption = flag("the bandwidth is in bytes a second");
const timeoutOption = optionalNumber("with --wait: seconds, after which the job is aborted");
const asyncOption = flag("with --wait: do not wait for an abort to be done");

/** The bandwidth in the unit that the call takes: MiB a second, or bytes. */
function bandwidthOf({
	bandwidth,
	bytes,
}: {
	readonly bandwidth?: string | undefined;
	readonly bytes: boolean;
}): bigint {
	if (bandwidth === undefined) return 0n;
	if (bytes) return parseBytes(bandwidth, 1n, "bandwidth");
	// A plain number counts MiB; one with a unit is brought to them.
	return /^\s*\+?\d+$/.test(bandwidth) ? BigInt(bandwidth) : parseBytes(bandwidth, MIB, "bandwidth") / MIB;
}

/** The sum of the bits whose options are given. */
const bits = (switches: readonly (readonly [boolean, number])[]): number =>
	switches.reduce((sum, [on, bit]) => sum | (on ? bit : 0), 0);

/** virDomainBlockJobAbortFlags */
const [ABORT_ASYNC, ABORT_PIVOT] = [1, 2];

async function endJob(domain: Domain, disk: string, pivot: boolean, async: boolean): Promise<void> {
	const flags = bits([
		[pivot, ABORT_PIVOT],
		[async, ABORT_ASYNC],
	]);
	const end = domain.call("DOMAIN_BLOCK_JOB_ABORT", { path: disk, flags });
	await orFail(`failed to ${pivot ? "pivot" : "finish"} job for disk ${disk}`, end);
}

const blockcommit = declare({
	name: "blockcommit",
	summary: "Start a block commit operation.",
	description: "Writes what an image of a disk's chain holds into the image below it.",
	options: {
		domain: domainOption("active-domain"),
		path,
		bandwidth: bandwidthOption,
		base: optional("the image that is written into (the lowest)", { completes: "file" }),
		shallow: flag("the image below the top one is written into"),
		top: optional("the highest image that is merged (the one below the active)", { completes: "file" }),
		active: flag("the active image is merged, in two phases"),
		delete: flag("delete the files that are merged"),
		wait: flag("wait for the job to end"),
		verbose: flag("with --wait: show how far it is"),
		timeout: timeoutOption,
		pivot: flag("--active --wait, then go on with the base"),
		"keep-overlay": flag("--active --wait, then go on with the overlay"),
		async: asyncOption,
		"keep-relative": flag("keep relative names of images"),
		bytes: bytesOption,
	},
	async run(context, args) {
		const keep = args["keep-overlay"];
		exclusive(args, "pivot", "keep-overlay");
		const bandwidth = bandwidthOf(args);
		const active = args.active || args.pivot || keep;
		const blocking = args.wait || args.pivot || keep || args.timeout !== undefined;
		checkWaiting(args, blocking, "keep-overlay");
		const domain = await context.domain(args.domain);
		const flags = bits([
			[args.shallow, 1],
			[args.delete, 2],
			[active, 4],
			[args["keep-relative"], 8],
			[args.bytes, 16],
		]);
		const { path: disk, base = null, top = null } = args;
		const start = () => domain.call("DOMAIN_BLOCK_COMMIT", { disk, base, top, bandwidth, flags });
		if (!blocking) {
			await start();
			return context.sayInline(active ? "Active Block Commit started" : "Block Commit started");
		}
		const status = await runBlockJob(context, domain, { ...args, disk, label: "Block commit" }, start);
		failUnlessDone(context, "Commit", status);
		if (!active) return context.sayInline("\nCommit complete");
		if (!args.pivot && !keep) return context.sayInline("\nNow in synchronized phase");
		await endJob(domain, disk, args.pivot, args.async);
		context.sayInline(args.pivot ? "\nSuccessfully pivoted" : "\nCommit complete, overlay image kept");
	},
});

const blockpull = declare({
	name: "blockpull",
	summary: "Populate a disk from its backing image.",
	description: "Copies what a disk's lower images hold into its active one.",
	options: {
		domain: domainOption("active-domain"),
		path,
		bandwidth: bandwidthOption,
		base: optional("the image that stays below it (none)", { completes: "file" }),
		wait: flag("wait for the job to end"),
		verbose: flag("with --wait: show how far it is"),
		timeout: timeoutOption,
		async: asyncOption,
		"keep-relative": flag("keep relative names of images"),
		bytes: bytesOption,
	},
	async run(context, args) {
		requires(args, "verbose", "wait");
		requires(args, "async", "wait");
		const bandwidth = bandwidthOf(args);
		checkWaiting({ ...args, verbose: false, async: false }, args.wait, "");
		const domain = await context.domain(args.domain);
		const { path: disk, base } = args;
		const rebase = base !== undefined || args["keep-relative"];
		const flags = (args.bytes ? 64 : 0) | (args["keep-relative"] ? 16 : 0);
		const start = (): Promise<unknown> =>
			rebase
				? domain.call("DOMAIN_BLOCK_REBASE", { path: disk, base: base ?? null, bandwidth, flags })
				: domain.call("DOMAIN_BLOCK_PULL", { path: disk, bandwidth, flags });
		if (!args.wait) {
			await start();
			return context.sayInline("Block Pull started");
		}
		const status = await runBlockJob(context, domain, { ...args, disk, label: "Block Pull" }, start);
		failUnlessDone(context, "Pull", status);
		context.sayInline("\nPull complete");
	},
});

const copyOptions = {
	domain: domainOption("active-domain"),
	path,
	dest: optional("the file that it is copied to", { completes: "file" }),
	bandwidth: bandwidthOption,
	shallow: flag("copy the active image alone"),
	"reuse-external": flag("the copy is there already, of the right size"),
	blockdev: flag("the copy is a block device"),
	wait: flag("wait for the two to be the same"),
	verbose: flag("with --wait: show how far it is"),
	timeout: timeoutOption,
	pivot: flag("--wait, then go on with the copy"),
	finish: flag("--wait, then go on with the disk"),
	async: asyncOption,
	xml: optional("file with the copy's description", { completes: "file" }),
	format: optional("the copy's format", { alias: "raw=raw", completes: ["raw", "qcow2"] }),
	granularity: optionalNumber("bytes that are copied at once, a power of two"),
	"buf-size": optionalNumber("most bytes on their way"),
	bytes: bytesOption,
	"transient-job": flag("the job ends with the guest"),
	"synchronous-writes": flag("the guest's writes wait for the copy"),
	"print-xml": flag("print the copy's description instead of copying"),
} as const;

type CopyArguments = Arguments<typeof copyOptions>;

function copyParameters(args: CopyArguments, bandwidth: bigint): TypedParameter[] {
	const { granularity = 0, "buf-size": size = 0 } = args;
	return [
		...(bandwidth === 0n ? [] : [ullong("bandwidth", args.bytes ? bandwidth : bandwidth * MIB)]),
		...(granularity ? [{ field: "granularity", value: { type: PARAMETER_TYPE.uint, value: granularity } }] : []),
		...(size ? [ullong("buf-size", size)] : []),
	];
}

function copyXml({ xml, dest, blockdev, format }: CopyArguments): string {
	if (xml !== undefined) return readFile(xml);
	return writeXml(
		xmlElement("disk", { type: blockdev ? "block" : "file" }, [
			xmlElement("source", { [blockdev ? "dev" : "file"]: dest }),
			format === undefined ? undefined : xmlElement("driver", { type: format }),
		]),
	);
}

/** Whether the copy needs the newer call, which takes its description. */
const needsDescription = (args: CopyArguments): boolean =>
	Boolean(args.granularity || args["buf-size"] || (args.format ?? "raw") !== "raw" || args.xml !== undefined) ||
	args["transient-job"] ||
	args["synchronous-writes"] ||
	args["print-xml"];

function startCopy(domain: Domain, args: CopyArguments): Promise<unknown> {
	const bandwidth = bandwidthOf(args);
	const both = bits([
		[args.shallow, 1],
		[args["reuse-external"], 2],
	]);
	if (needsDescription(args)) {
		const flags = both | (args["transient-job"] ? 4 : 0) | (args["synchronous-writes"] ? 8 : 0);
		const params = copyParameters(args, bandwidth);
		return domain.call("DOMAIN_BLOCK_COPY", { path: args.path, destxml: copyXml(args), params, flags });
	}
	const flags = bits([
		[args.format === "raw", 4],
		[true, 8],
		[args.blockdev, 32],
		[args.bytes, 64],
	]);
	return domain.call("DOMAIN_BLOCK_REBASE", {
		path: args.path,
		base: args.dest ?? null,
		bandwidth,
		flags: both | flags,
	});
}

const blockcopy = declare({
	name: "blockcopy",
	summary: "Start a block copy operation.",
	description: "Copies a disk while the guest runs, and keeps the two the same until one is chosen.",
	options: copyOptions,
	async run(context, args) {
		const blocking = args.wait || args.pivot || args.finish || args.timeout !== undefined;
		exclusive(args, "dest", "xml");
		exclusive(args, "format", "xml");
		exclusive(args, "blockdev", "xml");
		exclusive(args, "pivot", "finish");
		if (args.dest === undefined && args.xml === undefined) throw new CommandError("need either --dest or --xml");
		checkWaiting(args, blocking, "finish");
		const domain = await context.domain(args.domain);
		if (args["print-xml"]) return context.terminal.out(copyXml(args));
		const start = () => startCopy(domain, args);
		if (!blocking) {
			await start();
			return context.sayInline("Block Copy started");
		}
		const disk = args.path;
		const status = await runBlockJob(context, domain, { ...args, disk, label: "Block Copy" }, start);
		failUnlessDone(context, "Copy", status);
		if (!args.pivot && !args.finish) return context.sayInline("\nNow in mirroring phase");
		await endJob(domain, disk, args.pivot, args.async);
		context.sayInline(args.pivot ? "\nSuccessfully pivoted" : "\nSuccessfully copied");
	},
});

const blockjob = declare({
	name: "blockjob",
	summary: "Manage active block operations",
	description: "Shows the job of a disk, ends it, or limits its speed.",
	options: {
		domain: domainOption("active-domain"),
		path,
		abort: flag("end the job"),
		async: flag("do not wait for the end"),
		pivot: flag("go on with the copy, or the base"),
		info: flag("show the job"),
		bytes: flag("the bandwidth, set or shown, is in bytes a second"),
		raw: flag("show what the daemon tells as it is"),
		bandwidth: optionalSize("set the most MiB a second, or bytes with --bytes"),
	},
	async run(context, args) {
		for (const shown of ["raw", "info"] as const)
			for (const done of ["abort", "pivot", "async", "bandwidth"] as const) exclusive(args, shown, done);
		for (const done of ["abort", "pivot", "async"] as const) exclusive(args, "bytes", done);
		const domain = await context.domain(args.domain);
		const { path: disk, bytes } = args;
		if (args.bandwidth !== undefined) {
			const speed = { path: disk, bandwidth: bandwidthOf(args), flags: bytes ? 1 : 0 };
			return domain.call("DOMAIN_BLOCK_JOB_SET_SPEED", speed);
		}
		if (args.abort || args.pivot || args.async)
			return domain.call("DOMAIN_BLOCK_JOB_ABORT", {
				path: disk,
				flags: (args.async ? ABORT_ASYNC : 0) | (args.pivot ? ABORT_PIVOT : 0),
			});
		await showJob(context, domain, disk, args);
	},
});

async function showJob(
	context: CliContext,
	domain: Domain,
	disk: string,
	{ raw, bytes }: { readonly raw: boolean; readonly bytes: boolean },
): Promise<void> {
	const flags = bytes || !raw ? 1 : 0;
	const job = await domain.call("DOMAIN_GET_BLOCK_JOB_INFO", { path: disk, flags });
	const { found, type, bandwidth, cur, end } = job;
	if (context.options.json) {
		const facts = { type: BLOCK_JOB_TYPES[type] ?? "unknown", bandwidth, cur, end };
		return context.facts(found ? Object.entries(facts).map(([name, value]) => [name, String(value)]) : [], 0);
	}
	if (!found) {
		if (!raw) context.sayInline(`No current block job for ${disk}`);
		return;
	}
	if (raw) {
		const word = BLOCK_JOB_TYPES[type] ?? "Unknown job";
		return context.print(` type=${word}\n bandwidth=${bandwidth}\n cur=${cur}\n end=${end}`);
	}
	showProgress(context, BLOCK_JOB_TYPES[type] ?? "Unknown job", end - cur, end);
	context.print(bandwidth ? `    Bandwidth limit: ${bandwidth} bytes/s (${formatSize(bandwidth)}/s)` : "");
}

const blockresize = declare({
	name: "blockresize",
	summary: "Resize block device of domain.",
	description: "Changes the size of a disk while the guest runs.",
	options: {
		domain: domainOption("active-domain"),
		path,
		size: neededSize("the new size, in KiB unless it has a unit"),
	},
	async run(context, args) {
		const bytes = parseBytes(args.size, 1024n, "size");
		// The older unit where it fits.
		const [size, flags] = bytes % 1024n === 0n ? [bytes / 1024n, 0] : [bytes, 1];
		const domain = await context.domain(args.domain);
		const disk = args.path;
		await orFail(`Failed to resize block device '${disk}'`, domain.call("DOMAIN_BLOCK_RESIZE", { disk, size, flags }));
		context.sayInline(`Block device '${disk}' is resized`);
	},
});

const backupBegin = declare({
	name: "backup-begin",
	summary: "Start a disk backup of a live domain",
	description: "Copies what disks hold at this moment, all of it or what changed since a checkpoint.",
	options: {
		domain: domainOption("active-domain"),
		backupxml: optional("file that says what is backed up, and where to", { completes: "file" }),
		checkpointxml: optional("file with a checkpoint to make at the same moment", { completes: "file" }),
		"reuse-external": flag("the files to write are there already"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const backupXml = args.backupxml === undefined ? "<domainbackup/>" : readFile(args.backupxml);
		const checkpointXml = args.checkpointxml === undefined ? null : readFile(args.checkpointxml);
		const flags = args["reuse-external"] ? 1 : 0;
		await domain.call("DOMAIN_BACKUP_BEGIN", { backupXml, checkpointXml, flags });
		context.say("Backup started");
	},
});

const backupDumpxml = declare({
	name: "backup-dumpxml",
	summary: "Dump XML for an ongoing domain block backup job",
	description: "Prints the description of the backup that is under way.",
	options: { domain: domainOption("active-domain"), ...xpathOptions },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		await printXml(context, (await domain.call("DOMAIN_BACKUP_GET_XML_DESC", { flags: 0 })).xml, args);
	},
});

export const blockCommands: readonly CliCommand[] = [blockcommit, blockpull, blockcopy, blockjob, blockresize];
export const backupCommands: readonly CliCommand[] = [backupBegin, backupDumpxml];
