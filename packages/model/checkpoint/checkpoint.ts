// The checkpoint document: a point in time since which each disk's changes are told by a bitmap, and the domain as it was then.

import { int, matching, nonEmpty, oneOf, uint64 } from "@virtkit/xml/codec";
import { formatElement } from "@virtkit/xml/format";
import { childNamed, textOf, type XmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { documentError, readElement } from "@virtkit/xml/read";
import { attr, element, type Infer, leaf, list } from "@virtkit/xml/schema";
import { momentDomain, momentHead, momentPlace, withName, withoutChildren } from "../snapshot/moment.ts";

/** libvirt holds every checkpoint against its schema. */
const SCHEMA = "XML_INVALID_SCHEMA";
/** It is the name of a file and of a bitmap. */
const NAME = /^[a-zA-Z0-9_-][a-zA-Z0-9_.-]*$/;
const name = matching(NAME, "letters, digits, _, - and ., the last not first");

const checkpointDisk = element({
	name: attr(nonEmpty, { required: true, missing: SCHEMA, doc: "Target of the disk, or path of its image." }),
	checkpoint: attr(oneOf("no", "bitmap"), { default: "bitmap", code: SCHEMA, doc: "What tells of its changes." }),
	bitmap: attr(nonEmpty, { doc: "Name of the bitmap in its image." }),
	size: attr(uint64, { code: SCHEMA, doc: "Bytes that changed since, as far as that was asked for." }),
});
export type CheckpointDiskDef = Infer<typeof checkpointDisk>;

const checkpointFields = element({
	...momentHead,
	name: leaf(name, { required: true, code: SCHEMA, doc: "Name, unique in the domain; its time where absent." }),
	...momentPlace,
	disks: list(checkpointDisk, { name: "disk", inside: "disks", doc: "One disk." }),
	domain: momentDomain,
	active: leaf(int, { show: (_, { status }) => status === true, doc: "Above 0: the one that the domain is at." }),
});

/** A checkpoint of a domain. */
export type CheckpointDef = Infer<typeof checkpointFields>;

export interface CheckpointReading {
	/** It is there already: its time and place in the tree are read too. */
	readonly redefine: boolean;
	/** Seconds since 1970, for a new one. */
	readonly now: number;
	/** A file of the daemon's own: nothing of it is refused that is not known. */
	readonly stored?: boolean;
}

/** What only one that is there already has. */
const KEPT: ReadonlySet<string> = new Set(["parent", "creationTime", "domain"]);

/** The checkpoint that `text` spells. Throws in libvirt's codes. */
export function parseCheckpoint(text: string, { redefine, now, stored = false }: CheckpointReading): CheckpointDef {
	const root = parseXml(text, "domain checkpoint");
	if (root.name !== "domaincheckpoint")
		throw documentError(root, `unexpected root element <${root.name}>, expecting <domaincheckpoint>`);
	if (redefine) checkKept(root);
	const document = redefine
		? root
		: withName(
				withoutChildren(root, (one) => KEPT.has(one.name)),
				String(now),
			);
	const { active, ...def } = readElement(checkpointFields, document, { strict: !stored });
	if (!stored && active !== undefined)
		throw documentError(root, "Extra element 'active' in element 'domaincheckpoint'", SCHEMA);
	if (!redefine) def.creationTime = now;
	for (const disk of def.disks)
		if (disk.checkpoint === "no" && disk.bitmap !== undefined)
			throw documentError(root, `disk '${disk.name}' without a checkpoint has no bitmap`, SCHEMA);
	return active === undefined ? def : { ...def, active };
}

function checkKept(root: XmlElement): void {
	if (childNamed(root, "name") === undefined) throw documentError(root, "a redefined checkpoint must have a name");
	const time = childNamed(root, "creationTime");
	if (!/^\s*[+-]?\d+\s*$/.test(time ? textOf(time) : ""))
		throw documentError(root, "missing creationTime from existing checkpoint", "INTERNAL_ERROR");
}

/** `def` as libvirt prints it; with `status` for the daemon's own files. */
export function formatCheckpoint(
	def: CheckpointDef,
	options: { readonly secure?: boolean; readonly status?: boolean; readonly noDomain?: boolean } = {},
): string {
	const { noDomain = false, ...format } = options;
	const { domain, ...rest } = def;
	const shown = noDomain || domain === undefined ? rest : { ...rest, domain };
	return formatElement("domaincheckpoint", checkpointFields, shown as CheckpointDef, { ...format, inactive: true });
}
