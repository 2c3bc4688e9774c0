// The layer check: imports go down the table only, stay inside their package or name it, and make no circles.

import { ANYTHING, LAYERS, type Layer, TEST_IMPORTS } from "../layers.ts";
import type { Check, Finding } from "./check.ts";
import { findCycles } from "./cycles.ts";
import { type Import, importGraph } from "./import-graph.ts";
import { isTest, type Tree } from "./tree.ts";

function layerOf(layers: readonly Layer[], file: string): Layer | undefined {
	return layers.find(({ folder }) => file.startsWith(`${folder}/`));
}

/** Why `layer` may not make the import into `target`, if so. */
function objection(layer: Layer, target: Layer, test: boolean, found: Import): string | undefined {
	const { typeOnly, specifier } = found;
	if (layer === target) return undefined;
	if (specifier.startsWith(".") && (target.folder.startsWith("packages/") || target.folder.startsWith("apps/"))) {
		return `'${specifier}' reaches into another package; import it by its name, @virtkit/…`;
	}
	const allowed = test ? [...layer.imports, ...TEST_IMPORTS] : layer.imports;
	if (allowed.includes(ANYTHING) || allowed.includes(target.folder)) return undefined;
	if (found.target !== undefined && allowed.includes(found.target)) return undefined;
	if (layer.types?.includes(target.folder)) {
		return typeOnly ? undefined : `${layer.folder} may import types only of ${target.folder}`;
	}
	return `${layer.folder} may not import ${target.folder} (tools/layers.ts)`;
}

function checkImport(layers: readonly Layer[], file: string, found: Import): Finding[] {
	const layer = layerOf(layers, file);
	const target = found.target === undefined ? undefined : layerOf(layers, found.target);
	if (layer === undefined || target === undefined) return [];
	const message = objection(layer, target, isTest(file), found);
	return message === undefined ? [] : [{ file, line: found.line, message }];
}

/** Rows that name a row below them, which would let circles between packages in. */
export function checkTable(layers: readonly Layer[]): Finding[] {
	return layers.flatMap(({ folder, imports, types = [] }, index) => {
		const above = layers.slice(0, index).map((layer) => layer.folder);
		return [...imports, ...types]
			.filter((name) => name !== ANYTHING && !above.some((folder) => name === folder || name.startsWith(`${folder}/`)))
			.map((name) => ({ file: "tools/layers.ts", message: `${folder} names ${name}, which is not above it` }));
	});
}

/** Findings about a tree by a table of layers. */
export function checkLayers(tree: Tree, layers: readonly Layer[]): Finding[] {
	const graph = importGraph(tree);
	const homeless = [...graph.keys()]
		.filter((file) => layerOf(layers, file) === undefined)
		.map((file) => ({ file, message: "belongs to no row of tools/layers.ts" }));
	const imports = [...graph].flatMap(([file, found]) => found.flatMap((one) => checkImport(layers, file, one)));
	const cycles = findCycles(graph).map((cycle) => ({
		file: cycle[0] ?? "",
		message: `imports itself through ${[...cycle.slice(1), cycle[0]].join(" → ")}`,
	}));
	return [...checkTable(layers), ...homeless, ...imports, ...cycles];
}

export const layers: Check = {
	name: "layers",
	about: "imports go down tools/layers.ts and make no circles",
	run: (tree) => ({ findings: checkLayers(tree, LAYERS) }),
};
