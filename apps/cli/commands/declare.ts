// What the declarations of commands share: the command's context, and options that many have.

import type { Domain } from "@virtkit/client/sdk/domain";
import { type CliContext, CommandError } from "../context.ts";
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

const config = flag("affect next boot");
const live = flag("affect running domain");
const current = flag("affect current domain");

/** Where a change takes effect. */
export const affectOptions = { config, live, current } as const;

/** The same in the order that some older commands have. */
export const liveFirstOptions = { live, config, current } as const;

interface Affecting {
	readonly config: boolean;
	readonly live: boolean;
	readonly current?: boolean;
	readonly persistent?: boolean;
}

/** The options of libvirt's call for --config, --live, --current. Throws where they contradict each other. */
export function affected(args: Affecting): { config: boolean; live: boolean } {
	exclusive(args, "current", "live");
	exclusive(args, "current", "config");
	return { config: args.config, live: args.live };
}

/** The same as libvirt's number (virDomainModificationImpact). */
export function affectFlags(args: Affecting): number {
	const { config, live } = affected(args);
	return (live ? 1 : 0) | (config ? 2 : 0);
}

/** Throws, in virsh's words, where both options are given. */
export function exclusive<T extends object>(args: T, one: keyof T & string, other: keyof T & string): void {
	if (isGiven(args[one]) && isGiven(args[other]))
		throw new CommandError(`Options --${one} and --${other} are mutually exclusive`);
}

/** Throws, in virsh's words, where `option` is given without `required`. */
export function requires<T extends object>(args: T, option: keyof T & string, required: keyof T & string): void {
	if (isGiven(args[option]) && !isGiven(args[required]))
		throw new CommandError(`Option --${required} is required by option --${option}`);
}

/** The descriptors that `--pass-fds 3,4` names. Throws, in virsh's words, where they are no numbers. */
export function passedFds(list: string | undefined): number[] {
	return (list ?? "").split(",").flatMap((text) => {
		if (list === undefined) return [];
		if (!/^\s*[+-]?\d+$/.test(text)) throw new CommandError(`Unable to parse FD number '${text}'`);
		return [Number(text)];
	});
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== false;

/** Where a device is changed. */
export const deviceAffectOptions = {
	persistent: flag("make live change persistent"),
	...affectOptions,
} as const;

/** Throws where the options of where a device is changed contradict each other. */
export function checkDeviceAffect(args: Affecting & { readonly persistent: boolean; readonly current: boolean }): void {
	exclusive(args, "persistent", "current");
	affected(args);
}

/** The number that attaching, detaching and updating take; `undefined` where nothing was said of where. */
export async function deviceFlags(
	args: Affecting & { readonly persistent: boolean; readonly current: boolean },
	domain: Domain,
): Promise<number | undefined> {
	const { config, live } = affected(args);
	if (!(config || live || args.persistent || args.current)) return undefined;
	const running = live || (args.persistent && (await domain.isActive()));
	return (running ? 1 : 0) | (config || args.persistent ? 2 : 0);
}
