// A command line as text that a POSIX shell reads back to the same words: what domxml-to-native and logs show.

import type { CommandLine } from "./command-line.ts";

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** `word` as one word of a shell. */
export function quoteShell(word: string): string {
	return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Variables, binary and options, a space between; with `lines`, one option a line, each but the last ending in a backslash. */
export function formatShell(command: CommandLine, lines = false): string {
	const variables = Object.entries(command.environment).map(([name, value]) => `${name}=${quoteShell(value)}`);
	const options = command.options.map(({ name, value }) =>
		value === undefined ? quoteShell(name) : `${quoteShell(name)} ${quoteShell(value)}`,
	);
	return [...variables, quoteShell(command.binary), ...options].join(lines ? " \\\n" : " ");
}
