// Runs a development tool from node_modules and collects what it prints.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

/** What a tool came to. */
export interface ToolRun {
	readonly code: number | null;
	/** What it printed on its standard output and error. */
	readonly output: string;
	readonly error: string;
}

/** The script behind the command `name` of npm package `packageName`, as its package.json has it. */
function toolScript(packageName: string, name: string): string {
	const folder = join(import.meta.dirname, "../../node_modules", packageName);
	const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
		bin: string | Record<string, string>;
	};
	return join(folder, (typeof bin === "string" ? bin : bin[name]) ?? "");
}

/** Runs the command `name` of npm package `packageName` in `cwd`, without colours. */
export async function runTool(
	packageName: string,
	name: string,
	args: readonly string[],
	cwd: string,
): Promise<ToolRun> {
	const child = spawn(process.execPath, [toolScript(packageName, name), ...args], {
		cwd,
		env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
		stdio: ["ignore", "pipe", "pipe"],
	});
	const { promise, resolve, reject } = Promise.withResolvers<number | null>();
	child.once("close", resolve).once("error", reject);
	const [output, error, code] = await Promise.all([text(child.stdout), text(child.stderr), promise]);
	return { code, output, error };
}

/** The error of a tool that failed without telling findings. */
export function toolFailure(name: string, run: ToolRun): Error {
	const said = `${run.error}\n${run.output}`.trim().split("\n").slice(-10).join("\n");
	return new Error(`${name} exited with ${run.code} and told no findings; it said:\n${said}`);
}
