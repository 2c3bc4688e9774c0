// Document tree to text, in libvirt's layout: two-space indent, single-quoted attributes.

import type { XmlElement, XmlNode } from "./node.ts";

const SPECIAL = /[&<>'"\r\n\t]/;
const ENTITIES: Readonly<Record<string, string>> = {
	"&": "&amp;",
	"<": "&lt;",
	">": "&gt;",
	"'": "&apos;",
	'"': "&quot;",
};

/** `text` with XML's five special characters as entities, as libvirt escapes both attributes and content. */
export function escapeXml(text: string): string {
	return SPECIAL.test(text) ? text.replace(/[&<>'"]/g, (character) => ENTITIES[character] ?? character) : text;
}

/** ` name='value'`. */
export function formatAttribute(name: string, value: string): string {
	return ` ${name}='${escapeXml(value)}'`;
}

const isBlank = (node: XmlNode): boolean => typeof node === "string" && node.trim() === "";

/**
 * `element` as text, starting at `indent` spaces, ending in a newline.
 *
 * Blank text between elements is layout and made anew; an element that mixes text and elements is kept to the letter.
 */
export function writeXml(element: XmlElement, indent = 0): string {
	const pad = " ".repeat(indent);
	let tag = `${pad}<${element.name}`;
	for (const name in element.attributes) tag += formatAttribute(name, element.attributes[name] ?? "");
	const blank = element.children.every(isBlank);
	if (blank && element.children.length === 0) return `${tag}/>\n`;
	const hasText = element.children.some((child) => typeof child === "string" && !isBlank(child));
	const hasElements = element.children.some((child) => typeof child !== "string");
	if (hasText || !hasElements) return `${tag}>${element.children.map(writeInline).join("")}</${element.name}>\n`;
	let body = "";
	for (const child of element.children) if (typeof child !== "string") body += writeXml(child, indent + 2);
	return `${tag}>\n${body}${pad}</${element.name}>\n`;
}

function writeInline(node: XmlNode): string {
	return typeof node === "string" ? escapeXml(node) : writeXml(node).trimEnd();
}
