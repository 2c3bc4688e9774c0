// The backup document: which disks are copied as they are at one moment, where to, and for a pull how clients read them.

import { int, integer, nonEmpty, oneOf, str, uint64, yesNo } from "@virtkit/xml/codec";
import { type FormatOptions, formatElement } from "@virtkit/xml/format";
import { childNamed, type XmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { documentError, readElement } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose, leaf, list } from "@virtkit/xml/schema";
import { diskSource, IMAGE_FORMATS } from "../domain/disk-source.ts";

/** What no schema of libvirt's lets through: it holds every backup against its schema. */
const SCHEMA = "XML_INVALID_SCHEMA";

/** How far the copy of one disk is. */
export const BACKUP_DISK_STATES = ["running", "complete", "failed", "cancelling", "cancelled"] as const;

const inStatus = (_: Loose, { status }: FormatOptions): boolean => status === true;
const isWanted = (self: Loose): boolean => self.backup === true;

const driver = element({
	type: attr(oneOf(...IMAGE_FORMATS), { code: SCHEMA, doc: "Format of the image that is written." }),
});

/** One disk. */
const backupDisk = element({
	name: attr(nonEmpty, { required: true, missing: SCHEMA, doc: "Target of the disk." }),
	backup: attr(yesNo, { default: true, code: SCHEMA, doc: "Whether it is part of the backup." }),
	state: attr(oneOf(...BACKUP_DISK_STATES), { show: inStatus, doc: "How far its copy is." }),
	type: attr(oneOf("file", "block"), {
		default: "file",
		show: isWanted,
		code: SCHEMA,
		doc: "Storage type of what is written.",
	}),
	backupmode: attr(oneOf("full", "incremental"), {
		show: isWanted,
		code: SCHEMA,
		doc: "All of it, or what changed since a checkpoint.",
	}),
	incremental: attr(str, { show: isWanted, doc: "That checkpoint." }),
	exportname: attr(str, { show: isWanted, doc: "Name under which NBD clients find the disk." }),
	exportbitmap: attr(str, { show: isWanted, doc: "Name under which they find what changed." }),
	index: attr(int, { show: isWanted, live: true, doc: "Number of the image in QEMU." }),
	bitmap: attr(str, { show: inStatus, live: true, doc: "Bitmap on the disk that goes when its copy is done." }),
	driver: child(driver, { show: isWanted, doc: "What is written." }),
	target: child(diskSource, { show: isWanted, doc: "Where a push writes." }),
	scratch: child(diskSource, { show: isWanted, doc: "Where a pull keeps what the guest overwrites meanwhile." }),
});
export type BackupDiskDef = Infer<typeof backupDisk>;

const server = element({
	transport: attr(oneOf("tcp", "unix"), { default: "tcp", code: SCHEMA, doc: "How clients reach it." }),
	tls: attr(yesNo, { code: SCHEMA, doc: "Whether they must speak TLS." }),
	name: attr(nonEmpty, { doc: "Name or address that it listens on." }),
	port: attr(integer({ min: 0, max: 0xffff }), { absent: 0, code: "INVALID_ARG", doc: "TCP port." }),
	socket: attr(nonEmpty, { doc: "Path of its UNIX socket." }),
});
export type BackupServerDef = Infer<typeof server>;

const backupFields = element({
	mode: attr(oneOf("push", "pull"), {
		default: "push",
		code: SCHEMA,
		doc: "Who writes: QEMU, or a client that reads.",
	}),
	reuse: attr(yesNo, { show: inStatus, live: true, doc: "The files were there already, and stay." }),
	started: attr(integer(), { show: inStatus, live: true, doc: "When it began, in milliseconds since 1970." }),
	done: attr(uint64, { show: inStatus, live: true, doc: "Bytes that disks which are done have copied." }),
	total: attr(uint64, { show: inStatus, live: true, doc: "Of so many." }),
	failure: attr(str, { show: inStatus, live: true, doc: "What QEMU said of the first disk that failed." }),
	incremental: leaf(str, { doc: "Checkpoint since which changes are copied." }),
	server: child(server, { doc: "Where NBD clients read a pull." }),
	disks: list(backupDisk, { name: "disk", inside: "disks", doc: "One disk." }),
});
export type BackupDef = Infer<typeof backupFields>;

/** The status file's <domainbackup>. */
export const backupElement = backupFields;

function checkServer({ transport, name, port, socket }: BackupServerDef, found: XmlElement): void {
	const refuse = (message: string): never => {
		throw documentError(found, message, SCHEMA);
	};
	if (transport === "tcp") {
		if (name === undefined) refuse("a backup's server needs a name to listen on");
		if (socket !== undefined) refuse("a backup's server on TCP has no socket");
		return;
	}
	if (!socket?.startsWith("/")) refuse(`backup socket path '${socket ?? ""}' must be absolute`);
	if (name !== undefined || port !== undefined) refuse("a backup's server on a UNIX socket has no name and no port");
}

/** What disks of that mode cannot have. */
function checkDisk(disk: BackupDiskDef, mode: BackupDef["mode"], root: XmlElement): void {
	const refuse = (message: string): never => {
		throw documentError(root, `disk '${disk.name}': ${message}`, SCHEMA);
	};
	if (!disk.backup) {
		if (disk.driver ?? disk.target ?? disk.scratch) refuse("one that is not backed up has no target");
		return;
	}
	if (mode === "push") {
		if (disk.scratch ?? disk.exportname ?? disk.exportbitmap) refuse("a push has no scratch file and no exports");
	} else {
		if (disk.target) refuse("a pull has no target");
		if (disk.driver?.type && disk.driver.type !== "qcow2") refuse("the scratch file of a pull is qcow2");
	}
	if (disk.backupmode === "full" && disk.incremental !== undefined)
		refuse("a full backup has no checkpoint to start from");
	const store = disk.target ?? disk.scratch;
	const path = disk.type === "block" ? store?.dev : store?.file;
	if (store && !path?.startsWith("/")) refuse("the path of its target must be absolute");
}

/** Where a push writes a disk is told with its type, and only there. */
function checkTypes(root: XmlElement, mode: BackupDef["mode"]): void {
	for (const disk of childNamed(root, "disks")?.children ?? []) {
		if (typeof disk === "string") continue;
		const { type, backup } = disk.attributes;
		if (backup === "no" ? type !== undefined : type === undefined && mode === "push")
			throw documentError(disk, "a disk has a type where it is backed up, and only there", SCHEMA);
	}
}

/** The backup that `text` spells. Throws XML_INVALID_SCHEMA as libvirt does, whose schema is checked always. */
export function parseBackup(text: string): BackupDef {
	const root = parseXml(text, "domain backup");
	if (root.name !== "domainbackup")
		throw documentError(root, `unexpected root element <${root.name}>, expecting <domainbackup>`);
	const def = readElement(backupFields, root, { strict: true });
	if (def.mode === "push" && def.server) throw documentError(root, "use of <server> requires pull mode backup", SCHEMA);
	if (def.mode === "pull" && !def.server) throw documentError(root, "a pull needs a <server>", SCHEMA);
	if (def.server) checkServer(def.server, root);
	checkTypes(root, def.mode);
	for (const disk of def.disks) {
		if (disk.state !== undefined) throw documentError(root, `disk '${disk.name}': it has no state yet`, SCHEMA);
		checkDisk(disk, def.mode, root);
	}
	return def;
}

/** `def` as libvirt prints it. */
export function formatBackup(def: BackupDef): string {
	return formatElement("domainbackup", backupFields, def, {});
}
