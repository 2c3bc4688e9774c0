// A command as data: its options, its help, what it does. Help, completion and the manual page are made from it.

/** What kinds of names an option's value completes to. */
export type Completes =
	| "domain"
	| "active-domain"
	| "inactive-domain"
	| "file"
	| "disk"
	| "interface"
	| "mac"
	| "device-alias"
	| "iothread"
	| "snapshot"
	| "checkpoint"
	| "event"
	| readonly string[];

interface OptionBase {
	/** One line for `help`. */
	readonly help: string;
	readonly completes?: Completes;
	/** Other spelling of the option's name; `name=value` stands for the option with that value. */
	readonly alias?: string;
	/** An empty value is a value. */
	readonly emptyAllowed?: boolean;
}

export interface FlagOption extends OptionBase {
	readonly kind: "flag";
}

/** Text or a number. Given as `--name value`, `--name=value`, or by position unless `named`. */
export interface ValueOption<N extends boolean = boolean, R extends boolean = boolean> extends OptionBase {
	readonly kind: "value";
	readonly numeric: N;
	/** A number that may carry a unit, such as 512MiB: shown as a number, handed over as text. */
	readonly scaled?: boolean;
	readonly required: R;
	/** Only as `--name value`, never by position. */
	readonly named: boolean;
}

/** All words that are left. */
export interface RestOption extends OptionBase {
	readonly kind: "rest";
	readonly required: boolean;
}

export type Option = FlagOption | ValueOption | RestOption;
export type Options = Readonly<Record<string, Option>>;

type OptionValue<O> = O extends FlagOption
	? boolean
	: O extends RestOption
		? readonly string[]
		: O extends ValueOption<infer N, infer R>
			? (N extends true ? number : string) | (R extends true ? never : undefined)
			: never;

/** Values of the options given, by option name. */
export type Arguments<O extends Options> = {
	readonly [K in keyof O]: OptionValue<O[K]>;
};

/** A command of the `C` context. */
export interface Command<C> {
	readonly name: string;
	/** One line. */
	readonly summary: string;
	/** Further lines of the description. */
	readonly description?: string;
	readonly options: Options;
	/** Older or shorter names. */
	readonly aliases?: readonly string[];
	/** Needs no connection. */
	readonly local?: boolean;
	/** Runs it; the number is the exit status, none is 0. */
	run(context: C, args: Arguments<Options>): Promise<number | void>;
}

/** Declares a command with its arguments' types taken from its options. */
export function command<C, const O extends Options>(
	declared: Omit<Command<C>, "options" | "run"> & {
		readonly options: O;
		run(context: C, args: Arguments<O>): Promise<number | void>;
	},
): Command<C> {
	return declared as unknown as Command<C>;
}

/** A switch: `--name`. */
export const flag = (help: string, more: Partial<OptionBase> = {}): FlagOption => ({ kind: "flag", help, ...more });

type More = Partial<Pick<ValueOption, "completes" | "alias" | "scaled" | "emptyAllowed">>;

/** A text that must be given, by position or name. */
export const needed = (help: string, more: More = {}): ValueOption<false, true> => ({
	kind: "value",
	numeric: false,
	required: true,
	named: false,
	help,
	...more,
});

/** A text that may be given, by position or name. */
export const optional = (help: string, more: More = {}): ValueOption<false, false> => ({
	kind: "value",
	numeric: false,
	required: false,
	named: false,
	help,
	...more,
});

/** A text that may be given, by name only. */
export const named = (help: string, more: More = {}): ValueOption<false, false> => ({
	...optional(help, more),
	named: true,
});

/** A number that must be given. */
export const neededNumber = (help: string, more: More = {}): ValueOption<true, true> => ({
	kind: "value",
	numeric: true,
	required: true,
	named: false,
	help,
	...more,
});

/** A number that may be given. */
export const optionalNumber = (help: string, more: More = {}): ValueOption<true, false> => ({
	kind: "value",
	numeric: true,
	required: false,
	named: false,
	help,
	...more,
});

/** A number that may be given, by name only. */
export const namedNumber = (help: string, more: More = {}): ValueOption<true, false> => ({
	...optionalNumber(help, more),
	named: true,
});

/** A size that must be given, in text as it may carry a unit. */
export const neededSize = (help: string): ValueOption<false, true> => needed(help, { scaled: true });

/** A size that may be given, in text as it may carry a unit. */
export const optionalSize = (help: string, more: More = {}): ValueOption<false, false> =>
	optional(help, { ...more, scaled: true });

/** All remaining words. */
export const rest = (help: string, more: Partial<OptionBase> & { required?: boolean } = {}): RestOption => ({
	kind: "rest",
	required: false,
	help,
	...more,
});
