// Runs commands and tells their failures, as virsh does.

import { findCommand } from "./commands/all.ts";
import type { CliContext } from "./context.ts";
import { parseArguments, UsageError } from "./grammar/parse.ts";

/** Runs one command given as words; the result is its exit status. Failures are told on standard error. */
export async function runCommand(context: CliContext, words: readonly string[]): Promise<number> {
	const [name = "", ...rest] = words;
	const command = findCommand(name);
	const began = performance.now();
	try {
		if (!command) throw new UsageError(`unknown command: '${name}'`);
		const args = parseArguments(command, rest);
		const status = (await command.run(context, args as never)) ?? 0;
		if (status !== 0) return status;
	} catch (error) {
		tellFailure(context, error);
		return 1;
	}
	if (context.options.timing) context.print(`\n(Time: ${(performance.now() - began).toFixed(3)} ms)\n`);
	else if (!context.options.quiet && !context.options.json) context.print("");
	return 0;
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
