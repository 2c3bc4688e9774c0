// Runs commands and tells their failures, as virsh does.

import { findCommand } from "./commands/all.ts";
import type { CliContext } from "./context.ts";
import { parseArguments, UsageError } from "./grammar/parse.ts";

/** Runs one command given as words; the result is its exit status. Failures are told on standard error. */
export async function runCommand(context: CliContext, words: readonly string[]): Promise<number> {
	const [name = "", ...rest] = words;
	const began = performance.now();
	let run: () => Promise<number | void>;
	try {
		const command = findCommand(name);
		if (!command) throw new UsageError(`unknown command: '${name}'`);
		const args = parseArguments(command, rest);
		run = () => command.run(context, args as never);
	} catch (error) {
		tellFailure(context, error);
		return 1;
	}
	const status = await settle(context, run);
	if (context.options.timing) context.print(`\n(Time: ${(performance.now() - began).toFixed(3)} ms)\n`);
	else if (!context.options.json) context.say("");
	return status;
}

async function settle(context: CliContext, run: () => Promise<number | void>): Promise<number> {
	try {
		return (await run()) ?? 0;
	} catch (error) {
		tellFailure(context, error);
		return 1;
	}
}

/** `error: what failed`, and below it why. */
export function tellFailure(context: CliContext, error: unknown): void {
	for (let one: unknown = error; one instanceof Error; one = isTold(one) ? one.cause : undefined)
		context.terminal.err(`error: ${one.message}\n`);
}

/** Whether what caused an error is told too: a command's own words never say why. */
function isTold(error: Error): boolean {
	return (
		error.name === "CommandError" &&
		error.cause instanceof Error &&
		!("errno" in error.cause && error.message.includes(error.cause.message))
	);
}
