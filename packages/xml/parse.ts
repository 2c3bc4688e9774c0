// Text to document tree: strict, without DTD or external entities, bounded in size and depth.

import { VirtError } from "@virtkit/base/errors";
import { SaxesParser } from "saxes";
import type { XmlElement, XmlNode } from "./node.ts";

export interface ParseLimits {
	/** Characters of the whole document; libvirt's RPC strings end at 4 MiB. */
	readonly size: number;
	/** Nesting of elements (libxml2's own limit is 256). */
	readonly depth: number;
}

export const DEFAULT_LIMITS: ParseLimits = {
	size: 16 * 1024 * 1024,
	depth: 256,
};

interface OpenElement extends XmlElement {
	readonly attributes: Record<string, string>;
	readonly children: XmlNode[];
}

/**
 * Parses `text` to its root element.
 *
 * `what` names the document in messages, for instance `domain definition`.
 * Throws XML_DETAIL with line and column for anything that is not well-formed, carries a document type
 * declaration (which is where entity bombs and external entities live), or exceeds the limits.
 */
export function parseXml(text: string, what = "document", limits: ParseLimits = DEFAULT_LIMITS): XmlElement {
	if (text.length > limits.size)
		throw new VirtError("XML_ERROR", `${what}: ${text.length} characters, more than the ${limits.size} allowed`);
	const parser = new SaxesParser({ xmlns: true, position: true });
	const open: OpenElement[] = [];
	let root: XmlElement | undefined;
	const startOf = lineCounter(text);
	let start = { line: 1, column: 1 };
	const fail = (reason: string): never => {
		const position = { line: parser.line, column: parser.columnIndex + 1 };
		throw new VirtError("XML_DETAIL", `${what}, line ${position.line}, column ${position.column}: ${reason}`, {
			domain: "DOMAIN",
			position,
		});
	};
	parser.on("error", (error) => fail(error.message.replace(/^\d+:\d+: /, "")));
	parser.on("doctype", () => fail("a document type declaration is not allowed"));
	parser.on("opentagstart", (tag) => {
		start = startOf(parser.position - tag.name.length - 2);
		if (open.length >= limits.depth) fail(`elements nest deeper than ${limits.depth}`);
	});
	parser.on("opentag", (tag) => {
		const attributes: Record<string, string> = {};
		for (const name in tag.attributes) attributes[name] = tag.attributes[name]?.value ?? "";
		const element: OpenElement = {
			name: tag.name,
			local: tag.local,
			...(tag.uri ? { uri: tag.uri } : undefined),
			attributes,
			children: [],
			...start,
		};
		open.at(-1)?.children.push(element);
		root ??= element;
		open.push(element);
	});
	parser.on("closetag", () => {
		open.pop();
	});
	const addText = (value: string): void => {
		open.at(-1)?.children.push(value);
	};
	parser.on("text", addText);
	parser.on("cdata", addText);
	parser.write(text).close();
	return root ?? fail("no root element");
}

/** Line and column of offsets asked for in ascending order; the parser's own would be those of the tag's end. */
function lineCounter(text: string): (offset: number) => { line: number; column: number } {
	let line = 1;
	let lineStart = 0;
	return (offset) => {
		for (let end = text.indexOf("\n", lineStart); end !== -1 && end < offset; end = text.indexOf("\n", lineStart)) {
			line++;
			lineStart = end + 1;
		}
		return { line, column: offset - lineStart + 1 };
	};
}
