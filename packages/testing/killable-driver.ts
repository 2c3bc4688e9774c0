// Runs the QEMU driver in a child process that a test may kill at any instant and start again on the same folders.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { DriverSettings } from "@virtkit/qemu/settings";
import type { DriverCommand } from "./driver-child.ts";

export interface DomainFacts {
	readonly name: string;
	readonly id: number;
	readonly state: string;
}

interface Message {
	readonly ready?: boolean;
	readonly id?: number;
	readonly result?: unknown;
	readonly error?: string;
	readonly code?: string;
	readonly event?: string;
	readonly name?: string;
	readonly log?: string;
	readonly message?: string;
}

const CHILD = fileURLToPath(new URL("driver-child.ts", import.meta.url));

/** See the opening sentence. */
export class KillableDriver implements AsyncDisposable {
	/** `NAME: started booted`, in the order in which they came. */
	readonly events: string[] = [];
	readonly logs: string[] = [];
	readonly #child: ChildProcessByStdio<Writable, Readable, null>;
	readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
	readonly #exited: Promise<void>;
	readonly #ready = Promise.withResolvers<void>();
	#lastId = 0;

	private constructor(root: string, cache: string, settings: Partial<DriverSettings>) {
		this.#child = spawn(process.execPath, [CHILD, root, cache, JSON.stringify(settings)], {
			stdio: ["pipe", "pipe", "inherit"],
		});
		this.#exited = new Promise((resolve) => this.#child.once("exit", () => resolve()));
		void this.#exited.then(() => this.#lose());
		this.#child.stdin.on("error", () => undefined);
		createInterface({ input: this.#child.stdout }).on("line", (line) => this.#take(JSON.parse(line) as Message));
	}

	/** Starts the driver of the instance under `root`; it is ready when this settles. */
	static async start(root: string, cache: string, settings: Partial<DriverSettings> = {}): Promise<KillableDriver> {
		const driver = new KillableDriver(root, cache, settings);
		await driver.#ready.promise;
		return driver;
	}

	/** Carries out one command. Rejects with the error's message, its code as `code`; also when the driver is killed. */
	run(command: Omit<DriverCommand, "id">): Promise<unknown> {
		const id = ++this.#lastId;
		const { promise, resolve, reject } = Promise.withResolvers<unknown>();
		this.#waiting.set(id, { resolve, reject });
		this.#child.stdin.write(`${JSON.stringify({ ...command, id })}\n`);
		return promise;
	}

	async list(): Promise<DomainFacts[]> {
		return (await this.run({ do: "list" })) as DomainFacts[];
	}

	/** Kills the process with SIGKILL. */
	async kill(): Promise<void> {
		this.#child.kill("SIGKILL");
		await this.#exited;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
	}

	#lose(): void {
		this.#ready.reject(new Error(`the driver ended before it was ready: ${this.logs.join("; ")}`));
		for (const { reject } of this.#waiting.values()) reject(new Error("the driver was killed"));
		this.#waiting.clear();
	}

	#take({ ready, id, result, error, code, event, name, log, message }: Message): void {
		if (ready) this.#ready.resolve();
		if (event) this.events.push(`${name}: ${event}`);
		if (log) this.logs.push(`${log}: ${message}`);
		if (id === undefined) return;
		const waiting = this.#waiting.get(id);
		this.#waiting.delete(id);
		if (error === undefined) waiting?.resolve(result);
		else waiting?.reject(Object.assign(new Error(error), { code }));
	}
}
