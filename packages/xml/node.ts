// The document tree: elements with their positions, and text.

/** One element as written. Namespaced elements carry their namespace URI. */
export interface XmlElement {
	/** Name as written, prefix included. */
	readonly name: string;
	/** Namespace URI; absent for elements in no namespace. */
	readonly uri?: string;
	/** Name without a prefix. */
	readonly local: string;
	readonly attributes: Readonly<Record<string, string>>;
	readonly children: readonly XmlNode[];
	/** 1-based line and column of the start tag. */
	readonly line: number;
	readonly column: number;
}

/** Text stands as a plain string, entities resolved. */
export type XmlNode = XmlElement | string;

/** An element made in code, for documents that no schema declares. */
export function xmlElement(
	name: string,
	attributes: Readonly<Record<string, string | number | undefined>> = {},
	children: readonly (XmlNode | undefined)[] = [],
): XmlElement {
	const given: Record<string, string> = {};
	for (const [key, value] of Object.entries(attributes)) if (value !== undefined) given[key] = String(value);
	return {
		name,
		local: name.slice(name.indexOf(":") + 1),
		attributes: given,
		children: children.filter((child) => child !== undefined),
		line: 0,
		column: 0,
	};
}

/** The text directly inside `element`, without that of its children. */
export function textOf(element: XmlElement): string {
	let text = "";
	for (const child of element.children) if (typeof child === "string") text += child;
	return text;
}

/** The child elements of `element`, text left out. */
export function elementsOf(element: XmlElement): XmlElement[] {
	return element.children.filter((child): child is XmlElement => typeof child !== "string");
}

/** The first child element of that name in no namespace. */
export function childNamed(element: XmlElement, name: string): XmlElement | undefined {
	return elementsOf(element).find((child) => child.name === name);
}

/** `element` with declarations of the namespaces that it uses and that stand further up in its document, so that it can stand alone. */
export function withNamespaces(element: XmlElement): XmlElement {
	const missing = new Map<string, string>();
	collectUndeclared(element, new Set(), missing);
	if (missing.size === 0) return element;
	return { ...element, attributes: { ...Object.fromEntries(missing), ...element.attributes } };
}

function collectUndeclared(element: XmlElement, declared: ReadonlySet<string>, missing: Map<string, string>): void {
	const inner = new Set(declared);
	for (const name in element.attributes) if (/^xmlns(?::|$)/.test(name)) inner.add(name);
	if (element.uri !== undefined) {
		const colon = element.name.indexOf(":");
		const declaration = colon < 0 ? "xmlns" : `xmlns:${element.name.slice(0, colon)}`;
		if (!inner.has(declaration)) missing.set(declaration, element.uri);
	}
	for (const child of elementsOf(element)) collectUndeclared(child, inner, missing);
}
