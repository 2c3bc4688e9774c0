// The size check: no file and no function so long that it cannot be taken in at once; prints the medians.

import { LONG_FILES, LONG_FUNCTIONS, SIZE_LIMITS } from "../size-exceptions.ts";
import type { Check, Finding, Outcome } from "./check.ts";
import { functionsOf } from "./functions.ts";
import { isTest, type Tree } from "./tree.ts";

/** Limits in lines, and what may exceed them. */
export interface SizeRules {
	readonly limits: { readonly file: number; readonly function: number };
	readonly files: readonly string[];
	readonly functions: readonly string[];
}

function median(numbers: readonly number[]): number {
	return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
}

const countLines = (text: string) => text.split("\n").length - 1;

/** Findings about a tree's files and functions. */
export function checkSize(tree: Tree, rules: SizeRules): Outcome {
	const files = tree.sources.map((file) => ({ file, lines: countLines(tree.read(file)) }));
	const functions = tree.sources.flatMap((file) => functionsOf(tree, file));
	const long: Finding[] = [
		...files
			.filter(({ file, lines }) => lines > rules.limits.file && !rules.files.includes(file))
			.map(({ file, lines }) => ({ file, message: `${lines} lines; at most ${rules.limits.file}` })),
		...functions
			.filter(({ file, name, lines }) => lines > rules.limits.function && !rules.functions.includes(`${file}#${name}`))
			.map(({ file, line, name, lines }) => ({
				file,
				line,
				message: `function ${name} has ${lines} lines; at most ${rules.limits.function}`,
			})),
	];
	// Tests are not in the medians: their functions are stories, and would hide what the sources are like.
	const shown = [
		`median file ${median(files.filter(({ file }) => !isTest(file)).map(({ lines }) => lines))} lines`,
		`function ${median(functions.filter(({ file }) => !isTest(file)).map(({ lines }) => lines))}`,
	];
	return { findings: long, note: shown.join(", ") };
}

export const size: Check = {
	name: "size",
	about: `files have at most ${SIZE_LIMITS.file} lines, functions ${SIZE_LIMITS.function}`,
	run: (tree) =>
		checkSize(tree, { limits: SIZE_LIMITS, files: Object.keys(LONG_FILES), functions: Object.keys(LONG_FUNCTIONS) }),
};
