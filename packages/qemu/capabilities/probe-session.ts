// An emulator started only to be asked: no machine, no guest, its monitor on an inherited socket.

import { accessSync, constants, statSync } from "node:fs";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { VirtError } from "@virtkit/base/errors";
import { QmpClient } from "@virtkit/qmp/client";
import { isQmpError } from "@virtkit/qmp/qmp-error";
import { type ChildIdentity, QuietChild } from "./quiet-child.ts";

export interface ProbeOptions extends ChildIdentity {
	/** For one answer, also for the first sign of life; in milliseconds. */
	readonly deadlineMs?: number;
}

/** Generous: within a nested, interpreted host an emulator takes seconds to start. */
const DEFAULT_DEADLINE_MS = 30_000;

/** Throws SYSTEM_ERROR where `binary` is no file that can be executed. */
export function checkBinary(binary: string): void {
	try {
		if (!statSync(binary).isFile()) throw new Error("not a regular file");
		accessSync(binary, constants.X_OK);
	} catch (cause) {
		const why =
			cause instanceof Error ? (WORDING[(cause as NodeJS.ErrnoException).code ?? ""] ?? cause.message) : cause;
		throw new VirtError("SYSTEM_ERROR", `Cannot check QEMU binary ${binary}: ${why}`, { cause });
	}
}

const WORDING: Readonly<Record<string, string>> = {
	ENOENT: "No such file or directory",
	EACCES: "Permission denied",
	ENOTDIR: "Not a directory",
	ELOOP: "Too many levels of symbolic links",
};

/** An emulator that closes its monitor is about to end: so long is waited for how it does. */
const EXIT_GRACE_MS = 500;

export class ProbeSession implements AsyncDisposable {
	readonly client: QmpClient;
	readonly binary: string;
	readonly #child: QuietChild;

	/** Starts the emulator; commands can be given at once. */
	constructor(binary: string, accelerators: string, options: ProbeOptions = {}) {
		const monitor = ["-chardev", "socket,id=monitor,fd=3", "-mon", "chardev=monitor,mode=control"];
		const bare = ["-S", "-no-user-config", "-nodefaults", "-nographic", "-machine", `none,accel=${accelerators}`];
		this.binary = binary;
		this.#child = new QuietChild(binary, [...bare, ...monitor], "pipe", options);
		const socket = this.#child.extra as Socket;
		this.client = new QmpClient(socket, { oob: "never", deadlineMs: options.deadlineMs ?? DEFAULT_DEADLINE_MS });
	}

	/** What it printed so far, trimmed. */
	get printed(): string {
		return `${this.#child.stderr}${this.#child.stdout}`.trim();
	}

	/** The error for a probe that came to nothing because of `thrown`: names the binary, its end and what it printed. */
	async explain(thrown: unknown): Promise<VirtError> {
		if (isQmpError(thrown)) return thrown;
		const end = await Promise.race([this.#child.ended, sleep(EXIT_GRACE_MS)]);
		const what = end ?? "it does not answer as QEMU does";
		const printed = this.printed === "" ? "it printed nothing" : `it printed: ${this.printed}`;
		const message = `Failed to probe QEMU binary ${this.binary} with QMP: ${what}; ${printed}`;
		// libvirt stumbles over the process number that the program never wrote, and says so with this code.
		return new VirtError("SYSTEM_ERROR", message, { cause: thrown });
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.client.close();
		await this.#child[Symbol.asyncDispose]();
	}
}
