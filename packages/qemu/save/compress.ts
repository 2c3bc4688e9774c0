// Programs of the host that pack or unpack a guest's state between QEMU and an image.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync, constants, openSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "@virtkit/host/system-error";
import { SAVE_FORMATS, type SaveFormat } from "./image-format.ts";

type Packed = Exclude<SaveFormat, "raw">;

const PACK: Readonly<Record<Packed, readonly string[]>> = {
	gzip: ["-c"],
	bzip2: ["-c"],
	xz: ["-c", "-3"],
	lzop: ["-c"],
};
const UNPACK: Readonly<Record<Packed, readonly string[]>> = {
	gzip: ["-dc"],
	bzip2: ["-dc"],
	xz: ["-dc"],
	lzop: ["-dc", "--ignore-warn"],
};

/** The format of that name. Throws OPERATION_FAILED where there is none. */
export function saveFormat(name: string | undefined): SaveFormat {
	const format = name ?? "raw";
	const known = SAVE_FORMATS.find((one) => one === format);
	if (known === undefined) throw new VirtError("OPERATION_FAILED", `Invalid save image format '${format}' specified`);
	return known;
}

/** A program between QEMU and a file. */
export interface Filter extends AsyncDisposable {
	/** The descriptor that QEMU writes to or reads from. */
	readonly fd: number;
	/** QEMU has its own copy of the descriptor: ours is let go of, so that either sees the other's end. */
	handedOver(): void;
	/** Waits for the program's end. Throws OPERATION_FAILED with what it said where it failed. */
	finish(): Promise<void>;
}

/** Starts the packer, whose output goes to descriptor `to`. `folder` is a place for something short-lived. */
export async function packTo(format: Packed, to: number, folder: string): Promise<Filter> {
	const pipe = await makePipe(folder);
	return startFilter(format, PACK[format], [pipe.read, to], pipe, "write");
}

/** Starts the unpacker, whose input comes from descriptor `from`. */
export async function unpackFrom(format: Packed, from: number, folder: string): Promise<Filter> {
	const pipe = await makePipe(folder);
	return startFilter(format, UNPACK[format], [from, pipe.write], pipe, "read");
}

interface Pipe {
	readonly read: number;
	readonly write: number;
}

/** A pipe of plain descriptors, which Node has no call for: it reads ahead from those that it makes for its children. */
async function makePipe(folder: string): Promise<Pipe> {
	const path = join(folder, `.pipe-${randomUUID()}`);
	await promisify(execFile)("mkfifo", ["-m", "600", path]);
	const opened: number[] = [];
	try {
		// Both ends at once, so that opening either alone does not wait for the other.
		opened.push(openSync(path, constants.O_RDWR));
		const read = openSync(path, constants.O_RDONLY);
		opened.push(read);
		const write = openSync(path, constants.O_WRONLY);
		closeSync(opened[0] as number);
		return { read, write };
	} catch (error) {
		for (const fd of opened) closeSync(fd);
		throw systemError("cannot make a pipe", error);
	} finally {
		unlinkSync(path);
	}
}

async function startFilter(
	program: string,
	args: readonly string[],
	ends: readonly [stdin: number, stdout: number],
	pipe: Pipe,
	ours: keyof Pipe,
): Promise<Filter> {
	const child = spawn(program, args, { stdio: [...ends, "pipe"] });
	let open = true;
	const handedOver = () => {
		if (open) closeSync(pipe[ours]);
		open = false;
	};
	closeSync(pipe[ours === "read" ? "write" : "read"]);
	const finish = outcome(program, child);
	finish.catch(() => undefined);
	try {
		await once(child, "spawn");
	} catch (error) {
		handedOver();
		throw systemError(`cannot execute binary ${program}`, error);
	}
	return {
		fd: pipe[ours],
		handedOver,
		finish: () => finish,
		async [Symbol.asyncDispose]() {
			handedOver();
			if (child.exitCode === null) child.kill("SIGKILL");
			await finish.catch(() => undefined);
		},
	};
}

async function outcome(program: string, child: ChildProcess): Promise<void> {
	let said = "";
	child.stderr?.setEncoding("utf8").on("data", (text: string) => {
		said += text;
	});
	await once(child, "close");
	if (child.exitCode !== 0)
		throw new VirtError("OPERATION_FAILED", `'${program}' failed: ${said.trim() || `exit status ${child.exitCode}`}`);
}
