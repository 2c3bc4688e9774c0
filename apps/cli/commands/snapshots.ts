// Commands for snapshots of domains.

import type { Domain } from "@virtkit/client/sdk/domain";
import { childNamed, type XmlElement } from "@virtkit/xml/node";
import { writeXml } from "@virtkit/xml/write";
import { type CliContext, CommandError, orFail } from "../context.ts";
import { flag, named, needed, optional, rest } from "../grammar/command.ts";
import { editText } from "../shell/editor.ts";
import { type CliCommand, declare, domainOption, exclusive } from "./declare.ts";
import { readFile } from "./definition.ts";
import {
	bitsOf,
	checkListing,
	childText,
	clash,
	createMoment,
	deleteMoment,
	listMoments,
	type Moment,
	momentFacts,
	momentXml,
	printParent,
	SNAPSHOT,
} from "./moments.ts";
import { printXml, xpathOptions } from "./print-xml.ts";
import { newDocument, snapshotDisk, snapshotMemory } from "./specs.ts";

const name = optional("the snapshot", { completes: "snapshot" });
const current = flag("the current snapshot");

/** The snapshot named, or the current one. Throws in virsh's words. */
async function find(
	context: CliContext,
	domain: Domain,
	spelled: string | undefined,
	useCurrent: boolean,
	option = "snapshotname",
): Promise<Moment> {
	const { rpc } = await context.connection;
	if (spelled !== undefined && useCurrent) throw new CommandError(`--${option} and --current are mutually exclusive`);
	if (spelled === undefined && !useCurrent) throw new CommandError(`--${option} or --current is required`);
	if (spelled !== undefined) return SNAPSHOT.lookup(rpc, domain.ref, spelled);
	return (await domain.call("DOMAIN_SNAPSHOT_CURRENT", { flags: 0 })).snap;
}

/** virDomainSnapshotCreateFlags */
const CREATE = {
	"no-metadata": 4,
	halt: 8,
	"disk-only": 16,
	"reuse-external": 32,
	quiesce: 64,
	atomic: 128,
	live: 256,
	validate: 512,
} as const;
const [REDEFINE, MAKE_CURRENT, DISK_ONLY] = [1, 2, 16];

const createOptions = {
	"no-metadata": flag("the daemon keeps nothing of it"),
	halt: flag("stop the guest once it is made"),
	"disk-only": flag("the disks alone, without memory"),
	"reuse-external": flag("the files to write are there already"),
	quiesce: flag("have the guest agent quiet its file systems"),
	atomic: flag("all of it or nothing"),
	live: flag("the guest runs on meanwhile"),
	validate: flag("hold the description against its schema"),
} as const;

const snapshotCreate = declare({
	name: "snapshot-create",
	summary: "Create a snapshot from XML",
	description: "Makes a snapshot that a file describes.",
	options: {
		domain: domainOption(),
		xmlfile: optional("file with its description", { completes: "file" }),
		redefine: flag("have the daemon know one that is there already"),
		current: flag("with --redefine: it is the current one"),
		...createOptions,
	},
	async run(context, args) {
		const redefine = args.redefine ? REDEFINE | (args.current ? MAKE_CURRENT : 0) : 0;
		const domain = await context.domain(args.domain);
		const xml = args.xmlfile === undefined ? "<domainsnapshot/>" : readFile(args.xmlfile);
		clash(SNAPSHOT, args, "CREATE", "redefine", "no-metadata");
		await createMoment(SNAPSHOT, context, domain, xml, redefine | bitsOf(CREATE, args), args.xmlfile);
	},
});

const snapshotCreateAs = declare({
	name: "snapshot-create-as",
	summary: "Create a snapshot from a set of args",
	description: "Makes a snapshot that the options describe.",
	options: {
		domain: domainOption(),
		name: optional("its name"),
		description: optional("what it is for"),
		"print-xml": flag("print the description instead of making it"),
		...createOptions,
		memspec: named("the memory: [file=]name[,snapshot=type]"),
		diskspec: rest("a disk: disk[,snapshot=type][,driver=type][,stype=type][,file=name]"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const memory = args.memspec === undefined ? undefined : snapshotMemory(args.memspec);
		const xml = writeXml(newDocument("domainsnapshot", args, memory, args.diskspec.map(snapshotDisk)));
		if (args["print-xml"]) return context.print(xml);
		await createMoment(SNAPSHOT, context, domain, xml, bitsOf(CREATE, args));
	},
});

const snapshotEdit = declare({
	name: "snapshot-edit",
	summary: "edit XML for a snapshot",
	description: "Opens an editor on a snapshot's description.",
	options: {
		domain: domainOption(),
		snapshotname: name,
		current: flag("the snapshot is, or becomes, the current one"),
		rename: flag("its name may change"),
		clone: flag("a new name is a new snapshot"),
	},
	async run(context, args) {
		exclusive(args, "rename", "clone");
		const domain = await context.domain(args.domain);
		const { rpc } = await context.connection;
		const snap = await find(context, domain, args.snapshotname, args.current && args.snapshotname === undefined);
		const before = await momentXml(SNAPSHOT, context, snap, 1);
		const after = await editText(before, `${snap.name}.xml`);
		if (after === before) return context.say(`Snapshot ${snap.name} XML configuration not changed.`);
		const disk = after.includes("<state>disk-snapshot</state>") ? DISK_ONLY : 0;
		const flags = REDEFINE | (args.current ? MAKE_CURRENT : 0) | disk;
		const defined = domain.call("DOMAIN_SNAPSHOT_CREATE_XML", { xmlDesc: after, flags });
		const edited = (await orFail(`Failed to update ${snap.name}`, defined)).snap;
		if (edited.name === snap.name) return context.say(`Snapshot ${snap.name} edited.`);
		if (args.clone) return context.say(`Snapshot ${snap.name} cloned to ${edited.name}.`);
		// What is not wanted is forgotten, not deleted.
		await rpc.call("DOMAIN_SNAPSHOT_DELETE", { snap: args.rename ? snap : edited, flags: 2 });
		if (!args.rename) throw new CommandError(`Must use --rename or --clone to change ${snap.name} to ${edited.name}`);
		context.say(`Snapshot ${snap.name} edited.`);
	},
});

const snapshotCurrent = declare({
	name: "snapshot-current",
	summary: "Get or set the current snapshot",
	description: "Prints the description of a domain's current snapshot, or makes another the current one.",
	options: {
		domain: domainOption(),
		name: flag("its name alone"),
		"security-info": flag("include security sensitive information in XML dump"),
		snapshotname: optional("the one that becomes the current", { completes: "snapshot" }),
	},
	async run(context, args) {
		exclusive(args, "name", "snapshotname");
		const domain = await context.domain(args.domain);
		if (args.snapshotname !== undefined) {
			const xmlDesc = await momentXml(SNAPSHOT, context, await find(context, domain, args.snapshotname, false), 1);
			const disk = xmlDesc.includes("<state>disk-snapshot</state>") ? DISK_ONLY : 0;
			await domain.call("DOMAIN_SNAPSHOT_CREATE_XML", { xmlDesc, flags: REDEFINE | MAKE_CURRENT | disk });
			return context.sayInline(`Snapshot ${args.snapshotname} set as current`);
		}
		const { result } = await domain.call("DOMAIN_HAS_CURRENT_SNAPSHOT", { flags: 0 });
		if (!result) throw new CommandError(`domain '${args.domain}' has no current snapshot`);
		const snap = await find(context, domain, undefined, true);
		context.terminal.out(
			args.name ? snap.name : await momentXml(SNAPSHOT, context, snap, args["security-info"] ? 1 : 0),
		);
	},
});

const snapshotInfo = declare({
	name: "snapshot-info",
	summary: "snapshot information",
	description: "Tells of a snapshot: its state, where it is, its parent and children.",
	options: { domain: domainOption(), snapshotname: name, current },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const snap = await find(context, domain, args.snapshotname, args.current);
		const { rpc } = await context.connection;
		const count = async (flags: number): Promise<string> =>
			String((await rpc.call("DOMAIN_SNAPSHOT_NUM_CHILDREN", { snap, flags })).num);
		const { document, parent } = await momentFacts(SNAPSHOT, context, snap);
		const isCurrent = await rpc.call("DOMAIN_SNAPSHOT_IS_CURRENT", { snap, flags: 0 }).catch(() => undefined);
		const metadata = await rpc.call("DOMAIN_SNAPSHOT_HAS_METADATA", { snap, flags: 0 });
		context.facts(
			[
				["Name", snap.name],
				["Domain", domain.name],
				["Current", isCurrent?.current ? "yes" : "no"],
				["State", childText(document, "state") ?? ""],
				["Location", isExternal(document) ? "external" : "internal"],
				["Parent", parent ?? "-"],
				["Children", await count(0)],
				["Descendants", await count(1)],
				["Metadata", metadata.metadata ? "yes" : "no"],
			],
			16,
		);
	},
});

/** Whether memory or a disk of it is in a file of its own. */
function isExternal(document: XmlElement): boolean {
	const memory = childNamed(document, "memory");
	if (!memory) return childText(document, "state") === "disk-snapshot";
	const disks = childNamed(document, "disks")?.children ?? [];
	return [memory, ...disks].some((one) => typeof one !== "string" && one.attributes.snapshot === "external");
}

/** virDomainSnapshotListFlags that a tree cannot be filtered by, and those that it can. */
const FILTERS = {
	leaves: 4,
	"no-leaves": 8,
	inactive: 32,
	active: 64,
	"disk-only": 128,
	internal: 256,
	external: 512,
} as const;
const MORE_FILTERS = { topological: 1024, roots: 1, metadata: 2, "no-metadata": 16, descendants: 1 } as const;

const snapshotList = declare({
	name: "snapshot-list",
	summary: "List snapshots for a domain",
	description: "Lists the snapshots of a domain.",
	options: {
		domain: domainOption(),
		parent: flag("with the parent of each"),
		roots: flag("those without a parent"),
		leaves: flag("those without children"),
		"no-leaves": flag("those with children"),
		metadata: flag("those that keep the domain from being undefined"),
		"no-metadata": flag("those that the daemon keeps nothing of"),
		inactive: flag("those taken while the domain did not run"),
		active: flag("those with memory"),
		"disk-only": flag("those of disks alone"),
		internal: flag("those inside the images"),
		external: flag("those in files of their own"),
		tree: flag("as a tree"),
		from: optional("those below this one", { completes: "snapshot" }),
		current: flag("those below the current one"),
		descendants: flag("with --from: the children's children too"),
		name: flag("names alone"),
		topological: flag("parents before their children"),
	},
	async run(context, args) {
		checkListing(args, Object.keys(FILTERS));
		exclusive(args, "roots", "current");
		const below = args.from !== undefined || args.current;
		if (args.descendants && !below) throw new CommandError("--descendants requires either --from or --current");
		const domain = await context.domain(args.domain);
		const flags = bitsOf(FILTERS, args) | bitsOf(MORE_FILTERS, args);
		const start = below ? await find(context, domain, args.from, args.current, "from") : undefined;
		await listMoments(SNAPSHOT, context, domain, args, { start, flags, columns: { State: "state" } });
	},
});

const snapshotDumpxml = declare({
	name: "snapshot-dumpxml",
	summary: "Dump XML for a domain snapshot",
	description: "Prints a snapshot's description.",
	options: {
		domain: domainOption(),
		snapshotname: needed("the snapshot", { completes: "snapshot" }),
		"security-info": flag("include security sensitive information in XML dump"),
		...xpathOptions,
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const snap = await find(context, domain, args.snapshotname, false);
		await printXml(context, await momentXml(SNAPSHOT, context, snap, args["security-info"] ? 1 : 0), args);
	},
});

const snapshotParent = declare({
	name: "snapshot-parent",
	summary: "Get the name of the parent of a snapshot",
	description: "Prints the name of a snapshot's parent.",
	options: { domain: domainOption(), snapshotname: name, current },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const snap = await find(context, domain, args.snapshotname, args.current);
		await printParent(SNAPSHOT, context, snap);
	},
});

/** virDomainSnapshotRevertFlags */
const REVERT = { running: 1, paused: 2, force: 4, "reset-nvram": 8 } as const;

const snapshotRevert = declare({
	name: "snapshot-revert",
	summary: "Revert a domain to a snapshot",
	description: "Brings a domain back to what it was.",
	options: {
		domain: domainOption(),
		snapshotname: name,
		current,
		running: flag("the guest runs afterwards"),
		paused: flag("the guest is paused afterwards"),
		force: flag("though what it is now may be lost"),
		"reset-nvram": flag("re-initialize NVRAM from its pristine template"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const snap = await find(context, domain, args.snapshotname, args.current);
		const { rpc } = await context.connection;
		const revert = async (): Promise<void> => {
			clash(SNAPSHOT, args, "REVERT", "running", "paused");
			await rpc.call("DOMAIN_REVERT_TO_SNAPSHOT", { snap, flags: bitsOf(REVERT, args) });
		};
		await orFail(`Failed to revert snapshot ${snap.name}`, revert());
		context.say(`Domain snapshot ${snap.name} reverted`);
	},
});

const snapshotDelete = declare({
	name: "snapshot-delete",
	summary: "Delete a domain snapshot",
	description: "Deletes a snapshot: what it holds becomes part of what is below it.",
	options: {
		domain: domainOption(),
		snapshotname: name,
		current,
		children: flag("and all below it"),
		"children-only": flag("all below it, but not itself"),
		metadata: flag("what the daemon keeps of it alone"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const snap = await find(context, domain, args.snapshotname, args.current);
		await deleteMoment(SNAPSHOT, context, snap, args);
		context.say(`Domain snapshot ${snap.name} ${args["children-only"] ? "children " : ""}deleted`);
	},
});

export const snapshotCommands: readonly CliCommand[] = [
	snapshotCreate,
	snapshotCreateAs,
	snapshotCurrent,
	snapshotDelete,
	snapshotDumpxml,
	snapshotEdit,
	snapshotInfo,
	snapshotList,
	snapshotParent,
	snapshotRevert,
];
