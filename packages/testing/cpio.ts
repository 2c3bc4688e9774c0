// Writes cpio archives in the "newc" form that the Linux kernel unpacks as its initial RAM file system.

/** One entry of an archive; paths are relative, without a leading "/". */
export type CpioEntry =
	| { readonly kind: "folder"; readonly path: string; readonly mode?: number }
	| { readonly kind: "file"; readonly path: string; readonly data: Uint8Array | string; readonly mode?: number }
	| { readonly kind: "symlink"; readonly path: string; readonly target: string }
	| { readonly kind: "character"; readonly path: string; readonly major: number; readonly minor: number };

// File types of st_mode (inode(7)).
const TYPE_BITS = { folder: 0o040000, file: 0o100000, symlink: 0o120000, character: 0o020000 } as const;

const DEFAULT_MODE = { folder: 0o755, file: 0o644, symlink: 0o777, character: 0o600 } as const;

const encoder = new TextEncoder();
const hex = (value: number) => value.toString(16).padStart(8, "0").toUpperCase();

function contentOf(entry: CpioEntry): Uint8Array {
	if (entry.kind === "symlink") return encoder.encode(entry.target);
	if (entry.kind !== "file") return new Uint8Array();
	return typeof entry.data === "string" ? encoder.encode(entry.data) : entry.data;
}

function modeOf(entry: CpioEntry): number {
	const mode = "mode" in entry ? entry.mode : undefined;
	return TYPE_BITS[entry.kind] | (mode ?? DEFAULT_MODE[entry.kind]);
}

/** Header fields in the order of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. */
function header(
	inode: number,
	name: Uint8Array,
	mode: number,
	size: number,
	device: readonly [number, number],
): string {
	const owner = [0, 0];
	const links = (mode & 0o170000) === TYPE_BITS.folder ? 2 : 1;
	const modified = 0;
	const checksum = 0;
	const fields = [inode, mode, ...owner, links, modified, size, 0, 0, ...device, name.length + 1, checksum];
	return `070701${fields.map(hex).join("")}`;
}

const padding = (length: number) => new Uint8Array(-length & 3);

function encodeEntry(inode: number, path: string, mode: number, data: Uint8Array, device: readonly [number, number]) {
	const name = encoder.encode(path);
	const head = encoder.encode(header(inode, name, mode, data.length, device));
	const named = head.length + name.length + 1;
	return [head, name, new Uint8Array(1), padding(named), data, padding(data.length)];
}

/** The archive of the entries in their order; a folder must come before what is in it. */
export function encodeCpio(entries: Iterable<CpioEntry>): Uint8Array {
	const parts: Uint8Array[] = [];
	let inode = 0;
	for (const entry of entries) {
		const device = entry.kind === "character" ? ([entry.major, entry.minor] as const) : ([0, 0] as const);
		parts.push(...encodeEntry(++inode, entry.path, modeOf(entry), contentOf(entry), device));
	}
	parts.push(...encodeEntry(0, "TRAILER!!!", 0, new Uint8Array(), [0, 0]));
	return Buffer.concat(parts);
}
