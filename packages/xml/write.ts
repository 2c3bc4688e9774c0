// Document tree to text, in libvirt's layout: two-space indent, single-quoted attributes.

import type { XmlElement, XmlNode } from "./node.ts";

const SPECIAL = /[&<>'"\x00-\x1f]/;
/** Control characters that no document can hold, not even as references. */
const UNPRINTABLE = /[\x00-\x08\x0b\x0c\x0e-\x1f]/g;
const ENTITIES: Readonly<Record<string, string>> = {
	"&": "&amp;",
	"<": "&lt;",
	">": "&gt;",
	"'": "&apos;",
	'"': "&quot;",
};

/** `text` with XML's five special characters as entities, as libvirt escapes both attributes and content; control characters are dropped. */
export function escapeXml(text: string): string {
	if (!SPECIAL.test(text)) return text;
	return text.replace(UNPRINTABLE, "").replace(/[&<>'"]/g, (character) => ENTITIES[character] ?? character);
}

/** ` name='value'`. */
export function formatAttribute(name: string, value: string): string {
	return ` ${name}='${escapeXml(value)}'`;
}

const isBlank = (node: XmlNode): boolean => typeof node === "string" && node.trim() === "";

/** How attributes and text are spelled. */
interface Spelling {
	attributes(attributes: Readonly<Record<string, string>>): string;
	text(text: string): string;
}

/** As libvirt spells its own documents. */
const LIBVIRT: Spelling = {
	attributes: (attributes) =>
		Object.entries(attributes)
			.map(([name, value]) => formatAttribute(name, value))
			.join(""),
	text: escapeXml,
};

const escapeText = (text: string): string =>
	text.replace(/[&<>]/g, (character) => ENTITIES[character] ?? character).replaceAll("\r", "&#13;");

/** As libxml2 spells what it keeps for others: namespaces first, double quotes. */
const LIBXML: Spelling = {
	attributes: (attributes) => {
		const isNamespace = ([name]: [string, string]): boolean => name === "xmlns" || name.startsWith("xmlns:");
		const all = Object.entries(attributes);
		return [...all.filter(isNamespace), ...all.filter((one) => !isNamespace(one))]
			.map(([name, value]) => ` ${name}="${escapeQuoted(value)}"`)
			.join("");
	},
	text: escapeText,
};

const escapeQuoted = (text: string): string =>
	escapeText(text).replaceAll('"', "&quot;").replaceAll("\n", "&#10;").replaceAll("\t", "&#9;");

/**
 * `element` as text, starting at `indent` spaces, ending in a newline.
 *
 * Blank text between elements is layout and made anew; an element that mixes text and elements is kept to the letter.
 */
export function writeXml(element: XmlElement, indent = 0): string {
	return write(element, indent, LIBVIRT);
}

/** The same as libxml2 writes it: how libvirt prints the metadata that it keeps for applications. */
export function writeForeignXml(element: XmlElement, indent = 0): string {
	return write(element, indent, LIBXML);
}

function write(element: XmlElement, indent: number, spelling: Spelling): string {
	const pad = " ".repeat(indent);
	const tag = `${pad}<${element.name}${spelling.attributes(element.attributes)}`;
	if (element.children.length === 0) return `${tag}/>\n`;
	const hasText = element.children.some((child) => typeof child === "string" && !isBlank(child));
	const hasElements = element.children.some((child) => typeof child !== "string");
	if (hasText || !hasElements) return `${tag}>${writeInline(element.children, spelling)}</${element.name}>\n`;
	let body = "";
	for (const child of element.children) if (typeof child !== "string") body += write(child, indent + 2, spelling);
	return `${tag}>\n${body}${pad}</${element.name}>\n`;
}

function writeInline(nodes: readonly XmlNode[], spelling: Spelling): string {
	return nodes
		.map((node) => (typeof node === "string" ? spelling.text(node) : write(node, 0, spelling).trimEnd()))
		.join("");
}
