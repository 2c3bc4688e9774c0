// XPath 1.0 expressions: read once, evaluated on a document's nodes.

import { VirtError } from "@virtkit/base/errors";
import type { XmlElement } from "./node.ts";
import { CALLS, isNodes, toBoolean, toNumber, toText, type Value } from "./xpath-functions.ts";
import { AXES, type XPathNode, xpathTree } from "./xpath-tree.ts";

/** Where an expression is evaluated. */
export interface Place {
	readonly node: XPathNode;
	/** From 1, among the nodes that a step found. */
	readonly position: number;
	readonly size: number;
}

type Expression = (place: Place) => Value;
type Predicate = (nodes: readonly XPathNode[]) => XPathNode[];

const TOKEN =
	/\s*(?:(\d+(?:\.\d*)?|\.\d+)|"([^"]*)"|'([^']*)'|(\.\.|::|\/\/|!=|<=|>=|[()[\].@,/|+\-=<>*])|([A-Za-z_][\w.-]*(?::(?:[A-Za-z_][\w.-]*|\*))?))/y;

/** Words that are operators where an operand stands before them (section 3.7). */
const OPERATOR_WORDS: ReadonlySet<string> = new Set(["and", "or", "div", "mod"]);

interface Token {
	readonly kind: "number" | "literal" | "sign" | "name" | "operator";
	readonly text: string;
}

function tokensOf(source: string): Token[] {
	const tokens: Token[] = [];
	TOKEN.lastIndex = 0;
	while (TOKEN.lastIndex < source.trimEnd().length) {
		const at = TOKEN.lastIndex;
		const match = TOKEN.exec(source);
		if (!match) throw invalid(source, source.slice(at).trim());
		const [, number, double, single, sign, name] = match;
		const last = tokens.at(-1);
		const afterOperand =
			last !== undefined &&
			(last.kind === "sign" ? [")", "]", ".", ".."].includes(last.text) : last.kind !== "operator");
		if (number !== undefined) tokens.push({ kind: "number", text: number });
		else if (sign !== undefined) tokens.push({ kind: sign === "*" && afterOperand ? "operator" : "sign", text: sign });
		else if (name !== undefined)
			tokens.push({ kind: afterOperand && OPERATOR_WORDS.has(name) ? "operator" : "name", text: name });
		else tokens.push({ kind: "literal", text: double ?? single ?? "" });
	}
	return tokens;
}

function invalid(source: string, near: string): VirtError {
	return new VirtError("INVALID_ARG", `XPath expression '${source}' is not understood at '${near}'`, { domain: "XML" });
}

/** Binary operators, loosest first. */
const LEVELS: readonly Readonly<Record<string, (left: Value, right: Value) => Value>>[] = [
	{ or: (left, right) => toBoolean(left) || toBoolean(right) },
	{ and: (left, right) => toBoolean(left) && toBoolean(right) },
	{
		"=": (left, right) => compared(left, right, (a, b) => a === b),
		"!=": (left, right) => compared(left, right, (a, b) => a !== b),
	},
	{
		"<": (left, right) => compared(left, right, (a, b) => a < b, true),
		">": (left, right) => compared(left, right, (a, b) => a > b, true),
		"<=": (left, right) => compared(left, right, (a, b) => a <= b, true),
		">=": (left, right) => compared(left, right, (a, b) => a >= b, true),
	},
	{ "+": (left, right) => toNumber(left) + toNumber(right), "-": (left, right) => toNumber(left) - toNumber(right) },
	{
		"*": (left, right) => toNumber(left) * toNumber(right),
		div: (left, right) => toNumber(left) / toNumber(right),
		mod: (left, right) => toNumber(left) % toNumber(right),
	},
];

type Plain = string | number | boolean;

/** Section 3.4: a set of nodes compares as any of its nodes does. */
function compared(left: Value, right: Value, holds: (a: Plain, b: Plain) => boolean, ordered = false): boolean {
	if (typeof left === "boolean" || typeof right === "boolean") {
		const [a, b] = [toBoolean(left), toBoolean(right)];
		return ordered ? holds(Number(a), Number(b)) : holds(a, b);
	}
	const each = (value: Value): Plain[] => (isNodes(value) ? value.map((node) => toText([node])) : [value as Plain]);
	const asNumbers = ordered || typeof left === "number" || typeof right === "number";
	return each(left).some((a) => each(right).some((b) => (asNumbers ? holds(toNumber(a), toNumber(b)) : holds(a, b))));
}

class Reader {
	readonly #source: string;
	readonly #tokens: readonly Token[];
	#at = 0;

	constructor(source: string) {
		this.#source = source;
		this.#tokens = tokensOf(source);
	}

	/** The whole expression. */
	read(): Expression {
		const expression = this.#binary(0);
		if (this.#at < this.#tokens.length) throw this.#invalid();
		return expression;
	}

	#invalid(): VirtError {
		return invalid(this.#source, this.#tokens[this.#at]?.text ?? "its end");
	}

	#is(text: string, ahead = 0): boolean {
		const token = this.#tokens[this.#at + ahead];
		return token !== undefined && token.text === text && token.kind !== "literal" && token.kind !== "name";
	}

	#take(text: string): boolean {
		if (!this.#is(text)) return false;
		this.#at++;
		return true;
	}

	#need(text: string): void {
		if (!this.#take(text)) throw this.#invalid();
	}

	#binary(level: number): Expression {
		const operators = LEVELS[level];
		if (operators === undefined) return this.#unary();
		let left = this.#binary(level + 1);
		for (;;) {
			const token = this.#tokens[this.#at];
			const operator = token?.kind === "sign" || token?.kind === "operator" ? operators[token.text] : undefined;
			// A star that is no operator is a step of a path.
			if (operator === undefined || (token?.text === "*" && token.kind === "sign")) return left;
			this.#at++;
			const [before, right] = [left, this.#binary(level + 1)];
			left = (place) => operator(before(place), right(place));
		}
	}

	#unary(): Expression {
		if (!this.#take("-")) return this.#union();
		const operand = this.#unary();
		return (place) => -toNumber(operand(place));
	}

	#union(): Expression {
		let left = this.#path();
		while (this.#take("|")) {
			const [before, right] = [left, this.#path()];
			left = (place) => inOrder([...this.#nodes(before(place)), ...this.#nodes(right(place))]);
		}
		return left;
	}

	#nodes(value: Value): readonly XPathNode[] {
		if (isNodes(value)) return value;
		throw new VirtError(
			"INVALID_ARG",
			`XPath expression '${this.#source}': a set of nodes is needed where '${value}' is`,
			{
				domain: "XML",
			},
		);
	}

	#path(): Expression {
		const primary = this.#primary();
		let walk: Expression;
		if (primary) {
			walk = this.#filtered(primary);
			if (!this.#is("/") && !this.#is("//")) return walk;
		} else if (this.#is("/") || this.#is("//")) {
			walk = ({ node }) => [rootOf(node)];
			if (this.#is("/") && !this.#startsStep(1)) {
				this.#at++;
				return walk;
			}
		} else walk = this.#step(({ node }) => [node]);
		for (;;) {
			if (this.#take("//")) walk = this.#step(along("descendant-or-self", () => true, walk, this.#nodes.bind(this)));
			else if (this.#take("/")) walk = this.#step(walk);
			else return walk;
		}
	}

	#startsStep(ahead: number): boolean {
		const token = this.#tokens[this.#at + ahead];
		return token?.kind === "name" || [".", "..", "@", "*"].some((sign) => this.#is(sign, ahead));
	}

	/** A literal, a number, a call or something in parentheses; undefined where a path begins. */
	#primary(): Expression | undefined {
		const token = this.#tokens[this.#at];
		if (token === undefined) throw this.#invalid();
		if (token.kind === "literal" || token.kind === "number") {
			this.#at++;
			const value = token.kind === "number" ? Number(token.text) : token.text;
			return () => value;
		}
		if (this.#take("(")) {
			const inner = this.#binary(0);
			this.#need(")");
			return inner;
		}
		const isCall = token.kind === "name" && this.#is("(", 1) && !["text", "node", "comment"].includes(token.text);
		return isCall ? this.#call(token.text) : undefined;
	}

	#call(name: string): Expression {
		const call = CALLS[name];
		if (call === undefined) throw this.#invalid();
		this.#at += 2;
		const given: Expression[] = [];
		while (!this.#take(")")) {
			if (given.length > 0) this.#need(",");
			given.push(this.#binary(0));
		}
		if (given.length < call.least || given.length > call.most) throw this.#invalid();
		return (place) =>
			call.run(
				place,
				given.map((one) => one(place)),
			);
	}

	#filtered(expression: Expression): Expression {
		const predicates = this.#predicates();
		if (predicates.length === 0) return expression;
		return (place) => predicates.reduce((nodes, keep) => keep(nodes), [...this.#nodes(expression(place))]);
	}

	#step(from: Expression): Expression {
		if (this.#take(".")) return from;
		if (this.#take("..")) return along("parent", () => true, from, this.#nodes.bind(this));
		const axis = this.#axis();
		const test = this.#nodeTest(axis === "attribute" ? "attribute" : "element");
		return along(axis, test, from, this.#nodes.bind(this), this.#predicates());
	}

	#axis(): string {
		if (this.#take("@")) return "attribute";
		if (!this.#is("::", 1)) return "child";
		const name = this.#tokens[this.#at]?.text ?? "";
		if (AXES[name] === undefined) throw this.#invalid();
		this.#at += 2;
		return name;
	}

	#nodeTest(principal: XPathNode["kind"]): (node: XPathNode) => boolean {
		if (this.#take("*")) return ({ kind }) => kind === principal;
		const token = this.#tokens[this.#at];
		// No prefix is bound to a namespace, as with virsh.
		if (token?.kind !== "name" || token.text.includes(":")) throw this.#invalid();
		this.#at++;
		if (!this.#is("(")) return ({ kind, name }) => kind === principal && name === token.text;
		this.#at++;
		this.#need(")");
		if (token.text === "node") return () => true;
		return ({ kind }) => kind === token.text;
	}

	#predicates(): Predicate[] {
		const predicates: Predicate[] = [];
		while (this.#take("[")) {
			const condition = this.#binary(0);
			this.#need("]");
			predicates.push((nodes) =>
				nodes.filter((node, index) => {
					const value = condition({ node, position: index + 1, size: nodes.length });
					return typeof value === "number" ? value === index + 1 : toBoolean(value);
				}),
			);
		}
		return predicates;
	}
}

function rootOf(node: XPathNode): XPathNode {
	let top = node;
	while (top.parent) top = top.parent;
	return top;
}

/** Each node once, in document order. */
function inOrder(nodes: Iterable<XPathNode>): XPathNode[] {
	return [...new Set(nodes)].sort((a, b) => a.order - b.order);
}

/** One step of a path from what `from` finds. */
function along(
	axis: string,
	test: (node: XPathNode) => boolean,
	from: Expression,
	nodes: (value: Value) => readonly XPathNode[],
	predicates: readonly Predicate[] = [],
): Expression {
	const walk = AXES[axis];
	if (walk === undefined) throw new TypeError(`no axis ${axis}`);
	return (place) =>
		inOrder(
			nodes(from(place)).flatMap((node) => predicates.reduce((kept, keep) => keep(kept), [...walk(node)].filter(test))),
		);
}

/** The nodes that `expression` selects in a document; undefined where it comes to something else. Throws INVALID_ARG. */
export function selectNodes(document: XmlElement, expression: string): readonly XPathNode[] | undefined {
	const value = new Reader(expression).read()({ node: xpathTree(document), position: 1, size: 1 });
	return isNodes(value) ? value : undefined;
}
