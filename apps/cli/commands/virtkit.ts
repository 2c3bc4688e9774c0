// Commands that virsh does not have: completion, the manual page.

import { CommandError } from "../context.ts";
import { needed, rest } from "../grammar/command.ts";
import { COMPLETION_SCRIPTS } from "../grammar/completion-scripts.ts";
import { type CliCommand, declare } from "./declare.ts";
import { readFile } from "./definition.ts";

const completion = declare({
	name: "completion",
	summary: "print a completion script for a shell",
	description:
		"Prints a script for bash, zsh or fish, to be sourced by the shell or put where it looks for completions.",
	local: true,
	options: { shell: needed("bash, zsh or fish", { completes: Object.keys(COMPLETION_SCRIPTS) }) },
	async run(context, args) {
		const script = COMPLETION_SCRIPTS[args.shell];
		if (script === undefined)
			throw new CommandError(
				`no completion for '${args.shell}', only for ${Object.keys(COMPLETION_SCRIPTS).join(", ")}`,
			);
		context.terminal.out(script);
	},
});

const complete = declare({
	name: "complete",
	summary: "print what may come next on a command line",
	description: "Prints the candidates for the last of the words, one a line: what the completion scripts ask.",
	options: { word: rest("the words so far") },
	async run(context, args) {
		const [{ complete: candidates }, { loadGroups }, { nameSource }] = await Promise.all([
			import("../grammar/complete.ts"),
			import("./all.ts"),
			import("../shell/names.ts"),
		]);
		const commands = (await loadGroups()).flatMap((group) => group.commands);
		for (const one of await candidates(args.word, commands, nameSource(context))) context.terminal.out(`${one}\n`);
	},
});

const manual = declare({
	name: "manual",
	summary: "print the manual page",
	description: "Prints virtkit(1) as man(1) reads it: virtkit manual | man -l -",
	local: true,
	options: {},
	async run(context) {
		const [{ manualPage }, { loadGroups }, { VERSION }] = await Promise.all([
			import("../grammar/manual.ts"),
			import("./all.ts"),
			import("../version.ts"),
		]);
		context.terminal.out(manualPage(await loadGroups(), VERSION));
	},
});

interface ExplainedOption {
	readonly name: string;
	readonly value?: string;
	readonly what: string;
	readonly line?: number;
}

const explain = declare({
	name: "explain",
	summary: "tell where each option of a guest's QEMU comes from",
	description:
		"Prints QEMU's command line for a domain, or for a file with a domain description, and for each option the element that it renders, with its line, or the default or rule that made it. Lines are those of the file, or of dumpxml --inactive. With --output json as JSON.",
	options: {
		subject: needed("domain name, id or uuid, or a file with a '/' or '.' in its name", { completes: "domain" }),
	},
	async run(context, { subject }) {
		const isFile = /[/.]/.test(subject);
		const xml = isFile ? readFile(subject) : await (await context.domain(subject)).xml({ inactive: true });
		const explained = await (await context.connection).domains.toNative(xml, "virtkit-explain");
		if (context.options.json) return context.print(explained.trimEnd());
		const { binary, options } = JSON.parse(explained) as { binary: string; options: readonly ExplainedOption[] };
		context.print(binary);
		for (const { name, value, what, line } of options) {
			context.print(value === undefined ? name : `${name} ${value}`);
			context.print(line === undefined ? `    ${what}` : `    ${what}, line ${line}`);
		}
	},
});

export const virtkitCommands: readonly CliCommand[] = [explain, completion, complete, manual];
