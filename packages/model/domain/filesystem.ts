// Filesystems: folders of the host that the guest mounts, over 9p or virtiofs.

import { type Codec, integer, oneOf, onOff, str, uint, ulong } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { amountLeaf, bytesOfUnit } from "@virtkit/xml/scaled";
import { attr, child, element, flag, type Infer, type Loose, type Schema } from "@virtkit/xml/schema";
import { bootDeviceInfo, virtioOptions } from "./device-common.ts";
import { IMAGE_FORMATS } from "./disk-source.ts";
import { idmap } from "./idmap.ts";

/** Where a filesystem comes from. */
export const FILESYSTEM_TYPES = ["mount", "block", "file", "template", "ram", "bind", "volume"] as const;
export type FilesystemType = (typeof FILESYSTEM_TYPES)[number];

/** Permission bits: octal, written with four digits. */
const permissions: Codec<number> = {
	parse: (text) => {
		const digits = /^\s*\+?0*([0-7]{1,3})\s*$/.exec(text)?.[1];
		return digits === undefined ? undefined : Number.parseInt(digits, 8);
	},
	format: (mode) => mode.toString(8).padStart(4, "0"),
	allowed: "octal permission bits up to 0777",
	json: { type: "integer", minimum: 0, maximum: 0o777 },
};

const isVirtiofs = (_: Loose, parent: Loose | undefined): boolean =>
	(parent?.driver as Loose | undefined)?.type === "virtiofs";
const hasType = (self: Loose): boolean => self.type !== undefined;

const driver = element({
	type: attr(oneOf("default", "path", "handle", "loop", "nbd", "ploop", "virtiofs", "mtp"), {
		absent: "default",
		doc: "What serves it: path is QEMU's 9p server, virtiofs the daemon of that name.",
	}),
	format: attr(oneOf(...IMAGE_FORMATS), { code: "CONFIG_UNSUPPORTED", show: hasType, doc: "Format of an image." }),
	wrpolicy: attr(oneOf("default", "immediate"), {
		absent: "default",
		show: hasType,
		doc: "Whether written data leaves the host's cache at once.",
	}),
	queue: attr(ulong, { absent: 0, when: (self) => self.type === "virtiofs", doc: "Entries of the request queue." }),
	...virtioOptions,
});

const lock = element({
	posix: attr(onOff, { doc: "Whether POSIX locks reach the host." }),
	flock: attr(onOff, { doc: "Whether BSD locks reach the host." }),
});
const cache = element({ mode: attr(oneOf("none", "always"), { doc: "What the guest may cache." }) });
const sandbox = element({ mode: attr(oneOf("namespace", "chroot"), { doc: "How virtiofsd confines itself." }) });
const threadPool = element({ size: attr(integer({ min: -0x80000000, max: 0x7fffffff }), { doc: "Most workers." }) });

const binary = element({
	path: attr(str, { absent: "", doc: "Path of virtiofsd." }),
	xattr: attr(onOff, { doc: "Whether extended attributes are passed through." }),
	cache: child(cache, { doc: "Caching in the guest." }),
	sandbox: child(sandbox, { doc: "Confinement of the daemon." }),
	lock: child(lock, { doc: "Locks." }),
	thread_pool: child(threadPool, {
		show: (self) => Number((self.thread_pool as Loose).size) >= 0,
		doc: "Workers of the daemon.",
	}),
	openfiles: child(element({ max: attr(uint, { absent: 0, doc: "How many." }) }), {
		doc: "Files that the daemon may have open at once.",
	}),
});

const inType =
	(...types: readonly FilesystemType[]) =>
	(_: Loose, parent: Loose | undefined): boolean =>
		types.includes(parent?.type as FilesystemType);

const source = element(
	{
		dir: attr(str, {
			when: inType("mount", "bind"),
			show: (self) => self.socket === undefined,
			doc: "Folder on the host.",
		}),
		socket: attr(str, {
			show: inTypeShown("mount", "bind"),
			doc: "Socket of a virtiofsd that somebody else started.",
		}),
		dev: attr(str, { when: inType("block"), doc: "Block device on the host." }),
		file: attr(str, { when: inType("file"), doc: "Image file on the host." }),
		name: attr(str, { when: inType("template"), doc: "Template." }),
		usage: attr(ulong, { when: inType("ram"), doc: "Size of a memory filesystem." }),
		units: attr(str, { when: inType("ram"), doc: "Unit of that size." }),
		pool: attr(str, { when: inType("volume"), doc: "Storage pool." }),
		volume: attr(str, { when: inType("volume"), doc: "Volume of that pool." }),
	},
	{ onRead: settleUsage },
);

function inTypeShown(...types: readonly FilesystemType[]) {
	return (self: Loose, _: unknown, parent: Loose | undefined): boolean => inType(...types)(self, parent);
}

/** Memory sizes are kept in KiB whatever unit they were given in. */
function settleUsage(value: { usage?: number | undefined; units?: string | undefined }): void {
	if (value.usage === undefined) return;
	const factor = bytesOfUnit(value.units ?? "KiB");
	if (factor === undefined)
		throw documentError(positionOf(value), `unknown suffix '${value.units}' of filesystem usage`, "INVALID_ARG");
	value.usage = Number((BigInt(value.usage) * factor) / 1024n);
	value.units = "KiB";
}

const target = element({ dir: attr(str, { absent: "", doc: "Tag by which the guest mounts it, or where." }) });

const bytes = (name: "space_hard_limit" | "space_soft_limit", doc: string) =>
	amountLeaf(name, { unit: "bytes", show: (self) => self[name] !== 0, doc });

const filesystemFields = element({
	type: attr(oneOf(...FILESYSTEM_TYPES), { default: "mount", doc: "Where the files come from." }),
	accessmode: attr(oneOf("", "passthrough", "mapped", "squash"), { absent: "", doc: "Whose rights files get." }),
	model: attr(oneOf("virtio", "virtio-transitional", "virtio-non-transitional"), {
		doc: "Generation of the virtio device.",
	}),
	multidevs: attr(oneOf("default", "remap", "forbid", "warn"), {
		absent: "default",
		doc: "What happens where the folder spans several devices of the host.",
	}),
	fmode: attr(permissions, { absent: 0, doc: "Permissions of files made with mapped access." }),
	dmode: attr(permissions, { absent: 0, doc: "Permissions of folders made with mapped access." }),
	driver: child(driver, { doc: "What serves the files." }),
	binary: child(binary, { when: (self) => isVirtiofs({}, self), doc: "The virtiofsd that is started." }),
	idmap: child(idmap, { doc: "Ids of the host that the guest's ids are, where the daemon runs without privileges." }),
	source: child(source, { keepEmpty: true, doc: "Where the files are." }),
	target: child(target, { doc: "Name towards the guest." }),
	readonly: flag({ doc: "The guest cannot write." }),
	...bootDeviceInfo,
	space_hard_limit: bytes("space_hard_limit", "Most space that files may take."),
	space_soft_limit: bytes("space_soft_limit", "Space beyond which there is a warning."),
});

/** A filesystem. */
export type FilesystemDef = Infer<typeof filesystemFields>;
/** The <filesystem> element. */
export const filesystem: Schema<FilesystemDef> = { ...filesystemFields, onRead: checkFilesystem };

/** The host's folder, device, file or template. */
export function filesystemPath({ source: from }: FilesystemDef): string | undefined {
	return from && (from.dir ?? from.dev ?? from.file ?? from.name);
}

function checkFilesystem(value: FilesystemDef): void {
	const { type, source: from, target: to } = value;
	if (value.binary?.path !== undefined)
		value.binary.path = value.binary.path.replace(/\/{2,}/g, "/").replace(/(.)\/$/, "$1");
	if (type === "volume") {
		if (from && (!from.pool || !from.volume))
			throw documentError(positionOf(value), "'pool' and 'volume' must be specified together for 'pool' type source");
	} else if (type === "ram") {
		if (from?.usage === undefined)
			throw documentError(positionOf(value), "missing 'usage' attribute for RAM filesystem");
	} else if (filesystemPath(value) === undefined && from?.socket === undefined)
		throw documentError(positionOf(value), to?.dir ?? "filesystem", "NO_SOURCE");
}
