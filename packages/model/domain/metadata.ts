// The guest's identity and the notes that others keep in its definition.

import { matching, uuid } from "@virtkit/xml/codec";
import { elementsOf, textOf, type XmlElement } from "@virtkit/xml/node";
import { documentError, placeLeaf } from "@virtkit/xml/read";
import { raw, special } from "@virtkit/xml/schema";

/** A title: one line. */
export const titleText = matching(/^[^\n]*$/, "text without a line break");

/** `<genid/>` asks for one to be made, `<genid>UUID</genid>` gives it. */
export const genid = special<string>({
	doc: "Generation id: changes when the guest may run a second time from the same state. Empty to have one made.",
	read: (holder, { parent }) => {
		const all = elementsOf(holder).filter((node) => node.name === "genid");
		const [node] = all;
		if (!node) return undefined;
		if (all.length > 1) throw documentError(all[1], "element 'genid' can only appear once");
		if (parent) placeLeaf(parent, "genid", node);
		const text = textOf(node);
		if (text === "") return "";
		const value = uuid.parse(text);
		if (value === undefined) throw documentError(node, `malformed genid '${text}'`, "INTERNAL_ERROR");
		return value;
	},
	write: (value, indent) => `${" ".repeat(indent)}<genid>${value}</genid>\n`,
	json: { type: "string" },
	takes: { children: ["genid"] },
});

/** Anything, each in a namespace of its own, kept to the letter. */
export const metadata = raw({ doc: "Notes of applications, one element a namespace." });

/** `metadata` with one element a namespace, the first of each, and without elements in none. */
export function sanitizeMetadata(node: XmlElement): XmlElement {
	const seen = new Set<string>();
	const children = node.children.filter((child) => {
		if (typeof child === "string") return true;
		if (child.uri === undefined || seen.has(child.uri)) return false;
		seen.add(child.uri);
		return true;
	});
	return { ...node, children };
}
