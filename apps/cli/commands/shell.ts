// Commands of the shell itself.

import { CommandError } from "../context.ts";
import { flag, optional, rest } from "../grammar/command.ts";
import { commandHelp, groupHelp, overview } from "../grammar/help.ts";
import { type CliCommand, declare } from "./declare.ts";

const help = declare({
	name: "help",
	summary: "print help",
	description: "Prints global help, command specific help, or help for a\n    group of related commands",
	local: true,
	options: { command: optional("Prints global help, command specific help, or help for a group of related commands") },
	async run(context, args) {
		// The list of all commands holds this one, so it is asked for when it is there.
		const { findCommand, GROUPS } = await import("./all.ts");
		if (args.command === undefined) return context.print(overview(GROUPS));
		const command = findCommand(args.command);
		const group = GROUPS.find(({ keyword }) => keyword === args.command);
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
	options: { shell: flag("escape for shell use"), xml: flag("escape for XML use"), string: rest("arguments to echo") },
	async run(context, args) {
		const { escapeXml } = await import("@virtkit/xml/write");
		const quote = (word: string): string =>
			/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
		context.print(
			args.string
				.map((word) => (args.xml ? escapeXml(word) : word))
				.map((word) => (args.shell ? quote(word) : word))
				.join(" "),
		);
	},
});

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
	options: { name: optional("hypervisor connection URI"), readonly: flag("read-only connection") },
	async run(context, args) {
		await context.reconnect({ readOnly: args.readonly, ...(args.name === undefined ? {} : { uri: args.name }) });
		await context.connection;
	},
});

export const shellCommands: readonly CliCommand[] = [help, cd, pwd, echo, quit("quit"), quit("exit"), connect];
