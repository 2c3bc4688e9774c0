// Trees in virsh's layout.

/** A name and that of its parent; none for a root. */
export interface TreeNode {
	readonly name: string;
	readonly parent?: string | undefined;
}

/** All roots with what is below them, a line each; each tree ends in a blank line. */
export function formatTree(nodes: readonly TreeNode[]): string {
	const known = new Set(nodes.map(({ name }) => name));
	const roots = nodes.filter(({ parent }) => parent === undefined || !known.has(parent));
	return roots.map(({ name }) => branch(nodes, name, "", true, true)).join("");
}

function branch(nodes: readonly TreeNode[], name: string, indent: string, root: boolean, last: boolean): string {
	const children = nodes.filter(({ parent }) => parent === name);
	const inner = root ? indent : `${indent}${last ? " " : "|"} `;
	let text = `${indent}${root ? "" : "+- "}${name}\n`;
	if (children.length > 0) text += `${inner}  |\n`;
	for (const [index, child] of children.entries())
		text += branch(nodes, child.name, `${inner}  `, false, index === children.length - 1);
	// Below the last of a list stands a blank line, in its own indentation.
	return children.length === 0 && last ? `${text}${inner}\n` : text;
}
