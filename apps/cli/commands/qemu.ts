// Commands that speak to QEMU's monitor and to the guest agent as they are.

import { CommandError } from "../context.ts";
import { flag, named, namedNumber, needed, rest } from "../grammar/command.ts";
import { type CliCommand, declare, domainOption, exclusive, passedFds } from "./declare.ts";

const pretty = (json: string): string => JSON.stringify(JSON.parse(json), undefined, 2);

function parsed(json: string): unknown {
	try {
		return JSON.parse(json);
	} catch {
		return undefined;
	}
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);

/** The words as QEMU takes them: a command as JSON as it is, else the command's name and its arguments made one, as virsh does. */
function asQmp(words: readonly string[]): string {
	const text = words.join(" ");
	if (isObject(parsed(text))) return text;
	const [execute = "", ...rest] = words;
	if (rest.length === 0) return JSON.stringify({ execute });
	// Either one object, or members of one: "id":"disk1"
	const whole = parsed(rest.join(" "));
	const arguments_ = isObject(whole) ? whole : parsed(`{${rest.join(",")}}`);
	if (arguments_ === undefined)
		throw new CommandError(`failed to wrap arguments '${rest.join(" ")}' into a QMP command wrapper`);
	return JSON.stringify({ execute, arguments: arguments_ });
}

const monitorCommand = declare({
	name: "qemu-monitor-command",
	summary: "QEMU Monitor Command",
	description: "QEMU Monitor Command",
	options: {
		domain: domainOption("active-domain"),
		hmp: flag("command is in human monitor protocol"),
		pretty: flag("pretty-print any qemu monitor protocol output"),
		"return-value": flag("extract the value of the 'return' key from the returned string"),
		"pass-fds": named("pass file descriptors N,M,... along with the command"),
		cmd: rest("command", { required: true }),
	},
	async run(context, args) {
		exclusive(args, "hmp", "pretty");
		exclusive(args, "hmp", "return-value");
		const domain = await context.domain(args.domain);
		const answer = await domain.monitorCommand(args.hmp ? args.cmd.join(" ") : asQmp(args.cmd), {
			hmp: args.hmp,
			fds: passedFds(args["pass-fds"]),
		});
		if (args.hmp) return context.print(answer);
		if (!args.pretty && !args["return-value"]) return context.print(answer);
		const told = JSON.parse(answer) as { return?: unknown };
		if (args["return-value"] && told.return === undefined) throw new CommandError("'return' member missing");
		const shown = args["return-value"] ? told.return : told;
		context.terminal.out(JSON.stringify(shown, undefined, args.pretty ? 2 : 0));
	},
});

const agentCommand = declare({
	name: "qemu-agent-command",
	summary: "QEMU Guest Agent Command",
	description: "Run an arbitrary qemu guest agent command; use at your own risk",
	options: {
		domain: domainOption("active-domain"),
		timeout: namedNumber("timeout seconds. must be positive."),
		async: flag("execute command without waiting for timeout"),
		block: flag("execute command without timeout"),
		pretty: flag("pretty-print the output"),
		cmd: rest("command", { required: true }),
	},
	async run(context, args) {
		if ([args.timeout !== undefined, args.async, args.block].filter(Boolean).length > 1)
			throw new CommandError("timeout, async and block options are exclusive");
		if (args.timeout !== undefined && args.timeout < 1) throw new CommandError("timeout must be positive");
		const timeout = args.timeout ?? (args.async ? 0 : args.block ? -2 : -1);
		const answer = await (await context.domain(args.domain)).agentCommand(args.cmd.join(" "), timeout);
		context.print(args.pretty ? pretty(answer) : answer);
	},
});

const fdAssociate = declare({
	name: "dom-fd-associate",
	summary: "associate a FD with a domain",
	description: "associate a FD with a domain",
	options: {
		domain: domainOption(),
		name: needed("name of the FD group"),
		"pass-fds": needed("file descriptors N,M,... to associate"),
		"seclabel-writable": flag("use seclabels allowing writes"),
		"seclabel-restore": flag("try to restore security label after use if possible"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		await domain.associateFds(args.name, passedFds(args["pass-fds"]), {
			writableLabel: args["seclabel-writable"],
			restoreLabel: args["seclabel-restore"],
		});
	},
});

export const qemuCommands: readonly CliCommand[] = [monitorCommand, agentCommand, fdAssociate];
