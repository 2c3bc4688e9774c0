// What the declarations of commands share: the command's context, and options that many have.

import type { CliContext } from "../context.ts";
import type { Command, Options } from "../grammar/command.ts";
import { type Arguments, command, flag, needed, type ValueOption } from "../grammar/command.ts";

/** A command of the command line. */
export type CliCommand = Command<CliContext>;

/** Declares a command of the command line. */
export function declare<const O extends Options>(
	declared: Omit<CliCommand, "options" | "run"> & {
		readonly options: O;
		run(context: CliContext, args: Arguments<O>): Promise<number | void>;
	},
): CliCommand {
	return command<CliContext, O>(declared);
}

/** The domain a command is about. */
export const domainOption = (
	completes: "domain" | "active-domain" | "inactive-domain" = "domain",
): ValueOption<false, true> => needed("domain name, id or uuid", { completes });

/** Where a change takes effect. */
export const affectOptions = {
	config: flag("affect next boot"),
	live: flag("affect running domain"),
	current: flag("affect current domain"),
} as const;

/** The options of libvirt's call for --config, --live, --current. */
export function affected(args: { readonly config: boolean; readonly live: boolean }): {
	config: boolean;
	live: boolean;
} {
	return { config: args.config, live: args.live };
}
