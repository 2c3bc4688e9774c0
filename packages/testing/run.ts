// Runs a program to its end and hands back what it said, for tests that ask real clients.

import { spawn } from "node:child_process";

/** What a program came to. */
export interface RunResult {
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

export interface RunOptions {
	/** Given to its standard input. */
	readonly input?: string;
	readonly env?: Readonly<Record<string, string>>;
	/** Ended with SIGKILL after this; two minutes unless told. */
	readonly deadlineMs?: number;
}

/** Runs the program; a failure to start it is thrown, its own failure is in the result. */
export function run(path: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
	const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
	const env = { ...process.env, LC_ALL: "C", ...options.env };
	const child = spawn(path, args, {
		env,
		stdio: "pipe",
		timeout: options.deadlineMs ?? 120_000,
		killSignal: "SIGKILL",
	});
	const text = { stdout: "", stderr: "" };
	for (const name of ["stdout", "stderr"] as const) {
		child[name].setEncoding("utf8").on("data", (data: string) => {
			text[name] += data;
		});
	}
	child.once("error", reject);
	child.once("close", (code) => resolve({ code, ...text }));
	// A program that ends without reading its input is none of our business.
	child.stdin.on("error", () => undefined).end(options.input ?? "");
	return promise;
}

/** What the program printed. @throws Error with all it said when it fails. */
export async function outputOf(path: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
	const { code, stdout, stderr } = await run(path, args, options);
	if (code === 0) return stdout;
	throw new Error(`${path} ${args.join(" ")}: exit status ${code}\n${stdout}${stderr}`);
}
