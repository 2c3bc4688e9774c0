// Files with saved guests: made so that one half-written never passes for a whole one, and read from the head on.

import { constants } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { VirtError } from "@virtkit/base/errors";
import { isErrno, systemError } from "@virtkit/host/system-error";
import {
	decodeSaveHeader,
	decodeSaveTexts,
	encodeSaveHeader,
	HEADER_BYTES,
	type SaveHeader,
	type SaveTexts,
} from "./image-format.ts";

/** A file that is being written. */
export interface NewFile {
	readonly file: FileHandle;
	/** It was not there before, so it is ours to remove. */
	readonly created: boolean;
}

/** Opens a file for writing from its beginning, making it where it is not there. Throws SYSTEM_ERROR. */
export async function createFile(path: string): Promise<NewFile> {
	const flags = constants.O_WRONLY | constants.O_CREAT;
	try {
		try {
			return { file: await open(path, flags | constants.O_EXCL, 0o600), created: true };
		} catch (error) {
			if (!isErrno(error, "EEXIST")) throw error;
			return { file: await open(path, flags | constants.O_TRUNC, 0o600), created: false };
		}
	} catch (error) {
		throw systemError(`Failed to create file '${path}'`, error);
	}
}

/** Closes a file of which nothing came, and removes it where it was made for that. */
export async function discardFile(path: string, { file, created }: NewFile): Promise<void> {
	await file.close().catch(() => undefined);
	if (created) await unlink(path).catch(() => undefined);
}

/** Writes an image's head where the descriptor stands, and leaves it behind that: QEMU goes on from there. */
export async function writeHead(path: string, file: FileHandle, head: Uint8Array): Promise<void> {
	try {
		for (let done = 0; done < head.length; )
			done += (await file.write(head, done, head.length - done, null)).bytesWritten;
	} catch (error) {
		throw systemError(`failed to write header to domain save file '${path}'`, error);
	}
}

/** Makes the image count as complete: everything of it is on the disk before the mark is. */
export async function completeImage(path: string, file: FileHandle, header: SaveHeader): Promise<void> {
	try {
		await syncToDisk(file);
		await file.write(encodeSaveHeader({ ...header, complete: true }), 0, HEADER_BYTES, 0);
		await syncToDisk(file);
	} catch (error) {
		throw systemError(`failed to write header to domain save file '${path}'`, error);
	}
}

/** Pipes and the like have nothing to write back. */
async function syncToDisk(file: FileHandle): Promise<void> {
	await file.sync().catch((error) => {
		if (!isErrno(error, "EINVAL")) throw error;
	});
}

/** An image that was opened; its descriptor stands where QEMU's state begins. */
export interface OpenImage extends AsyncDisposable {
	readonly file: FileHandle;
	readonly header: SaveHeader;
	readonly texts: SaveTexts;
}

/**
 * Opens a complete image.
 *
 * Throws SYSTEM_ERROR where the file cannot be read, OPERATION_FAILED in libvirt's words where it is no image or not complete.
 */
export async function openImage(path: string, access: "read" | "write" = "read"): Promise<OpenImage> {
	const file = await openFile(path, access);
	try {
		const header = decodeSaveHeader(await readExactly(file, HEADER_BYTES, "failed to read qemu header"));
		if (!header.complete) throw new VirtError("OPERATION_FAILED", "save image is incomplete");
		const data = await readExactly(file, header.dataLength, "failed to read domain XML");
		const texts = decodeSaveTexts(data, header);
		return { file, header, texts, [Symbol.asyncDispose]: () => file.close() };
	} catch (error) {
		await file.close();
		throw error;
	}
}

async function openFile(path: string, access: "read" | "write"): Promise<FileHandle> {
	try {
		return await open(path, access === "read" ? "r" : "r+");
	} catch (error) {
		throw systemError(`Failed to open file '${path}'`, error);
	}
}

async function readExactly(file: FileHandle, length: number, failure: string): Promise<Buffer> {
	const buffer = Buffer.alloc(length);
	for (let done = 0; done < length; ) {
		const { bytesRead } = await file.read(buffer, done, length - done, null);
		if (bytesRead === 0) throw new VirtError("OPERATION_FAILED", failure);
		done += bytesRead;
	}
	return buffer;
}

/** Whether the file is an image that was begun and never finished, or not even begun. */
export async function isUnfinishedImage(path: string): Promise<boolean> {
	await using file = await openFile(path, "read");
	const bytes = Buffer.alloc(HEADER_BYTES);
	const { bytesRead } = await file.read(bytes, 0, HEADER_BYTES, 0);
	if (bytesRead < HEADER_BYTES) return true;
	try {
		return !decodeSaveHeader(bytes).complete;
	} catch {
		return false;
	}
}
