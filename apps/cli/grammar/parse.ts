// Words to arguments, by virsh's rules: options by name or position, `--` ends options, complaints in virsh's wording.

import type { Command, Option } from "./command.ts";

/** A command line that does not fit its command. */
export class UsageError extends Error {
	override readonly name = "UsageError";
}

type Values = Record<string, string | number | boolean | string[] | undefined>;

/** Texts by the name of the option that they were given for; a flag has none. */
export type GivenWords = ReadonlyMap<string, readonly string[]>;

/** Arguments of `command` from the words after its name. Throws UsageError in virsh's words. */
export function parseArguments<C>(command: Command<C>, words: readonly string[]): Values {
	return argumentsOf(command, takeWords(command, words));
}

/** Which option of `command` each word is for. Throws UsageError in virsh's words; `whole` ones must not lack any. */
export function takeWords<C>(command: Command<C>, words: readonly string[], whole = true): GivenWords {
	const given = new Map<string, string[]>();
	const queue = [...words];
	let optionsEnded = false;
	for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
		if (!optionsEnded && word === "--") optionsEnded = true;
		else if (!optionsEnded && /^--[a-z0-9]/i.test(word)) takeNamed(command, given, word.slice(2), queue);
		else takePositional(command, given, word);
	}
	if (whole && command.name !== "help") checkRequired(command, given);
	return given;
}

/** The values that the texts mean. Throws UsageError in virsh's words. */
export function argumentsOf<C>(command: Command<C>, given: GivenWords): Values {
	return Object.fromEntries(
		Object.entries(command.options)
			.map(([name, option]) => [name, valueFrom(name, option, given.get(name))] as const)
			.filter(([, value]) => value !== undefined),
	);
}

/** Whether the words ask for the command's help, wherever among its options they do. */
export function asksForHelp(words: readonly string[]): boolean {
	const end = words.indexOf("--");
	return (end === -1 ? words : words.slice(0, end)).includes("--help");
}

function checkRequired<C>(command: Command<C>, given: ReadonlyMap<string, readonly string[]>): void {
	const missing = Object.entries(command.options).filter(
		([name, option]) => option.kind !== "flag" && option.required && !given.has(name),
	);
	if (missing.length === 0) return;
	const complaints = missing.map(([name, option]) => {
		const spelled = option.kind === "value" && (option.numeric || option.scaled) ? `--${name}` : `<${name}>`;
		return `command '${command.name}' requires ${spelled} option`;
	});
	throw new UsageError(complaints.join("\nerror: "));
}

/** The option of that name or alias, with the value that the alias stands for. */
function findOption<C>(
	command: Command<C>,
	spelled: string,
): { name: string; option: Option; implied?: string } | undefined {
	for (const [name, option] of Object.entries(command.options)) {
		const [alias, implied] = option.alias?.split("=") ?? [];
		if (alias === spelled) return { name, option, ...(implied === undefined ? {} : { implied }) };
		if (name === spelled) return { name, option };
	}
	return undefined;
}

function takeNamed<C>(command: Command<C>, given: Map<string, string[]>, spelled: string, queue: string[]): void {
	const equals = spelled.indexOf("=");
	const word = equals === -1 ? spelled : spelled.slice(0, equals);
	const found = findOption(command, word);
	if (!found && command.name === "help") return;
	if (!found) throw new UsageError(`command '${command.name}' doesn't support option --${word}`);
	const { name, option, implied } = found;
	if (given.has(name) && option.kind !== "rest") throw new UsageError(`option --${name} already seen`);
	if (equals !== -1 && (option.kind === "flag" || implied !== undefined))
		throw new UsageError(`invalid '=' after option --${word}`);
	if (option.kind === "flag") {
		given.set(name, []);
		return;
	}
	const value = implied ?? (equals === -1 ? queue.shift() : spelled.slice(equals + 1));
	if (value === undefined)
		throw new UsageError(
			`expected syntax: --${name} <${option.kind === "value" && (option.numeric || option.scaled) ? "number" : "string"}>`,
		);
	given.set(name, [...(given.get(name) ?? []), value]);
}

function takePositional<C>(command: Command<C>, given: Map<string, string[]>, word: string): void {
	const free = Object.entries(command.options).find(
		([name, option]) => option.kind === "rest" || (option.kind === "value" && !option.named && !given.has(name)),
	);
	// Whoever asks for help is told, whatever else they typed.
	if (!free && command.name === "help") return;
	if (!free) throw new UsageError(`unexpected data '${word}'`);
	given.set(free[0], [...(given.get(free[0]) ?? []), word]);
}

function valueFrom(name: string, option: Option, given: readonly string[] | undefined): Values[string] {
	if (option.kind === "flag") return given !== undefined;
	if (option.kind === "rest") return [...(given ?? [])];
	const [text] = given ?? [];
	if (text === undefined) return undefined;
	if (!option.numeric) {
		if (text === "" && !option.emptyAllowed)
			throw new UsageError(`Failed to get option '${name}': Option argument is empty`);
		return text;
	}
	if (!/^\s*[+-]?\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
		throw new UsageError(`Numeric value '${text}' for <${name}> option is malformed or out of range`);
	return Number(text);
}

/**
 * Splits a line into commands of words, as virsh's shell does: blanks separate, `;` and newlines end a command,
 * single and double quotes and backslashes protect, `#` at the start of a word begins a comment.
 */
export function splitCommands(line: string): string[][] {
	const commands: string[][] = [];
	let words: string[] = [];
	let word: string | undefined;
	let quote = "";
	const endWord = (): void => {
		if (word !== undefined) words.push(word);
		word = undefined;
	};
	const endCommand = (): void => {
		endWord();
		if (words.length > 0) commands.push(words);
		words = [];
	};
	for (let at = 0; at < line.length; at++) {
		const character = line.charAt(at);
		if (quote === "'") {
			if (character === "'") quote = "";
			else word += character;
		} else if (character === "\\") word = (word ?? "") + line.charAt(++at);
		else if (character === '"') {
			quote = quote ? "" : '"';
			word ??= "";
		} else if (quote) word += character;
		else if (character === "'") {
			quote = "'";
			word ??= "";
		} else if (character === " " || character === "\t") endWord();
		else if (character === ";" || character === "\n") endCommand();
		else if (character === "#" && word === undefined) {
			const end = line.indexOf("\n", at);
			at = (end === -1 ? line.length : end) - 1;
		} else word = (word ?? "") + character;
	}
	if (quote) throw new UsageError(quote === "'" ? "missing '" : 'missing "');
	endCommand();
	return commands;
}
