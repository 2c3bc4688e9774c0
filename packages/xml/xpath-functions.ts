// XPath's values, what they are as one another (XPath 1.0, section 4), and the functions of its core library.

import type { Place } from "./xpath.ts";
import { nodeName, stringValue, type XPathNode } from "./xpath-tree.ts";

export type Value = readonly XPathNode[] | string | number | boolean;

export const isNodes = (value: Value): value is readonly XPathNode[] => typeof value === "object";

export function toText(value: Value): string {
	if (!isNodes(value)) return String(value);
	const [first] = value;
	return first ? stringValue(first) : "";
}

export function toNumber(value: Value): number {
	if (typeof value === "number" || typeof value === "boolean") return Number(value);
	const text = toText(value).trim();
	return /^-?(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
}

export function toBoolean(value: Value): boolean {
	return typeof value === "object" ? value.length > 0 : Boolean(value);
}

interface Call {
	readonly least: number;
	readonly most: number;
	run(place: Place, given: readonly Value[]): Value;
}

const call = (least: number, most: number, run: Call["run"]): Call => ({ least, most, run });
/** A function of texts; with none given, of the node's own. */
const ofText = (run: (text: string) => Value): Call => call(0, 1, ({ node }, [value = [node]]) => run(toText(value)));
const ofTexts = (count: number, run: (...texts: string[]) => Value): Call =>
	call(count, count, (_, given) => run(...given.map(toText)));
const ofNumber = (run: (value: number) => number): Call => call(1, 1, (_, [value = 0]) => run(toNumber(value)));
const ofNode = (run: (node: XPathNode) => Value): Call =>
	call(0, 1, ({ node }, [value = [node]]) => (isNodes(value) && value[0] ? run(value[0]) : ""));

/** Section 4.2: `from` counts from 1; a character is in where it is at or behind `from` and before `from + length`. */
function substring(text: string, from: number, length: number): string {
	const start = Math.round(from);
	const end = start + Math.round(length);
	return [...text].filter((_, index) => index + 1 >= start && index + 1 < end).join("");
}

function translate(text: string, from: string, to: string): string {
	const [old, fresh] = [[...from], [...to]];
	return [...text].map((one) => (old.includes(one) ? (fresh[old.indexOf(one)] ?? "") : one)).join("");
}

export const CALLS: Readonly<Record<string, Call>> = {
	last: call(0, 0, ({ size }) => size),
	position: call(0, 0, ({ position }) => position),
	count: call(1, 1, (_, [nodes = []]) => (isNodes(nodes) ? nodes.length : Number.NaN)),
	name: ofNode(nodeName),
	"local-name": ofNode((node) => nodeName(node).replace(/^.*:/, "")),
	"namespace-uri": ofNode(({ element }) => element?.uri ?? ""),
	string: ofText((text) => text),
	number: call(0, 1, ({ node }, [value = [node]]) => toNumber(value)),
	boolean: call(1, 1, (_, [value = false]) => toBoolean(value)),
	not: call(1, 1, (_, [value = false]) => !toBoolean(value)),
	true: call(0, 0, () => true),
	false: call(0, 0, () => false),
	concat: call(2, Number.POSITIVE_INFINITY, (_, given) => given.map(toText).join("")),
	contains: ofTexts(2, (text = "", part = "") => text.includes(part)),
	"starts-with": ofTexts(2, (text = "", part = "") => text.startsWith(part)),
	"substring-before": ofTexts(2, (text = "", part = "") => text.slice(0, Math.max(text.indexOf(part), 0))),
	"substring-after": ofTexts(2, (text = "", part = "") =>
		text.includes(part) ? text.slice(text.indexOf(part) + part.length) : "",
	),
	substring: call(2, 3, (_, [text = "", from = 1, length = Number.POSITIVE_INFINITY]) =>
		substring(toText(text), toNumber(from), toNumber(length)),
	),
	"string-length": ofText((text) => [...text].length),
	"normalize-space": ofText((text) => text.trim().replace(/\s+/g, " ")),
	translate: ofTexts(3, (text = "", from = "", to = "") => translate(text, from, to)),
	sum: call(1, 1, (_, [nodes = []]) =>
		isNodes(nodes) ? nodes.reduce((sum, node) => sum + toNumber([node]), 0) : Number.NaN,
	),
	floor: ofNumber(Math.floor),
	ceiling: ofNumber(Math.ceil),
	round: ofNumber(Math.round),
};
