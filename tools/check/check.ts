// What a check is: it looks at a tree of sources and tells what is wrong where.

import type { Tree } from "./tree.ts";

/** One thing that is wrong. */
export interface Finding {
	/** Relative to the tree's root. */
	readonly file: string;
	/** From 1. */
	readonly line?: number;
	readonly message: string;
}

/** What a check came to: fine when there are no findings. */
export interface Outcome {
	readonly findings: readonly Finding[];
	/** A figure worth printing also when all is well. */
	readonly note?: string;
}

/** A check of `./virtkit check`. */
export interface Check {
	readonly name: string;
	/** What it holds, in a few words. */
	readonly about: string;
	run(tree: Tree): Outcome | Promise<Outcome>;
	/** Puts right what can be put right without a decision. */
	fix?(tree: Tree): void | Promise<void>;
}

/** `file:line: message`. */
export function formatFinding({ file, line, message }: Finding): string {
	return `${file}${line === undefined ? "" : `:${line}`}: ${message}`;
}
