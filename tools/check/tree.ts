// The sources under check: which files there are, their text and what their modules import and export, each read once.

import { spawnSync } from "node:child_process";
import { existsSync, globSync, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type EcmaScriptModule, type ParseResult, parseSync } from "oxc-parser";

/** A tree of files. */
export interface Tree {
	readonly root: string;
	/** Every file that is or would be under version control, relative to the root, sorted. */
	readonly files: readonly string[];
	/** The TypeScript files among them that people write: generated ones (`*.gen.ts`) and fixtures left out. */
	readonly sources: readonly string[];
	has(file: string): boolean;
	bytes(file: string): Buffer;
	/** Its text, or nothing where there is no such file. */
	read(file: string): string;
	parse(file: string): ParseResult;
	module(file: string): EcmaScriptModule;
}

function listFiles(root: string): string[] {
	const git = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], {
		cwd: root,
		encoding: "utf8",
		maxBuffer: 2 ** 26,
	});
	const listed =
		existsSync(join(root, ".git")) && git.status === 0
			? git.stdout.split("\0")
			: globSync("**/*", { cwd: root, exclude: (name) => name === "node_modules" || name === ".virtkit" });
	return [...new Set(listed)].filter((file) => file !== "").sort();
}

/** The content of each file that is there; all at once, since people go on writing and removing files. */
function readFiles(root: string): Map<string, Buffer> {
	const contents = new Map<string, Buffer>();
	for (const file of listFiles(root)) {
		try {
			if (lstatSync(join(root, file)).isFile()) contents.set(file, readFileSync(join(root, file)));
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		}
	}
	return contents;
}

/** A function that computes `value` for each key only once. */
function once<T>(value: (key: string) => T): (key: string) => T {
	const known = new Map<string, T>();
	return (key) => {
		let found = known.get(key);
		if (found === undefined) known.set(key, (found = value(key)));
		return found;
	};
}

/** Whether people write `file`: TypeScript, neither generated nor data for a test. */
export function isSource(file: string): boolean {
	return file.endsWith(".ts") && !file.endsWith(".gen.ts") && !file.endsWith(".d.ts") && !/(^|\/)fixtures\//.test(file);
}

export const isTest = (file: string) => file.endsWith(".test.ts") || file.startsWith("tests/");

/** Looks at the tree below `root`. */
export function openTree(root: string): Tree {
	const contents = readFiles(root);
	const files = [...contents.keys()];
	const bytes = (file: string) => contents.get(file) ?? Buffer.alloc(0);
	const read = once((file) => bytes(file).toString());
	const parse = once((file) => parseSync(file, read(file)));
	return {
		root,
		files,
		sources: files.filter(isSource),
		has: (file) => contents.has(file),
		bytes,
		read,
		parse,
		module: (file) => parse(file).module,
	};
}

/** The line, from 1, of the character at `offset`. */
export function lineAt(text: string, offset: number): number {
	let line = 1;
	for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) line++;
	return line;
}
