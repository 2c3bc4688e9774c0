// A document as XPath sees it: nodes that know their parents and their order, walked along axes (XPath 1.0, section 5).

import { elementsOf, type XmlElement } from "./node.ts";

export interface XPathNode {
	readonly kind: "root" | "element" | "attribute" | "text";
	/** Of elements and attributes in no namespace: other names match no test without a prefix. */
	readonly name: string | undefined;
	readonly parent: XPathNode | undefined;
	/** Place in the document. */
	readonly order: number;
	/** Of attributes and text. */
	readonly value: string;
	readonly element: XmlElement | undefined;
	readonly children: readonly XPathNode[];
	readonly attributes: readonly XPathNode[];
}

type Made = { -readonly [K in keyof XPathNode]: XPathNode[K] };

/** The root node above the document's element. Text that is nothing but blanks between elements is left out. */
export function xpathTree(document: XmlElement): XPathNode {
	let order = 0;
	const make = (kind: XPathNode["kind"], parent: XPathNode | undefined, more: Partial<Made> = {}): Made => ({
		kind,
		parent,
		order: order++,
		name: undefined,
		value: "",
		element: undefined,
		children: [],
		attributes: [],
		...more,
	});
	const grow = (element: XmlElement, parent: XPathNode): XPathNode => {
		const node = make("element", parent, { element, name: element.uri === undefined ? element.name : undefined });
		node.attributes = Object.entries(element.attributes)
			.filter(([name]) => name !== "xmlns" && !name.startsWith("xmlns:"))
			.map(([name, value]) => make("attribute", node, { name: name.includes(":") ? undefined : name, value }));
		const blanksCount = elementsOf(element).length === 0;
		node.children = element.children.flatMap((child) => {
			if (typeof child !== "string") return [grow(child, node)];
			return child.trim() === "" && !blanksCount ? [] : [make("text", node, { value: child })];
		});
		return node;
	};
	const root = make("root", undefined);
	root.children = [grow(document, root)];
	return root;
}

/** string() of a node. */
export function stringValue(node: XPathNode): string {
	if (node.kind === "attribute" || node.kind === "text") return node.value;
	return node.children.map(stringValue).join("");
}

/** name() of a node, prefix included. */
export function nodeName({ kind, name, element }: XPathNode): string {
	return kind === "element" ? (element?.name ?? "") : (name ?? "");
}

function* descendants(node: XPathNode): Generator<XPathNode> {
	for (const child of node.children) {
		yield child;
		yield* descendants(child);
	}
}

function* ancestors({ parent }: XPathNode): Generator<XPathNode> {
	for (let node = parent; node; node = node.parent) yield node;
}

function siblings(node: XPathNode, which: "before" | "after"): XPathNode[] {
	const all = node.kind === "attribute" ? [] : (node.parent?.children ?? []);
	const at = all.indexOf(node);
	return which === "after" ? all.slice(at + 1) : all.slice(0, Math.max(at, 0)).toReversed();
}

/** Nodes along an axis, nearest first. */
export const AXES: Readonly<Record<string, (node: XPathNode) => Iterable<XPathNode>>> = {
	child: ({ children }) => children,
	attribute: ({ attributes }) => attributes,
	self: (node) => [node],
	parent: ({ parent }) => (parent ? [parent] : []),
	descendant: descendants,
	"descendant-or-self": (node) => [node, ...descendants(node)],
	ancestor: ancestors,
	"ancestor-or-self": (node) => [node, ...ancestors(node)],
	"following-sibling": (node) => siblings(node, "after"),
	"preceding-sibling": (node) => siblings(node, "before"),
	following: (node) =>
		[node, ...ancestors(node)].flatMap((one) => siblings(one, "after")).flatMap((one) => [one, ...descendants(one)]),
	preceding: (node) =>
		[node, ...ancestors(node)]
			.flatMap((one) => siblings(one, "before"))
			.flatMap((one) => [...descendants(one)].toReversed().concat(one)),
};

const ESCAPES: Readonly<Record<string, string>> = {
	"&": "&amp;",
	"<": "&lt;",
	">": "&gt;",
	'"': "&quot;",
	"\n": "&#10;",
	"\r": "&#13;",
	"\t": "&#9;",
};
const escaped = (text: string, which: RegExp): string => text.replace(which, (one) => ESCAPES[one] ?? one);

/** ` name="value"`, as libxml2 writes attributes. */
const formatAttributeNode = (name: string, value: string): string => ` ${name}="${escaped(value, /[&<>"\n\r\t]/g)}"`;

function formatElement({ element, children }: XPathNode, indent: string): string {
	const attributes = Object.entries(element?.attributes ?? {}).map(([name, value]) => formatAttributeNode(name, value));
	const start = `<${element?.name}${attributes.join("")}`;
	if (children.length === 0) return `${start}/>`;
	// Where there is text, blanks would change it.
	const mixed = children.some(({ kind }) => kind === "text");
	const inner = `${indent}  `;
	const parts = children.map((child) => (mixed ? formatNode(child) : `\n${inner}${formatNode(child, inner)}`));
	return `${start}>${parts.join("")}${mixed ? "" : `\n${indent}`}</${element?.name}>`;
}

/** A node as libxml2 writes it, blanks made anew. */
export function formatNode(node: XPathNode, indent = ""): string {
	if (node.kind === "text") return escaped(node.value, /[&<>\r]/g);
	if (node.kind === "attribute") return formatAttributeNode(node.name ?? "", node.value);
	if (node.kind === "root") return node.children.map((child) => formatNode(child, indent)).join("");
	return formatElement(node, indent);
}

/** Nodes as content of one <nodes> element: attributes become its own. */
export function formatWrapped(nodes: readonly XPathNode[]): string {
	const own = new Map<string, string>();
	for (const node of nodes) {
		if (node.kind !== "attribute") continue;
		// A later one of the same name takes the place of the earlier, at the end.
		own.delete(nodeName(node));
		own.set(nodeName(node), formatNode(node));
	}
	const attributes = [...own.values()];
	const content = nodes.filter(({ kind }) => kind !== "attribute");
	if (content.length === 0) return `<nodes${attributes.join("")}/>`;
	const mixed = content.some(({ kind }) => kind === "text");
	const parts = content.map((node) => (mixed ? formatNode(node) : `\n  ${formatNode(node, "  ")}`));
	return `<nodes${attributes.join("")}>${parts.join("")}${mixed ? "" : "\n"}</nodes>`;
}
