// What the commands for snapshots and for checkpoints have in common: one table of each kind's calls, and what is done with them.

import type { RpcClient } from "@virtkit/client/rpc-client";
import type { Domain } from "@virtkit/client/sdk/domain";
import type { DomainRef } from "@virtkit/protocol/types/object";
import { childNamed, textOf, type XmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { type CliContext, CommandError, orFail } from "../context.ts";
import { formatLocalTime } from "../output/time.ts";
import { formatTree } from "../output/tree.ts";
import { exclusive } from "./declare.ts";

/** A snapshot or a checkpoint. */
export interface Moment {
	readonly name: string;
	readonly dom: DomainRef;
}

/** The calls of one kind. */
export interface MomentKind {
	readonly noun: "snapshot" | "checkpoint";
	/** Flags of a description that holds what listings show, and as little else as can be. */
	readonly brief: number;
	/** The flag of listings that come with parents before children. */
	readonly topological: number;
	create(rpc: RpcClient, dom: DomainRef, xmlDesc: string, flags: number): Promise<Moment>;
	lookup(rpc: RpcClient, dom: DomainRef, name: string): Promise<Moment>;
	xml(rpc: RpcClient, moment: Moment, flags: number): Promise<string>;
	all(rpc: RpcClient, dom: DomainRef, flags: number): Promise<readonly Moment[]>;
	below(rpc: RpcClient, moment: Moment, flags: number): Promise<readonly Moment[]>;
	remove(rpc: RpcClient, moment: Moment, flags: number): Promise<void>;
}

export const SNAPSHOT: MomentKind = {
	noun: "snapshot",
	brief: 0,
	topological: 1024,
	create: async (rpc, dom, xmlDesc, flags) =>
		(await rpc.call("DOMAIN_SNAPSHOT_CREATE_XML", { dom, xmlDesc, flags })).snap,
	lookup: async (rpc, dom, name) => (await rpc.call("DOMAIN_SNAPSHOT_LOOKUP_BY_NAME", { dom, name, flags: 0 })).snap,
	xml: async (rpc, snap, flags) => (await rpc.call("DOMAIN_SNAPSHOT_GET_XML_DESC", { snap, flags })).xml,
	all: async (rpc, dom, flags) =>
		(await rpc.call("DOMAIN_LIST_ALL_SNAPSHOTS", { dom, needResults: 1, flags })).snapshots,
	below: async (rpc, snapshot, flags) =>
		(await rpc.call("DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN", { snapshot, needResults: 1, flags })).snapshots,
	remove: (rpc, snap, flags) => rpc.call("DOMAIN_SNAPSHOT_DELETE", { snap, flags }),
};

export const CHECKPOINT: MomentKind = {
	noun: "checkpoint",
	// VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN.
	brief: 2,
	topological: 2,
	create: async (rpc, dom, xmlDesc, flags) =>
		(await rpc.call("DOMAIN_CHECKPOINT_CREATE_XML", { dom, xmlDesc, flags })).checkpoint,
	lookup: async (rpc, dom, name) =>
		(await rpc.call("DOMAIN_CHECKPOINT_LOOKUP_BY_NAME", { dom, name, flags: 0 })).checkpoint,
	xml: async (rpc, checkpoint, flags) => (await rpc.call("DOMAIN_CHECKPOINT_GET_XML_DESC", { checkpoint, flags })).xml,
	all: async (rpc, dom, flags) =>
		(await rpc.call("DOMAIN_LIST_ALL_CHECKPOINTS", { dom, needResults: 1, flags })).checkpoints,
	below: async (rpc, checkpoint, flags) =>
		(await rpc.call("DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN", { checkpoint, needResults: 1, flags })).checkpoints,
	remove: (rpc, checkpoint, flags) => rpc.call("DOMAIN_CHECKPOINT_DELETE", { checkpoint, flags }),
};

/** The sum of a table's bits whose options are given. */
export function bitsOf<K extends string>(
	table: Readonly<Record<K, number>>,
	args: { readonly [N in NoInfer<K>]: unknown },
): number {
	let sum = 0;
	for (const name in table) if (args[name]) sum |= table[name];
	return sum;
}

/** virDomainSnapshotDeleteFlags, and those of checkpoints, which are the same. */
export const DELETE = { children: 1, metadata: 2, "children-only": 4 } as const;

/** Makes the moment that `xml` describes, and says so; `from`: the file that it stands in. */
export async function createMoment(
	kind: MomentKind,
	context: CliContext,
	domain: Domain,
	xml: string,
	flags: number,
	from?: string,
): Promise<void> {
	const { rpc } = await context.connection;
	const { name } = await kind.create(rpc, domain.ref, xml, flags);
	context.sayInline(`Domain ${kind.noun} ${name} created${from === undefined ? "" : ` from '${from}'`}`);
}

/** A moment's description. */
export async function momentXml(kind: MomentKind, context: CliContext, moment: Moment, flags = 0): Promise<string> {
	const { rpc } = await context.connection;
	return kind.xml(rpc, moment, flags);
}

/** The text of a child element of that name. */
export const childText = (element: XmlElement | undefined, tag: string): string | undefined => {
	const child = element && childNamed(element, tag);
	return child && textOf(child);
};

/** What a description says. */
export interface MomentFacts {
	readonly name: string;
	readonly parent: string | undefined;
	readonly document: XmlElement;
}

export async function momentFacts(kind: MomentKind, context: CliContext, moment: Moment): Promise<MomentFacts> {
	const document = parseXml(await momentXml(kind, context, moment, kind.brief));
	return { name: moment.name, parent: childText(childNamed(document, "parent"), "name"), document };
}

/** Prints the name of a moment's parent. Throws in virsh's words where it has none. */
export async function printParent(kind: MomentKind, context: CliContext, moment: Moment): Promise<void> {
	const { parent } = await momentFacts(kind, context, moment);
	if (parent === undefined) throw new CommandError(`${kind.noun} '${moment.name}' has no parent`);
	context.terminal.out(parent);
}

/** Throws, as libvirt's own client does, where both options are given. */
export function clash<T extends object>(
	{ noun }: MomentKind,
	args: T,
	verb: string,
	...options: readonly (keyof T & string)[]
): void {
	if (!options.every((option) => args[option])) return;
	const prefix = `VIR_DOMAIN_${noun.toUpperCase()}_${verb}`;
	const flags = options.map((option) => `'${prefix}_${option.toUpperCase().replaceAll("-", "_")}'`);
	throw new CommandError(`Flags ${flags.join(" and ")} are mutually exclusive`);
}

/** Deletes the moment, those below it, or both. */
export async function deleteMoment(
	kind: MomentKind,
	context: CliContext,
	moment: Moment,
	args: { readonly children: boolean; readonly "children-only": boolean; readonly metadata: boolean },
): Promise<void> {
	const { rpc } = await context.connection;
	const remove = async (): Promise<void> => {
		clash(kind, args, "DELETE", "children", "children-only");
		await kind.remove(rpc, moment, bitsOf(DELETE, args));
	};
	await orFail(`Failed to delete ${kind.noun} ${moment.name}`, remove());
}

interface Listing {
	readonly tree: boolean;
	readonly name: boolean;
	readonly parent: boolean;
	readonly roots: boolean;
	readonly from?: string | undefined;
}

/** What a listing cannot be at once. Throws in virsh's words; `filters` are those that no tree can have. */
export function checkListing<T extends Listing>(args: T, filters: readonly string[]): void {
	exclusive(args, "tree", "name");
	exclusive(args, "parent", "roots");
	exclusive(args, "parent", "tree");
	exclusive(args, "roots", "tree");
	exclusive(args, "roots", "from");
	const given = args as Readonly<Record<string, unknown>>;
	const filter = filters.find((one) => args.tree && given[one] === true);
	if (filter !== undefined) throw new CommandError(`--${filter} and --tree are mutually exclusive`);
}

/** Lists the domain's moments, or those below `start`; `columns` are those of the kind between time and parent. */
export async function listMoments(
	kind: MomentKind,
	context: CliContext,
	domain: Domain,
	args: Listing,
	{ start, flags, columns = {} }: ListRequest,
): Promise<void> {
	const { rpc } = await context.connection;
	const found = start ? await kind.below(rpc, start, flags) : await kind.all(rpc, domain.ref, flags);
	// A tree below a moment begins with it.
	const moments = args.tree && start ? [...found, start] : [...found];
	if (!(flags & kind.topological))
		moments.sort((one, other) => (one.name.toLowerCase() < other.name.toLowerCase() ? -1 : 1));
	if (args.name && !context.options.json) {
		for (const { name } of moments) context.print(name);
		return;
	}
	const told = await Promise.all(moments.map((moment) => momentFacts(kind, context, moment)));
	if (args.tree) return context.terminal.out(formatTree(told));
	const rows = told.map(({ name, parent, document }) => [
		name,
		formatLocalTime(Number(childText(document, "creationTime") ?? 0)),
		...Object.values(columns).map((tag) => childText(document, tag) ?? ""),
		...(args.parent ? [parent ?? ""] : []),
	]);
	context.table(["Name", "Creation Time", ...Object.keys(columns), ...(args.parent ? ["Parent"] : [])], rows);
}

interface ListRequest {
	readonly start: Moment | undefined;
	readonly flags: number;
	/** Heads of columns, with the child elements that they show. */
	readonly columns?: Readonly<Record<string, string>>;
}
