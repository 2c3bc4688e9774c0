// The snapshot document: a domain's disks, its memory or both as they were at one moment, and where they are kept.

import { VirtError } from "@virtkit/base/errors";
import { int, oneOf, str } from "@virtkit/xml/codec";
import { type FormatOptions, formatElement } from "@virtkit/xml/format";
import { childNamed, textOf, type XmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { documentError, readElement } from "@virtkit/xml/read";
import { attr, child, element, flag, type Infer, type Loose, leaf, list, raw } from "@virtkit/xml/schema";
import { metadataCache } from "../domain/backing-store.ts";
import { diskSource, IMAGE_FORMATS, STORAGE_TYPES, sourcePath } from "../domain/disk-source.ts";
import { domain } from "../domain/domain.ts";
import { momentDomain, momentHead, momentPlace, withName, withoutChildren } from "./moment.ts";

/** Where a disk's or the memory's part of a snapshot is kept (virDomainSnapshotLocation). */
export const SNAPSHOT_LOCATIONS = ["no", "internal", "external", "manual"] as const;
export type SnapshotLocation = (typeof SNAPSHOT_LOCATIONS)[number];

/** States of the domain when the snapshot was taken; the last for one of disks alone, taken while the guest ran. */
export const SNAPSHOT_STATES = [
	"running",
	"blocked",
	"paused",
	"shutdown",
	"shutoff",
	"crashed",
	"pmsuspended",
	"disk-snapshot",
] as const;
export type SnapshotState = (typeof SNAPSHOT_STATES)[number];

/** There is a source or a format to be told of. */
const hasImage = (self: Loose): boolean => {
	const { source, driver } = self as Partial<SnapshotDiskDef>;
	return sourcePath(source) !== undefined || driver?.type !== undefined;
};

const driver = element({
	type: attr(oneOf(...IMAGE_FORMATS), { code: "CONFIG_UNSUPPORTED", doc: "Format of the new image." }),
	metadata_cache: child(metadataCache, { doc: "Cache of the format's metadata." }),
});

/** One disk in a snapshot. */
export const snapshotDisk = element(
	{
		name: attr(str, { required: true, missing: "INTERNAL_ERROR", doc: "Target of the disk, or path of its image." }),
		snapshot: attr(oneOf(...SNAPSHOT_LOCATIONS), { doc: "Where the disk's part is kept." }),
		type: attr(oneOf(...STORAGE_TYPES), { default: "file", show: hasImage, doc: "Storage type of the new image." }),
		snapshotDeleteInProgress: flag({ doc: "Deleting the snapshot that follows was begun and never ended." }),
		driver: child(driver, { show: hasImage, doc: "What the new image is." }),
		source: child(diskSource, { show: hasImage, doc: "Where the new image is." }),
	},
	{
		onRead: (value, found) => {
			if (value.type === "volume" || value.type === "dir")
				throw documentError(found, `unsupported disk snapshot type '${value.type}'`);
			const path = sourcePath(value.source);
			if ((value.type === "file" || value.type === "block") && path !== undefined && !path.startsWith("/"))
				throw documentError(found, `disk snapshot image path '${path}' must be absolute`);
			if (hasImage(value)) value.snapshot ??= "external";
		},
	},
);
export type SnapshotDiskDef = Infer<typeof snapshotDisk>;

const memory = element({
	snapshot: attr(oneOf(...SNAPSHOT_LOCATIONS), { doc: "Where the memory is kept." }),
	file: attr(str, { doc: "Path of the file that it is kept in." }),
});

const snapshotFields = element({
	...momentHead,
	state: leaf(oneOf(...SNAPSHOT_STATES), { code: "CONFIG_UNSUPPORTED", doc: "State of the domain then." }),
	...momentPlace,
	memory: child(memory, { doc: "The guest's memory." }),
	disks: list(snapshotDisk, { name: "disk", inside: "disks", doc: "One disk." }),
	revertDisks: list(snapshotDisk, {
		name: "disk",
		inside: "revertDisks",
		doc: "Where a disk went on after the domain was brought back to this snapshot, which others follow.",
	}),
	domain: momentDomain,
	inactiveDomain: child(domain, { doc: "The stored definition of a domain that ran then." }),
	cookie: raw({ doc: "What else a guest with memory needs to go on." }),
	active: leaf(int, { show: (_, { status }) => status === true, doc: "Above 0: the one that the domain is at." }),
});

/** A snapshot of a domain. */
export type SnapshotDef = Infer<typeof snapshotFields>;

export interface SnapshotReading {
	/** It is there already: its time, state and place in the tree are read too. */
	readonly redefine: boolean;
	/** No memory can be in it: the domain does not run, or only disks are wanted. */
	readonly offline: boolean;
	/** Refuse what no schema declares. */
	readonly strict?: boolean;
	/** Seconds since 1970, for a new one. */
	readonly now: number;
}

/** What only one that is there already has. */
const KEPT: ReadonlySet<string> = new Set([
	"state",
	"parent",
	"creationTime",
	"domain",
	"inactiveDomain",
	"cookie",
	"active",
]);

/** The snapshot that `text` spells. Throws in libvirt's codes. */
export function parseSnapshot(text: string, reading: SnapshotReading): SnapshotDef {
	const root = parseXml(text, "domain snapshot");
	if (root.name !== "domainsnapshot")
		throw documentError(root, `unexpected root element <${root.name}>, expecting <domainsnapshot>`);
	const { redefine, now } = reading;
	if (redefine) checkKept(root);
	const document = redefine
		? withoutChildren(root, (one) => one.name === "domain" && one.attributes.type === undefined)
		: withName(
				withoutChildren(root, ({ name }) => KEPT.has(name)),
				String(now),
			);
	const def = reading.strict ? readValid(document) : readElement(snapshotFields, document);
	if (!redefine) def.creationTime = now;
	settleMemory(def, root, reading);
	return def;
}

/** What a schema would refuse has that error, whatever reading it would have said. */
function readValid(document: XmlElement): SnapshotDef {
	try {
		return readElement(snapshotFields, document, { strict: true });
	} catch (error) {
		if (!(error instanceof VirtError) || error.code !== "XML_ERROR") throw error;
		throw new VirtError("XML_INVALID_SCHEMA", error.detail ?? error.message, { cause: error });
	}
}

function checkKept(root: XmlElement): void {
	const told = (name: string): string | undefined => {
		const found = childNamed(root, name);
		return found && textOf(found);
	};
	if (told("name") === undefined) throw documentError(root, "a redefined snapshot must have a name");
	if (!/^\s*[+-]?\d+\s*$/.test(told("creationTime") ?? ""))
		throw documentError(root, "missing creationTime from existing snapshot", "INTERNAL_ERROR");
	const state = told("state");
	if (state === undefined) throw documentError(root, "missing state from existing snapshot");
	if (!(SNAPSHOT_STATES as readonly string[]).includes(state))
		throw documentError(root, `Invalid state '${state}' in domain snapshot XML`, "CONFIG_UNSUPPORTED");
}

function settleMemory(def: SnapshotDef, root: XmlElement, { redefine, ...reading }: SnapshotReading): void {
	const offline = redefine ? def.state === "shutoff" || def.state === "disk-snapshot" : reading.offline;
	const { file } = def.memory ?? {};
	let location = def.memory?.snapshot;
	const fail = (message: string): never => {
		throw documentError(root, message);
	};
	if (location === "manual") fail("'manual' memory snapshot mode not supported");
	if (location === undefined && file !== undefined) location = "external";
	else if (location === undefined && redefine) location = offline ? "no" : "internal";
	if (file !== undefined && location !== "external") fail(`memory filename '${file}' requires external snapshot`);
	if (file === undefined && location === "external") fail("external memory snapshots require a filename");
	if (offline && location !== undefined && location !== "no")
		fail("memory state cannot be saved with offline or disk-only snapshot");
	if (file !== undefined && !file.startsWith("/")) fail(`memory snapshot file path (${file}) must be absolute`);
	if (location === undefined) delete def.memory;
	else def.memory = { snapshot: location, ...(file === undefined ? {} : { file }) };
}

/** `def` as libvirt prints it; with `status` for the daemon's own files. */
export function formatSnapshot(def: SnapshotDef, options: FormatOptions = {}): string {
	return formatElement("domainsnapshot", snapshotFields, def, { ...options, inactive: true });
}

/** Whether any of it is in a file of its own. */
export function isExternal({ memory, disks }: SnapshotDef): boolean {
	return memory?.snapshot === "external" || disks.some(({ snapshot }) => snapshot === "external");
}

/** Whether it brings the guest's memory back. */
export const hasMemory = ({ state }: SnapshotDef): boolean => state === "running" || state === "paused";
