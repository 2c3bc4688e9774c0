// Words to arguments, by virsh's rules: options by name or position, `--` ends options, complaints in virsh's wording.

import type { Command, Option } from "./command.ts";

/** A command line that does not fit its command. */
export class UsageError extends Error {
	override readonly name = "UsageError";
}

type Values = Record<string, string | number | boolean | string[] | undefined>;

/** Arguments of `command` from the words after its name. Throws UsageError in virsh's words. */
export function parseArguments<C>(command: Command<C>, words: readonly string[]): Values {
	const values: Values = {};
	const queue = [...words];
	let optionsEnded = false;
	for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
		if (!optionsEnded && word === "--") optionsEnded = true;
		else if (!optionsEnded && word.startsWith("--")) takeNamed(command, values, word.slice(2), queue);
		else takePositional(command, values, word);
	}
	for (const [name, option] of Object.entries(command.options)) {
		if (option.kind !== "flag" && option.required && values[name] === undefined)
			throw new UsageError(
				`command '${command.name}' requires ${option.kind === "value" && option.named ? `--${name}` : `<${name}>`} option`,
			);
		if (option.kind === "flag") values[name] ??= false;
		if (option.kind === "rest") values[name] ??= [];
	}
	return values;
}

function takeNamed<C>(command: Command<C>, values: Values, spelled: string, queue: string[]): void {
	const equals = spelled.indexOf("=");
	const given = equals === -1 ? spelled : spelled.slice(0, equals);
	const found = Object.entries(command.options).find(([name, option]) => name === given || option.alias === given);
	if (!found) throw new UsageError(`command '${command.name}' doesn't support option --${given}`);
	const [name, option] = found;
	if (values[name] !== undefined && option.kind !== "rest") throw new UsageError(`option --${name} already seen`);
	if (option.kind === "flag") {
		if (equals !== -1) throw new UsageError(`invalid '=' after option --${given}`);
		values[name] = true;
		return;
	}
	const value = equals === -1 ? queue.shift() : spelled.slice(equals + 1);
	if (value === undefined)
		throw new UsageError(
			`expected syntax: --${name} <${option.kind === "value" && option.numeric ? "number" : "string"}>`,
		);
	assign(values, name, option, value);
}

function takePositional<C>(command: Command<C>, values: Values, word: string): void {
	for (const [name, option] of Object.entries(command.options)) {
		if (option.kind === "flag" || (option.kind === "value" && (option.named || values[name] !== undefined))) continue;
		assign(values, name, option, word);
		return;
	}
	throw new UsageError(`unexpected data '${word}'`);
}

function assign(values: Values, name: string, option: Option, text: string): void {
	if (option.kind === "rest") {
		const before = values[name];
		values[name] = [...(Array.isArray(before) ? before : []), text];
	} else if (option.kind === "value" && option.numeric) {
		if (!/^[+-]?\d+$/.test(text))
			throw new UsageError(`Numeric value '${text}' for <${name}> option is malformed or out of range`);
		values[name] = Number(text);
	} else values[name] = text;
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
