// Commands for checkpoints of domains: moments since which an incremental backup can be made.

import type { Domain } from "@virtkit/client/sdk/domain";
import type { RetOf } from "@virtkit/protocol/procedure-types";
import { childNamed, textOf } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { writeXml } from "@virtkit/xml/write";
import { type CliContext, CommandError, orFail } from "../context.ts";
import { flag, optional, rest } from "../grammar/command.ts";
import { formatLocalTime } from "../output/time.ts";
import { formatTree } from "../output/tree.ts";
import { editText } from "../shell/editor.ts";
import { type CliCommand, declare, domainOption, exclusive } from "./declare.ts";
import { readFile } from "./definition.ts";
import { bitsOf, checkListing, DELETE, printNames } from "./snapshots.ts";
import { checkpointDisk, newDocument } from "./specs.ts";

type Checkpoint = RetOf<"DOMAIN_CHECKPOINT_LOOKUP_BY_NAME">["checkpoint"];

const checkpointname = optional("the checkpoint", { completes: "checkpoint" });

/** The checkpoint of that name. Throws in virsh's words where none is given. */
async function find(domain: Domain, name: string | undefined, option = "checkpointname"): Promise<Checkpoint> {
	if (name === undefined) throw new CommandError(`--${option} is required`);
	return (await domain.call("DOMAIN_CHECKPOINT_LOOKUP_BY_NAME", { name, flags: 0 })).checkpoint;
}

async function xmlOf(context: CliContext, checkpoint: Checkpoint, flags: number): Promise<string> {
	const { rpc } = await context.connection;
	return (await rpc.call("DOMAIN_CHECKPOINT_GET_XML_DESC", { checkpoint, flags })).xml;
}

const NO_DOMAIN = 2;

/** The time of a checkpoint in seconds since 1970, and its parent's name. */
async function factsOf(
	context: CliContext,
	checkpoint: Checkpoint,
): Promise<{ time: number; parent: string | undefined }> {
	const document = parseXml(await xmlOf(context, checkpoint, NO_DOMAIN));
	const time = childNamed(document, "creationTime");
	const parent = childNamed(childNamed(document, "parent") ?? document, "name");
	return {
		time: Number(time ? textOf(time) : 0),
		parent: childNamed(document, "parent") && parent ? textOf(parent) : undefined,
	};
}

/** virDomainCheckpointCreateFlags */
const CREATE = { redefine: 1, quiesce: 2, "redefine-validate": 4 } as const;

async function create(
	context: CliContext,
	domain: Domain,
	xmlDesc: string,
	flags: number,
	from?: string,
): Promise<void> {
	const { checkpoint } = await domain.call("DOMAIN_CHECKPOINT_CREATE_XML", { xmlDesc, flags });
	context.sayInline(`Domain checkpoint ${checkpoint.name} created${from === undefined ? "" : ` from '${from}'`}`);
}

const checkpointCreate = declare({
	name: "checkpoint-create",
	summary: "Create a checkpoint from XML",
	description: "Makes a checkpoint that a file describes.",
	options: {
		domain: domainOption(),
		xmlfile: optional("file with its description", { completes: "file" }),
		redefine: flag("have the daemon know one that is there already"),
		"redefine-validate": flag("the same, and look whether it is there"),
		quiesce: flag("have the guest agent quiet its file systems"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const xml = args.xmlfile === undefined ? "<domaincheckpoint/>" : readFile(args.xmlfile);
		const flags = bitsOf(CREATE, args) | (args["redefine-validate"] ? CREATE.redefine : 0);
		await create(context, domain, xml, flags, args.xmlfile);
	},
});

const checkpointCreateAs = declare({
	name: "checkpoint-create-as",
	summary: "Create a checkpoint from a set of args",
	description: "Makes a checkpoint that the options describe.",
	options: {
		domain: domainOption(),
		name: optional("its name"),
		description: optional("what it is for"),
		"print-xml": flag("print the description instead of making it"),
		quiesce: flag("have the guest agent quiet its file systems"),
		diskspec: rest("a disk: disk[,checkpoint=type][,bitmap=name]"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const xml = writeXml(newDocument("domaincheckpoint", args, undefined, args.diskspec.map(checkpointDisk)));
		if (args["print-xml"]) return context.print(xml);
		await create(context, domain, xml, args.quiesce ? CREATE.quiesce : 0);
	},
});

const checkpointEdit = declare({
	name: "checkpoint-edit",
	summary: "edit XML for a checkpoint",
	description: "Opens an editor on a checkpoint's description.",
	options: { domain: domainOption(), checkpointname },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const { rpc } = await context.connection;
		const checkpoint = await find(domain, args.checkpointname);
		const { name } = checkpoint;
		const before = await xmlOf(context, checkpoint, 1);
		const after = await editText(before, `${name}.xml`);
		if (after === before) return context.say(`Checkpoint ${name} XML configuration not changed.`);
		const define = domain.call("DOMAIN_CHECKPOINT_CREATE_XML", { xmlDesc: after, flags: CREATE.redefine });
		const edited = (await orFail(`Failed to update ${name}`, define)).checkpoint;
		if (edited.name === name) return context.say(`Checkpoint ${name} edited.`);
		await rpc.call("DOMAIN_CHECKPOINT_DELETE", { checkpoint: edited, flags: DELETE.metadata });
		throw new CommandError(`Cannot rename checkpoint ${name} to ${edited.name}`);
	},
});

const checkpointInfo = declare({
	name: "checkpoint-info",
	summary: "checkpoint information",
	description: "Tells of a checkpoint: its parent and children.",
	options: { domain: domainOption(), checkpointname },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const checkpoint = await find(domain, args.checkpointname);
		const { rpc } = await context.connection;
		const count = async (flags: number): Promise<string> =>
			String((await rpc.call("DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN", { checkpoint, needResults: 0, flags })).ret);
		context.facts(
			[
				["Name", checkpoint.name],
				["Domain", domain.name],
				["Parent", (await factsOf(context, checkpoint)).parent ?? "-"],
				["Children", await count(0)],
				["Descendants", await count(1)],
			],
			16,
		);
	},
});

/** virDomainCheckpointListFlags */
const FILTERS = { leaves: 4, "no-leaves": 8 } as const;
const MORE_FILTERS = { topological: 2, roots: 1, descendants: 1 } as const;

const checkpointList = declare({
	name: "checkpoint-list",
	summary: "List checkpoints for a domain",
	description: "Lists the checkpoints of a domain.",
	options: {
		domain: domainOption(),
		parent: flag("with the parent of each"),
		roots: flag("those without a parent"),
		leaves: flag("those without children"),
		"no-leaves": flag("those with children"),
		tree: flag("as a tree"),
		from: optional("those below this one", { completes: "checkpoint" }),
		descendants: flag("with --from: the children's children too"),
		name: flag("names alone"),
		topological: flag("parents before their children"),
	},
	async run(context, args) {
		checkListing(args, Object.keys(FILTERS));
		if (args.descendants && args.from === undefined) throw new CommandError("--descendants requires --from");
		const domain = await context.domain(args.domain);
		const below = args.tree && args.from !== undefined ? 1 : 0;
		const checkpoints = await list(
			context,
			domain,
			args.from,
			bitsOf(FILTERS, args) | bitsOf(MORE_FILTERS, args) | below,
		);
		if (args.name && !context.options.json) return printNames(context, checkpoints);
		const told = await Promise.all(
			checkpoints.map(async (one) => ({ name: one.name, ...(await factsOf(context, one)) })),
		);
		if (args.tree) return context.terminal.out(formatTree(told));
		const rows = told.map(({ name, time, parent }) => [
			name,
			formatLocalTime(time),
			...(args.parent ? [parent ?? ""] : []),
		]);
		context.table(["Name", "Creation Time", ...(args.parent ? ["Parent"] : [])], rows);
	},
});

/** All checkpoints, or those below one; by name unless they come in order. */
async function list(
	context: CliContext,
	domain: Domain,
	from: string | undefined,
	flags: number,
): Promise<Checkpoint[]> {
	const { rpc } = await context.connection;
	const { checkpoints } =
		from === undefined
			? await domain.call("DOMAIN_LIST_ALL_CHECKPOINTS", { needResults: 1, flags })
			: await rpc.call("DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN", {
					checkpoint: await find(domain, from, "from"),
					needResults: 1,
					flags,
				});
	if (flags & MORE_FILTERS.topological) return checkpoints;
	return checkpoints.sort((one, other) => (one.name.toLowerCase() < other.name.toLowerCase() ? -1 : 1));
}

/** virDomainCheckpointXMLFlags */
const XML = { "security-info": 1, "no-domain": 2, size: 4 } as const;

const checkpointDumpxml = declare({
	name: "checkpoint-dumpxml",
	summary: "Dump XML for a domain checkpoint",
	description: "Prints a checkpoint's description.",
	options: {
		domain: domainOption(),
		checkpointname,
		"security-info": flag("include security sensitive information in XML dump"),
		"no-domain": flag("without the domain's definition"),
		size: flag("with what was written since"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		context.terminal.out(await xmlOf(context, await find(domain, args.checkpointname), bitsOf(XML, args)));
	},
});

const checkpointParent = declare({
	name: "checkpoint-parent",
	summary: "Get the name of the parent of a checkpoint",
	description: "Prints the name of a checkpoint's parent.",
	options: { domain: domainOption(), checkpointname },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const { parent } = await factsOf(context, await find(domain, args.checkpointname));
		if (parent === undefined) throw new CommandError(`checkpoint '${args.checkpointname}' has no parent`);
		context.terminal.out(parent);
	},
});

const checkpointDelete = declare({
	name: "checkpoint-delete",
	summary: "Delete a domain checkpoint",
	description: "Deletes a checkpoint: what was written since counts from the one before.",
	options: {
		domain: domainOption(),
		checkpointname,
		children: flag("and all below it"),
		"children-only": flag("all below it, but not itself"),
		metadata: flag("what the daemon keeps of it alone"),
	},
	async run(context, args) {
		exclusive(args, "children", "children-only");
		const domain = await context.domain(args.domain);
		const checkpoint = await find(domain, args.checkpointname);
		const { rpc } = await context.connection;
		const done = rpc.call("DOMAIN_CHECKPOINT_DELETE", { checkpoint, flags: bitsOf(DELETE, args) });
		await orFail(`Failed to delete checkpoint ${checkpoint.name}`, done);
		const children = args.children || args["children-only"] ? "children " : "";
		context.say(`Domain checkpoint ${checkpoint.name} ${children}deleted`);
	},
});

export const checkpointCommands: readonly CliCommand[] = [
	checkpointCreate,
	checkpointCreateAs,
	checkpointDelete,
	checkpointDumpxml,
	checkpointEdit,
	checkpointInfo,
	checkpointList,
	checkpointParent,
];
