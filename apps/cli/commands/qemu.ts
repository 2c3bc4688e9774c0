// Commands that speak to QEMU's monitor and to the guest agent as they are.

import { CommandError } from "../context.ts";
import { flag, namedNumber, rest } from "../grammar/command.ts";
import { type CliCommand, declare, domainOption, exclusive } from "./declare.ts";

const pretty = (json: string): string => JSON.stringify(JSON.parse(json), undefined, 2);

const monitorCommand = declare({
	name: "qemu-monitor-command",
	summary: "QEMU Monitor Command",
	description: "QEMU Monitor Command",
	options: {
		domain: domainOption("active-domain"),
		hmp: flag("command is in human monitor protocol"),
		pretty: flag("pretty-print any qemu monitor protocol output"),
		"return-value": flag("extract the value of the 'return' key from the returned string"),
		cmd: rest("command", { required: true }),
	},
	async run(context, args) {
		exclusive(args, "hmp", "pretty");
		exclusive(args, "hmp", "return-value");
		const domain = await context.domain(args.domain);
		const answer = await domain.monitorCommand(args.cmd.join(" "), { hmp: args.hmp });
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

export const qemuCommands: readonly CliCommand[] = [monitorCommand, agentCommand];
