// The purity check: packages that only compute import nothing that does I/O.

import { IMPURE_FILES, LAYERS, PURE_NODE_MODULES } from "../layers.ts";
import type { Check, Finding } from "./check.ts";
import { importsOf } from "./import-graph.ts";
import { isTest, type Tree } from "./tree.ts";

/** Imports of Node's I/O modules in the files of `folders`, except in the files named in `excepted`. */
export function checkPurity(tree: Tree, folders: readonly string[], excepted: readonly string[]): Finding[] {
	return tree.sources
		.filter(
			(file) => folders.some((folder) => file.startsWith(`${folder}/`)) && !isTest(file) && !excepted.includes(file),
		)
		.flatMap((file) =>
			importsOf(tree, file)
				.filter(({ typeOnly, specifier }) => !typeOnly && specifier.startsWith("node:"))
				.filter(({ specifier }) => !PURE_NODE_MODULES.includes(specifier))
				.map(({ line, specifier }) => ({ file, line, message: `a pure package imports ${specifier}` })),
		);
}

const pureFolders = LAYERS.filter((layer) => layer.pure).map(({ folder }) => folder);

export const purity: Check = {
	name: "purity",
	about: "packages that only compute do no I/O",
	run: (tree) => ({ findings: checkPurity(tree, pureFolders, Object.keys(IMPURE_FILES)) }),
};
