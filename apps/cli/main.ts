// The command line's entrance: options, then a command, several in one string, or the shell.

import { CliContext, type GlobalOptions, orFail, type Terminal } from "./context.ts";
import { defaultUri, type Invocation, parseInvocation } from "./global-options.ts";
import { runCommand } from "./run.ts";
import { VERSION } from "./version.ts";

const terminal: Terminal = {
	out: (text) => void process.stdout.write(text),
	err: (text) => void process.stderr.write(text),
};

async function usage(): Promise<string> {
	const [{ loadGroups }, { groupHelp }, { GLOBAL_OPTIONS }] = await Promise.all([
		import("./commands/all.ts"),
		import("./grammar/help.ts"),
		import("./grammar/manual.ts"),
	]);
	const options = GLOBAL_OPTIONS.map(([option, text]) => `    ${option.padEnd(24)}${text}\n`).join("");
	return `\nvirtkit [options]... [<command_string>]\nvirtkit [options]... <command> [args...]\n\n  options:\n${options}  commands (non interactive mode):\n\n${(await loadGroups()).map(groupHelp).join("\n")}`;
}

const open = ({ uri, readOnly }: GlobalOptions) =>
	orFail(
		"failed to connect to the hypervisor",
		import("@virtkit/client/sdk/connection").then(({ connect }) => connect(uri, { readOnly })),
	);

async function run({ options, words, help, version }: Invocation): Promise<number> {
	if (help || version) {
		terminal.out(help ? await usage() : `${VERSION}\n`);
		return 0;
	}
	const interactive = words.length === 0;
	// What is returned below is awaited there: the connection must not be left before the command is done.
	await using context = new CliContext(options, terminal, open, interactive);
	if (interactive) {
		const { runShell } = await import("./shell/repl.ts");
		return await runShell(context);
	}
	// A single word may hold whole commands, as in virtkit 'list; nodeinfo'.
	const [first = ""] = words;
	if (words.length === 1 && /[\s;]/.test(first)) {
		const { runLine } = await import("./shell/repl.ts");
		return await runLine(context, first);
	}
	return await runCommand(context, words);
}

// A reader that has had enough, such as head, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

/** Sets the exit status; nothing is thrown. Not awaited at the top, which only an ES module could do: the bundle is none. */
async function main(): Promise<void> {
	try {
		process.exitCode = await run(
			parseInvocation(process.argv.slice(2), defaultUri(process.env, process.getuid?.() ?? 0)),
		);
	} catch (error) {
		terminal.err(`error: ${error instanceof Error ? error.message : error}\n`);
		process.exitCode = 1;
	}
}

void main();
