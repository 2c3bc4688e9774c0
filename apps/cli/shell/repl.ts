// The interactive shell: lines with history and completion, until quit.

import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { loadGroups } from "../commands/all.ts";
import type { CliContext } from "../context.ts";
import { complete } from "../grammar/complete.ts";
import { splitCommands } from "../grammar/parse.ts";
import { prepare, runPrepared, tellFailure } from "../run.ts";
import { nameSource } from "./names.ts";

const HISTORY_LINES = 500;

function historyFile(): string {
	return join(process.env.XDG_STATE_HOME || join(homedir(), ".local/state"), "virtkit", "history");
}

function readHistory(file: string): string[] {
	if (!existsSync(file)) return [];
	return readFileSync(file, "utf8").trimEnd().split("\n").slice(-HISTORY_LINES).reverse();
}

function remember(file: string, line: string): void {
	mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
	appendFileSync(file, `${line}\n`, { mode: 0o600 });
}

/** Runs the shell; the result is the exit status of its last command. */
export async function runShell(context: CliContext): Promise<number> {
	const terminal = process.stdin.isTTY === true;
	const file = historyFile();
	const lines = createInterface({
		input: process.stdin,
		...(terminal ? { output: process.stdout, history: readHistory(file), historySize: HISTORY_LINES } : {}),
		completer: async (line: string): Promise<[string[], string]> => {
			const words = line.trimStart().split(/\s+/);
			const commands = (await loadGroups()).flatMap((group) => group.commands);
			return [[...(await complete(words, commands, nameSource(context)))], words.at(-1) ?? ""];
		},
	});
	if (terminal && !context.options.quiet)
		context.terminal.out(
			"Welcome to virtkit, the virtualization interactive terminal.\n\nType:  'help' for help with commands\n       'quit' to quit\n\n",
		);
	let status = 0;
	lines.setPrompt(context.options.readOnly ? "virtkit > " : "virtkit # ");
	if (terminal) lines.prompt();
	for await (const line of lines) {
		if (terminal && line.trim() !== "") remember(file, line);
		lines.pause();
		status = await runLine(context, line, status);
		if (context.ended) break;
		lines.resume();
		if (terminal) lines.prompt();
	}
	lines.close();
	return status;
}

/** Runs the commands of a line in order, none of them when one does not fit; the result is the status of the last. */
export async function runLine(context: CliContext, line: string, before = 0): Promise<number> {
	try {
		let status = before;
		for (const prepared of await Promise.all(splitCommands(line).map(prepare))) {
			status = await runPrepared(context, prepared);
			if (context.ended) break;
		}
		return status;
	} catch (error) {
		tellFailure(context, error);
		return 1;
	}
}
