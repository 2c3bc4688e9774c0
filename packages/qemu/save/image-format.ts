// The head of a saved guest's image as bytes: libvirt's save format, so that images move between libvirtd and virtkit.

import { VirtError } from "@virtkit/base/errors";

/** First bytes of a complete image, and of one that is still being written or never was finished. */
const COMPLETE_MAGIC = "LibvirtQemudSave";
const PARTIAL_MAGIC = "LibvirtQemudPart";
/** Images of version 1 had no compression; nothing newer than 2 exists. */
const VERSION = 2;
/** Magic, five 32-bit words in the byte order of the host that wrote them, fourteen words for later. */
export const HEADER_BYTES = 16 + 4 * (5 + 14);
/** Room for a later definition that is longer than the one saved. */
const ROOM_BYTES = 64 * 1024;
/** Longest text that a reader goes along with: far beyond any definition. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;

/** How QEMU's state after the head is packed, by the number in the header (virQEMUSaveFormat). */
export const SAVE_FORMATS = ["raw", "gzip", "bzip2", "xz", "lzop"] as const;
export type SaveFormat = (typeof SAVE_FORMATS)[number];

/** What the fixed part of the head says. */
export interface SaveHeader {
	/** False for an image that was never finished. */
	readonly complete: boolean;
	/** The guest goes on running when it is restored. */
	readonly running: boolean;
	readonly format: SaveFormat;
	/** Bytes between the fixed part and QEMU's state: texts and room. */
	readonly dataLength: number;
	/** Where in them the cookie begins; 0 where there is none. */
	readonly cookieOffset: number;
}

/** What an image says about its guest. */
export interface SaveTexts {
	/** Definition of the guest. */
	readonly xml: string;
	/** What the driver keeps beside it; absent in old images. */
	readonly cookie?: string | undefined;
}

/** The head of an image. Throws OPERATION_FAILED where the texts are longer than `dataLength`, when that is given. */
export function encodeSaveImage(
	{ complete, running, format }: Pick<SaveHeader, "complete" | "running" | "format">,
	{ xml, cookie }: SaveTexts,
	dataLength?: number,
): Buffer {
	const xmlBytes = Buffer.from(`${xml}\0`);
	const texts = cookie === undefined ? xmlBytes : Buffer.concat([xmlBytes, Buffer.from(`${cookie}\0`)]);
	const length = dataLength ?? texts.length + ROOM_BYTES;
	if (texts.length > length) throw new VirtError("OPERATION_FAILED", "new xml too large to fit in file");
	const cookieOffset = cookie === undefined ? 0 : xmlBytes.length;
	const head = Buffer.alloc(HEADER_BYTES + length);
	encodeSaveHeader({ complete, running, format, dataLength: length, cookieOffset }).copy(head);
	texts.copy(head, HEADER_BYTES);
	return head;
}

/** The fixed part of the head. */
export function encodeSaveHeader(header: SaveHeader): Buffer {
	const bytes = Buffer.alloc(HEADER_BYTES);
	bytes.write(header.complete ? COMPLETE_MAGIC : PARTIAL_MAGIC, "latin1");
	const words = [
		VERSION,
		header.dataLength,
		header.running ? 1 : 0,
		SAVE_FORMATS.indexOf(header.format),
		header.cookieOffset,
	];
	for (const [index, word] of words.entries()) bytes.writeUInt32LE(word, 16 + 4 * index);
	return bytes;
}

/** What the fixed part says, of whichever byte order. Throws OPERATION_FAILED, in libvirt's words, where it is none. */
export function decodeSaveHeader(bytes: Buffer): SaveHeader {
	if (bytes.length < HEADER_BYTES) throw new VirtError("OPERATION_FAILED", "failed to read qemu header");
	const magic = bytes.toString("latin1", 0, 16);
	if (magic !== COMPLETE_MAGIC && magic !== PARTIAL_MAGIC)
		throw new VirtError("OPERATION_FAILED", "image magic is incorrect");
	const little = bytes.readUInt32LE(16) <= VERSION;
	const word = (index: number) => (little ? bytes.readUInt32LE(16 + 4 * index) : bytes.readUInt32BE(16 + 4 * index));
	const [version, dataLength, running, compressed, cookieOffset] = [word(0), word(1), word(2), word(3), word(4)];
	if (version > VERSION)
		throw new VirtError("OPERATION_FAILED", `image version is not supported (${version} > ${VERSION})`);
	if (dataLength === 0 || dataLength > MAX_TEXT_BYTES || cookieOffset > dataLength)
		throw new VirtError("OPERATION_FAILED", `invalid header data length: ${dataLength}`);
	const format = version < VERSION ? "raw" : SAVE_FORMATS[compressed];
	if (format === undefined) throw new VirtError("OPERATION_FAILED", `Invalid compressed save format ${compressed}`);
	return { complete: magic === COMPLETE_MAGIC, running: running !== 0, format, dataLength, cookieOffset };
}

/** The texts in the `dataLength` bytes after the fixed part. */
export function decodeSaveTexts(data: Buffer, { cookieOffset }: Pick<SaveHeader, "cookieOffset">): SaveTexts {
	if (cookieOffset === 0) return { xml: textIn(data) };
	return { xml: textIn(data.subarray(0, cookieOffset)), cookie: textIn(data.subarray(cookieOffset)) };
}

function textIn(bytes: Buffer): string {
	const end = bytes.indexOf(0);
	return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}
