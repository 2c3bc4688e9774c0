// A child process as a byte stream: its standard input and output, and what it said when it failed.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { Duplex, type Readable, type Writable } from "node:stream";
import { VirtError } from "@virtkit/base/errors";

/** How much of what a command writes on stderr is kept for the error message, in characters. */
const STDERR_CHARACTERS = 4096;

/**
 * Runs a command and carries bytes to and from it.
 *
 * The end of its output is the end of the stream only when it ended well; otherwise the stream fails with what it wrote
 * on stderr (SYSTEM_ERROR). Destroying the stream ends the command.
 */
export class CommandStream extends Duplex {
	readonly #command: string;
	readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
	#stderr = "";

	constructor(command: string, args: readonly string[]) {
		super({ allowHalfOpen: false });
		this.#command = command;
		this.#child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
		const { stdin, stdout, stderr } = this.#child;
		stdout.on("data", (bytes: Buffer) => {
			if (!this.push(bytes)) stdout.pause();
		});
		stderr.setEncoding("utf8").on("data", (text: string) => {
			this.#stderr = (this.#stderr + text).slice(-STDERR_CHARACTERS);
		});
		// Writing to a command that has ended: why it ended is told by its status and stderr, which follow.
		stdin.on("error", () => undefined);
		this.#child.once("error", (error) => this.destroy(this.#failed(error.message)));
		this.#child.once("close", (code) => this.#onClose(code));
	}

	#onClose(code: number | null): void {
		if (code === 0) this.push(null);
		else this.destroy(this.#failed(this.#stderr.trim() || `it ended with status ${code}`));
	}

	#failed(reason: string): VirtError {
		const message = `cannot reach the daemon through '${this.#command}': ${reason}`;
		return new VirtError("SYSTEM_ERROR", message, { domain: "RPC" });
	}

	override _read(): void {
		this.#child.stdout.resume();
	}

	override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
		this.#child.stdin.write(chunk, () => callback());
	}

	override _final(callback: () => void): void {
		this.#child.stdin.end(() => callback());
	}

	override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
		this.#child.kill();
		callback(error);
	}
}
