// Commands that move running guests to other hosts, and set how that is done.

import type { Domain } from "@virtkit/client/sdk/domain";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import { type CliContext, CommandError } from "../context.ts";
import {
	type Arguments,
	flag,
	namedNumber,
	needed,
	neededNumber,
	optional,
	optionalNumber,
} from "../grammar/command.ts";
import { formatSize } from "../output/size.ts";
import { PARAMETER_TYPE, text, ullong } from "../output/typed-parameter.ts";
import { type CliCommand, declare, domainOption, exclusive, requires } from "./declare.ts";
import { readFile } from "./definition.ts";
import { watchMigration } from "./migrate-watch.ts";

const active = domainOption("active-domain");

const migrateOptions = {
	domain: active,
	desturi: needed("URI of the daemon that it goes to, as this side sees it (with --p2p: as the source sees it)"),
	live: flag("the guest runs on meanwhile"),
	offline: flag("move the definition of a guest that does not run"),
	p2p: flag("the source leads"),
	direct: flag("the hypervisor moves it by itself"),
	tunnelled: flag("by way of the two daemons' connection", { alias: "tunneled" }),
	persistent: flag("it stays defined there"),
	undefinesource: flag("its definition here goes"),
	suspend: flag("it is paused there"),
	"copy-storage-all": flag("copy its disks whole"),
	"copy-storage-inc": flag("copy what its disks hold above images that both have"),
	"copy-storage-synchronous-writes": flag("its writes wait for the copy"),
	"change-protection": flag("refuse changes meanwhile"),
	unsafe: flag("though its disks may not be safe"),
	verbose: flag("show how far it is"),
	compressed: flag("compress repeated pages"),
	"auto-converge": flag("slow the guest down until it can be moved"),
	"rdma-pin-all": flag("pin all memory before it is sent by RDMA"),
	"abort-on-error": flag("give up on I/O errors"),
	postcopy: flag("allow it to run there before all of its memory is"),
	"postcopy-after-precopy": flag("have it do so after the first pass"),
	"postcopy-resume": flag("go on with one that lost its connection"),
	zerocopy: flag("send memory without copying it first"),
	migrateuri: optional("address that QEMU connects to"),
	graphicsuri: optional("address that viewers go on at"),
	"listen-address": optional("address that the destination listens at"),
	dname: optional("its name there"),
	timeout: optionalNumber("seconds, after which something is done"),
	"timeout-suspend": flag("that it is paused, so that it can be moved"),
	"timeout-postcopy": flag("that it goes on there at once"),
	xml: optional("file with its definition there", { completes: "file" }),
	"migrate-disks": optional("the disks that are copied, by target"),
	"disks-port": optionalNumber("port for the disks"),
	"disks-uri": optional("address for the disks"),
	"comp-methods": optional("how it is compressed: xbzrle, mt", { completes: ["xbzrle", "mt"] }),
	"comp-mt-level": optionalNumber("level of compression"),
	"comp-mt-threads": optionalNumber("threads that compress"),
	"comp-mt-dthreads": optionalNumber("threads that decompress"),
	"comp-xbzrle-cache": optionalNumber("bytes of the cache of pages"),
	"auto-converge-initial": optionalNumber("how much it is slowed down first, in per cent"),
	"auto-converge-increment": optionalNumber("how much more each time"),
	"persistent-xml": optional("file with its definition that stays there", { completes: "file" }),
	tls: flag("encrypt what is sent"),
	"postcopy-bandwidth": optionalNumber("MiB a second, once it runs there"),
	parallel: flag("by several connections"),
	"parallel-connections": optionalNumber("so many"),
	bandwidth: optionalNumber("MiB a second"),
	"tls-destination": optional("the destination's name in its certificate"),
	progress: flag("show what is left, the speeds, the expected end and the downtime"),
} as const;

type MigrateArguments = Arguments<typeof migrateOptions>;

/** virDomainMigrateFlags by option, in the SDK's names. */
const FLAGS = {
	live: "live",
	p2p: "peerToPeer",
	tunnelled: "tunnelled",
	persistent: "persistent",
	undefinesource: "undefineSource",
	suspend: "paused",
	"copy-storage-all": "nonSharedDisks",
	"copy-storage-inc": "nonSharedIncremental",
	"copy-storage-synchronous-writes": "synchronousWrites",
	"change-protection": "changeProtection",
	unsafe: "unsafe",
	offline: "offline",
	compressed: "compressed",
	"abort-on-error": "abortOnError",
	"auto-converge": "autoConverge",
	"rdma-pin-all": "rdmaPinAll",
	postcopy: "postcopy",
	"postcopy-resume": "postcopyResume",
	zerocopy: "zerocopy",
	tls: "tls",
	parallel: "parallel",
} as const;

type Kind = "text" | "list" | "file" | "int" | "ullong";

/** libvirt's parameters (VIR_MIGRATE_PARAM_*) by option. */
const PARAMETERS: { readonly [K in keyof MigrateArguments]?: readonly [field: string, kind: Kind] } = {
	migrateuri: ["migrate_uri", "text"],
	graphicsuri: ["graphics_uri", "text"],
	"listen-address": ["listen_address", "text"],
	"disks-port": ["disks_port", "int"],
	"disks-uri": ["disks_uri", "text"],
	dname: ["destination_name", "text"],
	"migrate-disks": ["migrate_disks", "list"],
	"comp-methods": ["compression", "list"],
	"comp-mt-level": ["compression.mt.level", "int"],
	"comp-mt-threads": ["compression.mt.threads", "int"],
	"comp-mt-dthreads": ["compression.mt.dthreads", "int"],
	"comp-xbzrle-cache": ["compression.xbzrle.cache", "ullong"],
	xml: ["destination_xml", "file"],
	"persistent-xml": ["persistent_xml", "file"],
	"auto-converge-initial": ["auto_converge.initial", "int"],
	"auto-converge-increment": ["auto_converge.increment", "int"],
	"postcopy-bandwidth": ["bandwidth.postcopy", "ullong"],
	"parallel-connections": ["parallel.connections", "int"],
	bandwidth: ["bandwidth", "ullong"],
	"tls-destination": ["tls.destination", "text"],
};

function parametersFrom(args: MigrateArguments): TypedParameter[] {
	return Object.entries(PARAMETERS).flatMap(([name, [field, kind]]): TypedParameter[] => {
		const value = args[name as keyof MigrateArguments];
		if (value === undefined || typeof value === "boolean") return [];
		if (kind === "list")
			return String(value)
				.split(",")
				.map((one) => text(field, one));
		if (kind === "file") return [text(field, readFile(String(value)))];
		if (kind === "text") return [text(field, String(value))];
		if (kind === "ullong") return [ullong(field, Number(value))];
		return [{ field, value: { type: PARAMETER_TYPE.int, value: Number(value) } }];
	});
}

function checkMigrate(args: MigrateArguments): void {
	exclusive(args, "live", "offline");
	exclusive(args, "timeout-suspend", "timeout-postcopy");
	requires(args, "postcopy-after-precopy", "postcopy");
	requires(args, "postcopy-resume", "postcopy");
	requires(args, "timeout-postcopy", "postcopy");
	requires(args, "persistent-xml", "persistent");
	requires(args, "tls-destination", "tls");
}

function checkTimeout(args: MigrateArguments): void {
	if ((args.timeout ?? 0) > 0 && !args.live)
		throw new CommandError("migrate: Unexpected timeout for offline migration");
	if (!args.timeout && (args["timeout-suspend"] || args["timeout-postcopy"]))
		throw new CommandError("migrate: Unexpected --timeout-* option without --timeout");
	if (args["copy-storage-synchronous-writes"] && !args["copy-storage-all"] && !args["copy-storage-inc"])
		throw new CommandError(
			"'--copy-storage-synchronous-writes' requires one of '--copy-storage-all', 'copy-storage-inc'",
		);
}

/** The migration itself, led by the source or by us. */
async function move(context: CliContext, domain: Domain, args: MigrateArguments): Promise<void> {
	const { migrateByPeer, migrateTo } = await import("@virtkit/client/sdk/migrate");
	const flags = Object.fromEntries(
		Object.entries(FLAGS).map(([option, name]) => [name, args[option as keyof typeof FLAGS]]),
	);
	const params = parametersFrom(args);
	const { rpc } = await context.connection;
	if (args.p2p || args.direct) return await migrateByPeer(rpc, domain, args.desturi, params, flags);
	const { connect } = await import("@virtkit/client/sdk/connection");
	await using destination = await connect(args.desturi);
	await migrateTo(rpc, domain, destination.rpc, params, flags);
}

/** Has the guest go on at the destination once its memory has been sent once. */
async function postcopyAfterFirst(context: CliContext, domain: Domain): Promise<AsyncDisposable> {
	const events = await (await context.connection).openEvents({ kinds: ["migration-iteration"], domain });
	void (async () => {
		for await (const event of events)
			if (event.kind === "migration-iteration" && event.iteration === 2)
				await domain.call("DOMAIN_MIGRATE_START_POST_COPY", { flags: 0 }).catch(() => undefined);
	})();
	return events;
}

const migrate = declare({
	name: "migrate",
	summary: "migrate domain to another host",
	description:
		"Moves a guest to another host while it runs. On a terminal, or with --progress, what is left, the speeds, the expected end and the downtime are shown meanwhile.",
	options: migrateOptions,
	async run(context, args) {
		checkMigrate(args);
		const domain = await context.domain(args.domain);
		checkTimeout(args);
		await using _ = args["postcopy-after-precopy"] ? await postcopyAfterFirst(context, domain) : undefined;
		const watch = {
			percent: args.verbose,
			details: args.progress || (process.stderr.isTTY === true && !context.options.quiet),
			timeout: args.timeout ?? 0,
			onTimeout: () =>
				args["timeout-postcopy"] ? domain.call("DOMAIN_MIGRATE_START_POST_COPY", { flags: 0 }) : domain.suspend(),
		};
		await watchMigration(context, domain, watch, move(context, domain, args));
	},
});

const setMaxDowntime = declare({
	name: "migrate-setmaxdowntime",
	summary: "set maximum tolerable downtime",
	description: "Sets how long a guest may stand still at the end of its migration.",
	options: { domain: active, downtime: neededNumber("milliseconds") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if (args.downtime < 1) throw new CommandError("migrate: Invalid downtime");
		await domain.call("DOMAIN_MIGRATE_SET_MAX_DOWNTIME", { downtime: BigInt(args.downtime), flags: 0 });
	},
});

const getMaxDowntime = declare({
	name: "migrate-getmaxdowntime",
	summary: "get maximum tolerable downtime",
	description: "Tells how long a guest may stand still at the end of its migration, in milliseconds.",
	options: { domain: active },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		context.print(String((await domain.call("DOMAIN_MIGRATE_GET_MAX_DOWNTIME", { flags: 0 })).downtime));
	},
});

const compcache = declare({
	name: "migrate-compcache",
	summary: "get/set compression cache size",
	description: "Shows or sets how much memory a compressed migration keeps pages in.",
	options: { domain: active, size: namedNumber("bytes") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if (args.size !== undefined)
			await domain.call("DOMAIN_MIGRATE_SET_COMPRESSION_CACHE", { cacheSize: BigInt(args.size), flags: 0 });
		const { cacheSize } = await domain.call("DOMAIN_MIGRATE_GET_COMPRESSION_CACHE", { flags: 0 });
		context.terminal.out(`Compression cache: ${formatSize(cacheSize)}`);
	},
});

const speedPostcopy = flag("once the guest runs there");

const setSpeed = declare({
	name: "migrate-setspeed",
	summary: "Set the maximum migration bandwidth",
	description: "Sets how fast a guest's migration may go.",
	options: { domain: active, bandwidth: neededNumber("MiB a second"), postcopy: speedPostcopy },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const flags = args.postcopy ? 1 : 0;
		await domain.call("DOMAIN_MIGRATE_SET_MAX_SPEED", { bandwidth: BigInt(args.bandwidth), flags });
	},
});

const getSpeed = declare({
	name: "migrate-getspeed",
	summary: "Get the maximum migration bandwidth",
	description: "Tells how fast a guest's migration may go, in MiB a second.",
	options: { domain: active, postcopy: speedPostcopy },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const flags = args.postcopy ? 1 : 0;
		context.print(String((await domain.call("DOMAIN_MIGRATE_GET_MAX_SPEED", { flags })).bandwidth));
	},
});

const postcopy = declare({
	name: "migrate-postcopy",
	summary: "Switch running migration from pre-copy to post-copy",
	description: "Has a guest whose migration allows it go on at the destination at once.",
	options: { domain: active },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		await domain.call("DOMAIN_MIGRATE_START_POST_COPY", { flags: 0 });
	},
});

const confirm = declare({
	name: "migrate-confirm",
	summary: "tell how a migration ended whose client went away",
	description:
		"A guest that was sent to another host stands still until its source is told whether it runs there. Where the client that led the migration went away before that, or the connection broke, look at the other host and tell it here.",
	options: {
		domain: active,
		arrived: flag("it runs over there: it is ended here"),
		cancelled: flag("it does not run over there: it goes on here"),
		undefinesource: flag("with --arrived: its definition here goes, too"),
	},
	async run(context, args) {
		exclusive(args, "arrived", "cancelled");
		requires(args, "undefinesource", "arrived");
		if (!args.arrived && !args.cancelled)
			throw new CommandError(
				"one of --arrived and --cancelled is needed: look whether the guest runs on the other host",
			);
		const domain = await context.domain(args.domain);
		const { confirmMigration } = await import("@virtkit/client/sdk/migrate");
		await confirmMigration(domain, args.arrived, { undefine: args.undefinesource });
		const what = args.arrived ? "runs on the other host, and no longer here" : "goes on here";
		context.terminal.out(`Domain '${domain.name}' ${what}\n`);
	},
});

export const migrateCommands: readonly CliCommand[] = [
	migrate,
	setMaxDowntime,
	getMaxDowntime,
	compcache,
	setSpeed,
	getSpeed,
	postcopy,
	confirm,
];
