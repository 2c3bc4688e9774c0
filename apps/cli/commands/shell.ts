// Commands of the shell itself.

import { CommandError } from "../context.ts";
import { flag, optional, rest } from "../grammar/command.ts";
import { type CliCommand, declare, exclusive } from "./declare.ts";

const help = declare({
	name: "help",
	summary: "print help",
	description: "Prints global help, command specific help, or help for a\ngroup of related commands",
	local: true,
	options: { command: optional("Prints global help, command specific help, or help for a group of related commands") },
	async run(context, args) {
		// The list of all commands holds this one, so it is asked for when it is there.
		const [{ findCommand, loadGroups }, { commandHelp, groupHelp, overview }] = await Promise.all([
			import("./all.ts"),
			import("../grammar/help.ts"),
		]);
		if (args.command === undefined) return context.print(overview(await loadGroups()));
		const command = await findCommand(args.command);
		const [group] = command ? [] : await loadGroups(args.command);
		if (!command && !group) throw new CommandError(`command or command group '${args.command}' doesn't exist`);
		context.print(
			command ? `${commandHelp(command)}\n` : groupHelp(group ?? { title: "", keyword: "", commands: [] }).trimEnd(),
		);
	},
});

const cd = declare({
	name: "cd",
	summary: "change the current directory",
	description: "Change the current directory.",
	local: true,
	options: { dir: optional("directory to switch to (default: home or else root)", { completes: "file" }) },
	async run(context, args) {
		if (!context.interactive) throw new CommandError("cd: command valid only in interactive mode");
		const target = args.dir ?? process.env.HOME ?? "/";
		try {
			process.chdir(target);
		} catch (cause) {
			throw new CommandError(`cd: ${(cause as NodeJS.ErrnoException).code}: ${target}`);
		}
	},
});

const pwd = declare({
	name: "pwd",
	summary: "print the current directory",
	description: "Prints the folder that the shell is in.",
	local: true,
	options: {},
	async run(context) {
		context.print(process.cwd());
	},
});

const echo = declare({
	name: "echo",
	summary: "echo arguments. Used for internal testing.",
	description: "Echo back arguments, possibly with quoting.",
	local: true,
	options: {
		shell: flag("escape for shell use"),
		xml: flag("escape for XML use"),
		split: flag("each argument is a list: ',' separates its items, ',,' is a comma"),
		err: flag("print on standard error"),
		string: rest("arguments to echo"),
	},
	async run(context, args) {
		exclusive(args, "shell", "xml");
		exclusive(args, "shell", "split");
		exclusive(args, "xml", "split");
		const { escapeXml } = await import("@virtkit/xml/write");
		const shown = (word: string): string => {
			if (args.xml) return escapeXml(word);
			if (args.split)
				return splitList(word)
					.map((one) => `${one}\n`)
					.join("");
			return args.shell ? quote(word) : word;
		};
		const line = args.string.map(shown).join(" ");
		if (args.err) throw new CommandError(line);
		context.terminal.out(line);
	},
});

const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Items of a list that `,` separates; `,,` is a comma inside one. */
export function splitList(list: string): string[] {
	return list
		.replaceAll(",,", "\0")
		.split(",")
		.map((item) => item.replaceAll("\0", ","));
}

function quit(name: string): CliCommand {
	return declare({
		name,
		summary: "quit this interactive terminal",
		local: true,
		options: {},
		async run(context) {
			context.ended = true;
		},
	});
}

const connect = declare({
	name: "connect",
	summary: "(re)connect to hypervisor",
	description: "Connect to local hypervisor. This is built-in command after shell start up.",
	local: true,
	options: {
		name: optional("hypervisor connection URI", { emptyAllowed: true }),
		readonly: flag("read-only connection"),
	},
	async run(context, args) {
		await context.reconnect({ readOnly: args.readonly, ...(args.name === undefined ? {} : { uri: args.name }) });
		await context.connection;
	},
});

export const shellCommands: readonly CliCommand[] = [help, cd, pwd, echo, quit("quit"), quit("exit"), connect];
