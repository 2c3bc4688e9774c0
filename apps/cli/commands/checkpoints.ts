// Commands for checkpoints of domains: moments since which an incremental backup can be made.

import type { Domain } from "@virtkit/client/sdk/domain";
import { writeXml } from "@virtkit/xml/write";
import { type CliContext, CommandError, orFail } from "../context.ts";
import { flag, optional, rest } from "../grammar/command.ts";
import { editText } from "../shell/editor.ts";
import { type CliCommand, declare, domainOption } from "./declare.ts";
import { readFile } from "./definition.ts";
import {
	bitsOf,
	CHECKPOINT,
	checkListing,
	createMoment,
	DELETE,
	deleteMoment,
	listMoments,
	type Moment,
	momentFacts,
	momentXml,
	printParent,
} from "./moments.ts";
import { printXml, xpathOptions } from "./print-xml.ts";
import { checkpointDisk, newDocument } from "./specs.ts";

const checkpointname = optional("the checkpoint", { completes: "checkpoint" });

/** The checkpoint of that name. Throws in virsh's words where none is given. */
async function find(
	context: CliContext,
	domain: Domain,
	name: string | undefined,
	option = "checkpointname",
): Promise<Moment> {
	if (name === undefined) throw new CommandError(`--${option} is required`);
	const { rpc } = await context.connection;
	return CHECKPOINT.lookup(rpc, domain.ref, name);
}

/** virDomainCheckpointCreateFlags */
const CREATE = { redefine: 1, quiesce: 2, "redefine-validate": 4 } as const;

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
		await createMoment(CHECKPOINT, context, domain, xml, flags, args.xmlfile);
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
		await createMoment(CHECKPOINT, context, domain, xml, args.quiesce ? CREATE.quiesce : 0);
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
		const checkpoint = await find(context, domain, args.checkpointname);
		const { name } = checkpoint;
		const before = await momentXml(CHECKPOINT, context, checkpoint, 1);
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
		const checkpoint = await find(context, domain, args.checkpointname);
		const { rpc } = await context.connection;
		const count = async (flags: number): Promise<string> =>
			String((await rpc.call("DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN", { checkpoint, needResults: 0, flags })).ret);
		context.facts(
			[
				["Name", checkpoint.name],
				["Domain", domain.name],
				["Parent", (await momentFacts(CHECKPOINT, context, checkpoint)).parent ?? "-"],
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
		const start = args.from === undefined ? undefined : await find(context, domain, args.from, "from");
		const flags = bitsOf(FILTERS, args) | bitsOf(MORE_FILTERS, args);
		await listMoments(CHECKPOINT, context, domain, args, { start, flags });
	},
});

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
		...xpathOptions,
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const point = await find(context, domain, args.checkpointname);
		await printXml(context, await momentXml(CHECKPOINT, context, point, bitsOf(XML, args)), args);
	},
});

const checkpointParent = declare({
	name: "checkpoint-parent",
	summary: "Get the name of the parent of a checkpoint",
	description: "Prints the name of a checkpoint's parent.",
	options: { domain: domainOption(), checkpointname },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		await printParent(CHECKPOINT, context, await find(context, domain, args.checkpointname));
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
		const domain = await context.domain(args.domain);
		const checkpoint = await find(context, domain, args.checkpointname);
		await deleteMoment(CHECKPOINT, context, checkpoint, args);
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
