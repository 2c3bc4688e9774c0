// A short-lived child process: its output kept, its end awaited, itself and its own children gone with us at the latest.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Duplex, Readable } from "node:stream";

/** Whom a child runs as; ourselves where nothing is said. */
export interface ChildIdentity {
	readonly uid?: number;
	readonly gid?: number;
}

/** How much of each output is kept, in characters. */
const MAX_KEPT = 4096;
/** A child that ended may have left its outputs to children of its own; no use waiting for these. */
const GRACE_MS = 100;
/** Has the kernel end the child when this process dies in whatever way (PR_SET_PDEATHSIG). */
const SETPRIV = "/usr/bin/setpriv";

export class QuietChild implements AsyncDisposable {
	readonly #process: ChildProcess;
	/** Settles when it has ended, with how: `exit status 1`, `killed by SIGABRT`. */
	readonly ended: Promise<string>;
	stdout = "";
	stderr = "";
	/** How it ended; undefined while it runs. */
	end: string | undefined;

	/** Starts `path` with an environment of its own. `extra` is its descriptor 3: one of ours, or a socket to it. */
	constructor(path: string, argv: readonly string[], extra: "pipe" | number, { uid, gid }: ChildIdentity) {
		const command = existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "KILL", "--", path, ...argv] : [path, ...argv];
		this.#process = spawn(command[0] ?? path, command.slice(1), {
			stdio: ["ignore", "pipe", "pipe", extra],
			detached: true,
			env: { LC_ALL: "C", PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: "/" },
			...(uid === undefined ? {} : { uid }),
			...(gid === undefined ? {} : { gid }),
		});
		this.#process.stdout?.on("data", (chunk) => (this.stdout = keep(this.stdout, chunk)));
		this.#process.stderr?.on("data", (chunk) => (this.stderr = keep(this.stderr, chunk)));
		this.ended = this.#watch();
	}

	get pid(): number | undefined {
		return this.#process.pid;
	}

	/** Our end of descriptor 3 where that is a socket. */
	get extra(): Duplex | undefined {
		return (this.#process.stdio[3] ?? undefined) as Duplex | undefined;
	}

	/** Ends it and the children that it started, at once. */
	kill(): void {
		const { pid } = this.#process;
		if (pid === undefined || this.end !== undefined) return;
		try {
			process.kill(-pid, "SIGKILL");
		} catch {
			this.#process.kill("SIGKILL");
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.kill();
		await this.ended;
		for (const stream of this.#process.stdio) (stream as Readable | null)?.destroy();
	}

	#watch(): Promise<string> {
		const { promise, resolve } = Promise.withResolvers<string>();
		const settle = (how: string) => {
			this.end ??= how;
			resolve(this.end);
		};
		this.#process.once("error", (error) => settle(error.message));
		this.#process.once("exit", (code, signal) => {
			const how = signal ? `killed by ${signal}` : `exit status ${code}`;
			this.#process.once("close", () => settle(how));
			setTimeout(settle, GRACE_MS, how).unref();
		});
		return promise;
	}
}

function keep(kept: string, chunk: Buffer): string {
	return kept.length >= MAX_KEPT ? kept : (kept + chunk.toString()).slice(0, MAX_KEPT);
}
