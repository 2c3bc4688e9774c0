// Finds the functions of a source file and how many lines each has.

import { type Node, Visitor } from "oxc-parser";
import { lineAt, type Tree } from "./tree.ts";

/** A function with a body. */
export interface FunctionSize {
	readonly file: string;
	readonly name: string;
	readonly line: number;
	/** From its first line to its last, both counted. */
	readonly lines: number;
}

/** The functions of `file` that have a block as body, those within others included. */
export function functionsOf(tree: Tree, file: string): FunctionSize[] {
	const text = tree.read(file);
	const found: FunctionSize[] = [];
	const names = new Map<number, string>();
	const nameIt = (value: Node | null | undefined, name: string) => {
		if (value) names.set(value.start, name);
	};
	const nameOf = (start: number, end: number) => text.slice(start, end);
	const add = (node: { start: number; end: number }, name: string | undefined) => {
		const line = lineAt(text, node.start);
		found.push({
			file,
			name: name ?? names.get(node.start) ?? `line ${line}`,
			line,
			lines: lineAt(text, node.end) - line + 1,
		});
	};
	new Visitor({
		VariableDeclarator: (node) => nameIt(node.init, nameOf(node.id.start, node.id.end).replace(/:.*/s, "")),
		Property: (node) => nameIt(node.value, nameOf(node.key.start, node.key.end)),
		MethodDefinition: (node) => nameIt(node.value, nameOf(node.key.start, node.key.end)),
		PropertyDefinition: (node) => nameIt(node.value, nameOf(node.key.start, node.key.end)),
		FunctionDeclaration: (node) => node.body && add(node, node.id?.name),
		FunctionExpression: (node) => node.body && add(node, node.id?.name),
		ArrowFunctionExpression: (node) => node.body.type === "BlockStatement" && add(node, undefined),
	}).visit(tree.parse(file).program);
	return found;
}
