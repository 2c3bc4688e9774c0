// Which file imports which, and whether for types only.

import { posix } from "node:path";
import type { StaticExportEntry, StaticImport } from "oxc-parser";
import { lineAt, type Tree } from "./tree.ts";

/** One import in a source file. */
export interface Import {
	/** As written. */
	readonly specifier: string;
	/** The file in the tree that it means; undefined for npm packages, Node's modules and what is not there. */
	readonly target: string | undefined;
	/** Nothing of it is left when types are stripped. */
	readonly typeOnly: boolean;
	/** Only loaded when the code that asks for it runs: import(). */
	readonly lazy: boolean;
	readonly line: number;
}

/** The file that `specifier` in `file` means. `@virtkit/base/errors` is `errors.ts` of the package of that name. */
export function resolveImport(tree: Tree, file: string, specifier: string): string | undefined {
	if (specifier.startsWith(".")) {
		const path = posix.join(posix.dirname(file), specifier);
		return tree.has(path) ? path : undefined;
	}
	const own = /^@virtkit\/([^/]+)\/(.+)$/.exec(specifier);
	if (own === null) return undefined;
	return ["packages", "apps"].map((folder) => `${folder}/${own[1]}/${own[2]}.ts`).find((path) => tree.has(path));
}

const isTypeImport = ({ entries }: StaticImport) => entries.length > 0 && entries.every((entry) => entry.isType);

function specifiersOf(
	tree: Tree,
	file: string,
): (Pick<Import, "specifier" | "typeOnly" | "lazy"> & { start: number })[] {
	const { staticImports, staticExports, dynamicImports } = tree.module(file);
	const imported = staticImports.map((found) => ({
		specifier: found.moduleRequest.value,
		typeOnly: isTypeImport(found),
		lazy: false,
		start: found.start,
	}));
	const exported = staticExports
		.flatMap((found) => found.entries)
		.filter((entry): entry is StaticExportEntry & { moduleRequest: object } => entry.moduleRequest !== null)
		.map((entry) => ({
			specifier: entry.moduleRequest.value,
			typeOnly: entry.isType,
			lazy: false,
			start: entry.start,
		}));
	const dynamic = dynamicImports
		.map(({ moduleRequest: { start, end } }) => ({ text: tree.read(file).slice(start, end), start }))
		.filter(({ text }) => /^["'`][^$]*["'`]$/.test(text))
		.map(({ text, start }) => ({ specifier: text.slice(1, -1), typeOnly: false, lazy: true, start }));
	return [...imported, ...exported, ...dynamic];
}

/** The imports of `file`, in its order. */
export function importsOf(tree: Tree, file: string): Import[] {
	const text = tree.read(file);
	return specifiersOf(tree, file).map(({ start, ...found }) => ({
		...found,
		target: resolveImport(tree, file, found.specifier),
		line: lineAt(text, start),
	}));
}

/** The imports of every TypeScript file of the tree, generated ones included. */
export function importGraph(tree: Tree): ReadonlyMap<string, readonly Import[]> {
	const modules = tree.files.filter((file) => file.endsWith(".ts") && !/(^|\/)fixtures\//.test(file));
	return new Map(modules.map((file) => [file, importsOf(tree, file)]));
}
