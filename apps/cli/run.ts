// Runs commands and tells their failures, as virsh does.

import { findCommand } from "./commands/all.ts";
import { whyNotHere } from "./commands/not-here.ts";
import { type CliContext, SilentFailure } from "./context.ts";
import { argumentsOf, asksForHelp, takeWords, UsageError } from "./grammar/parse.ts";

/** A command with its arguments, ready to run. */
export interface Prepared {
	readonly name: string;
	run(context: CliContext): Promise<number | void>;
}

/** Finds the command that the words name and reads its arguments. Throws UsageError in virsh's words. */
export async function prepare(words: readonly string[]): Promise<Prepared> {
	const [name = "", ...rest] = words;
	const command = await findCommand(name);
	if (!command) throw new UsageError(unknownCommand(name));
	if (asksForHelp(rest) && command.name !== "help") return prepare(["help", command.name]);
	const given = takeWords(command, rest);
	return {
		name: command.name,
		// What a value's text means is looked at by the command itself in virsh, as part of running it.
		run: async (context) => command.run(context, argumentsOf(command, given) as never),
	};
}

function unknownCommand(name: string): string {
	const reason = whyNotHere(name);
	return `unknown command: '${name}'${reason === undefined ? "" : ` (${reason})`}`;
}

/** Runs one command given as words; the result is its exit status. Failures are told on standard error. */
export async function runCommand(context: CliContext, words: readonly string[]): Promise<number> {
	try {
		return await runPrepared(context, await prepare(words));
	} catch (error) {
		tellFailure(context, error);
		return 1;
	}
}

/** Runs a command and ends its output with a blank line, as virsh does; the result is its exit status. */
export async function runPrepared(context: CliContext, { run }: Prepared): Promise<number> {
	// Not by `performance`, which takes Node longer to load than most commands take to run.
	const began = process.hrtime.bigint();
	const status = await settle(context, () => run(context));
	if (context.options.timing)
		context.print(`\n(Time: ${(Number(process.hrtime.bigint() - began) / 1e6).toFixed(3)} ms)\n`);
	else if (!context.options.json && !context.ended) context.say("");
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
	if (error instanceof SilentFailure) return;
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
