// Reads a document tree by a schema, with errors that name line, element, value and what is allowed.

import { type ErrorCode, VirtError } from "@virtkit/base/errors";
import { textOf, withNamespaces, type XmlElement, xmlElement } from "./node.ts";
import { planOf } from "./plan.ts";
import type { AttributeField, Field, Fields, LeafField, Loose, Schema, TextField } from "./schema.ts";

/** How a document is read. */
export interface ReadContext {
	/** Refuse elements and attributes that no schema declares, as VIR_DOMAIN_DEFINE_VALIDATE asks. */
	readonly strict: boolean;
	/** Told of each field that the document exercised: what the coverage test counts. */
	readonly onField?: (fields: Fields, key: string) => void;
	/** The document describes a running guest (a status file): what only such a guest has is read too. */
	readonly live?: boolean;
	/** The enclosing value while a child is read. */
	readonly parent?: Loose;
}

export interface Position {
	readonly line: number;
	readonly column: number;
}

/** Line and column in one number, so that thousands of documents keep little: lines are multiples of this. */
const COLUMNS = 2 ** 20;

class Itself {
	constructor(value: object) {
		// biome-ignore lint/correctness/noConstructorReturn: what gives the private member below to an object made elsewhere.
		return value;
	}
}

/** A place kept in a private member of the value itself: nobody else sees it, and it costs a fifth of a WeakMap's entry. */
class Placed extends Itself {
	#place: number;
	/** Places of the child elements that hold one text and nothing else, by name. */
	#leaves: Record<string, number> | undefined;

	private constructor(value: object, place: number) {
		super(value);
		this.#place = place;
	}

	static of(value: object): number | undefined {
		return #place in value ? value.#place : undefined;
	}

	static put(value: object, place: number): void {
		if (#place in value) value.#place = place;
		else new Placed(value, place);
	}

	static leaf(value: object, name: string): number | undefined {
		return #place in value ? value.#leaves?.[name] : undefined;
	}

	static putLeaf(value: object, name: string, place: number): void {
		if (#place in value) (value.#leaves ??= {})[name] = place;
	}
}

const placeOf = ({ line, column }: Position): number => line * COLUMNS + Math.min(column, COLUMNS - 1);
const atPlace = (place: number | undefined): Position | undefined =>
	place === undefined ? undefined : { line: Math.floor(place / COLUMNS), column: place % COLUMNS };

/** Where the element that became `value` starts in its document; undefined for values made in code. */
export function positionOf(value: object): Position | undefined {
	return atPlace(Placed.of(value));
}

/** The same of the child element `name`, where it holds one text and nothing else. */
export function leafPositionOf(value: object, name: string): Position | undefined {
	return atPlace(Placed.leaf(value, name));
}

/** Remembers where the child element `name` of `value` starts. */
export function placeLeaf(value: object, name: string, at: Position): void {
	if (at.line > 0) Placed.putLeaf(value, name, placeOf(at));
}

/** Lets `value` stand for the element that `original` was read from. */
export function copyPosition<T extends object>(original: object, value: T): T {
	const place = Placed.of(original);
	if (place !== undefined) Placed.put(value, place);
	return value;
}

/** An XML_ERROR (or `code`) at the position of `at`. */
export function documentError(at: Position | undefined, message: string, code: ErrorCode = "XML_ERROR"): VirtError {
	const place = at && at.line > 0 ? ` (line ${at.line}, column ${at.column})` : "";
	return new VirtError(code, `${message}${place}`, {
		domain: "DOMAIN",
		...(at ? { position: { line: at.line, column: at.column } } : {}),
	});
}

/** Runs `check` of the element that became `value`: an error that names no place gets that of the element. */
export function atElement<T>(value: object, check: () => T): T {
	try {
		return check();
	} catch (error) {
		const position = positionOf(value);
		if (!position || !(error instanceof VirtError) || error.position || error.detail === undefined) throw error;
		const { code, domain, int1, int2, detail, cause } = error;
		const place = ` (line ${position.line}, column ${position.column})`;
		throw new VirtError(code, `${detail}${place}`, {
			domain,
			int1,
			int2,
			position,
			...(cause === undefined ? {} : { cause }),
		});
	}
}

/** The value of `element` by `schema`. Throws XML_ERROR or the field's own code. */
export function readElement<T>(schema: Schema<T>, written: XmlElement, context: ReadContext = { strict: false }): T {
	if (schema.resolve) return readElement(schema.resolve(), written, context);
	const element = schema.rewrite?.(written) ?? written;
	const value: Record<string, unknown> = {};
	if (element.line > 0) Placed.put(value, placeOf(element));
	const taken = context.strict || schema.closed ? new Taken() : undefined;
	readFields(schema.fields, element, value, context, taken);
	if (schema.variants) readVariant(schema, element, value, context, taken);
	taken?.refuseOthers(element, context.strict, schema.closed);
	schema.onRead?.(value as T, element, context);
	return value as T;
}

function readVariant<T>(
	schema: Schema<T>,
	element: XmlElement,
	value: Record<string, unknown>,
	context: ReadContext,
	taken?: Taken,
): void {
	const { by, of, fallback, codes } = schema.variants ?? { by: "", of: {} };
	const word = element.attributes[by] ?? fallback;
	const fields = word === undefined || !Object.hasOwn(of, word) ? undefined : of[word];
	if (word === undefined)
		throw documentError(element, `Missing required attribute '${by}' in element '${element.name}'`, codes?.missing);
	if (!fields)
		throw invalidAttribute(
			element,
			by,
			word,
			`one of ${Object.keys(of)
				.map((known) => `'${known}'`)
				.join(", ")}`,
			codes?.unknown,
		);
	value[by] = word;
	taken?.attributes.add(by);
	readFields(fields, element, value, context, taken);
}

function readFields(
	fields: Fields,
	element: XmlElement,
	value: Record<string, unknown>,
	context: ReadContext,
	taken?: Taken,
): void {
	const inner = { ...context, parent: value };
	const hasElements = element.children.some((child) => typeof child !== "string");
	for (const { key, field, name, uri, needs } of planOf(fields)) {
		taken?.take(key, field);
		if (needs === "attribute" ? !Object.hasOwn(element.attributes, name) : needs && !hasElements) continue;
		if (field.live && !context.live) continue;
		if (field.when && !field.when(value, context.parent)) continue;
		const read = readField(field, name, uri, element, inner);
		if (read === undefined) continue;
		value[key] = read;
		if (context.onField && isExercised(field, key, element, read)) context.onField(fields, key);
	}
}

function isExercised(field: Field, key: string, element: XmlElement, read: unknown): boolean {
	if (field.kind === "attribute") return Object.hasOwn(element.attributes, field.name ?? key);
	return !(Array.isArray(read) && read.length === 0);
}

function readField(
	field: Field,
	name: string,
	uri: string | undefined,
	element: XmlElement,
	inner: ReadContext,
): unknown {
	switch (field.kind) {
		case "attribute":
			return readAttribute(field, name, element);
		case "text":
			return readText(field, element);
		case "leaf": {
			const found = find(element, name, uri);
			if (!found) return missing(field, name, element);
			if (inner.parent) placeLeaf(inner.parent, name, found);
			const value = readText(field, found);
			return field.absent !== undefined && value === field.absent ? undefined : value;
		}
		case "child": {
			const found = find(element, name, uri) ?? (field.implied ? xmlElement(name) : undefined);
			if (!found) return missing(field, name, element);
			return readElement(field.schema, found, inner);
		}
		case "list": {
			const holder = field.inside === undefined ? element : find(element, field.inside);
			if (!holder) return [];
			return findAll(holder, name, uri).map((found) => readElement(field.schema, found, inner));
		}
		case "flag":
			return find(element, name, uri) ? true : undefined;
		case "raw": {
			const found = find(element, name, uri);
			return found && withNamespaces(found);
		}
		case "special":
			return field.read(element, inner);
	}
}

function missing(field: Field, name: string, element: XmlElement): undefined {
	if (field.required)
		throw documentError(element, `Missing required element '${name}' in element '${element.name}'`, field.missing);
	return undefined;
}

function readAttribute(field: AttributeField<unknown>, name: string, element: XmlElement): unknown {
	const written = Object.hasOwn(element.attributes, name) ? element.attributes[name] : undefined;
	if (written === undefined) {
		if (field.required && field.default === undefined)
			throw documentError(element, `Missing required attribute '${name}' in element '${element.name}'`, field.missing);
		return field.default;
	}
	const value = field.codec.parse(written);
	if (value === undefined) throw invalidAttribute(element, name, written, field.codec.allowed, field.code);
	return field.absent !== undefined && value === field.absent ? undefined : value;
}

function invalidAttribute(
	element: XmlElement,
	name: string,
	value: string,
	allowed: string,
	code?: Field["code"],
): VirtError {
	return documentError(
		element,
		`Invalid value for attribute '${name}' in element '${element.name}': '${value}'. Allowed: ${allowed}`,
		typeof code === "function" ? code(value) : code,
	);
}

function readText(field: TextField<unknown> | LeafField<unknown>, element: XmlElement): unknown {
	// Blanks around child elements are layout.
	const isMixed = element.children.some((child) => typeof child !== "string");
	const written = isMixed ? textOf(element).trim() : textOf(element);
	if (written.trim() === "" && !field.required)
		return field.codec.parse(written) === written && written !== "" ? written : undefined;
	const value = field.codec.parse(written);
	if (value !== undefined) return value;
	throw documentError(
		element,
		`Invalid content of element '${element.name}': '${written}'. Allowed: ${field.codec.allowed}`,
		typeof field.code === "function" ? field.code(written) : field.code,
	);
}

function find(element: XmlElement, name: string, uri?: string): XmlElement | undefined {
	for (const node of element.children)
		if (typeof node !== "string" && node.local === name && node.uri === uri) return node;
	return undefined;
}

function findAll(element: XmlElement, name: string, uri?: string): XmlElement[] {
	return element.children.filter(
		(node): node is XmlElement => typeof node !== "string" && node.local === name && node.uri === uri,
	);
}

/** What of an element its schema took: the rest is refused when validation is asked for. */
class Taken {
	readonly attributes = new Set<string>();
	readonly children = new Set<string>();

	take(key: string, field: Field): void {
		if (field.kind === "attribute") this.attributes.add(field.name ?? key);
		else if (field.kind === "special") {
			for (const name of field.takes.attributes ?? []) this.attributes.add(name);
			for (const name of field.takes.children ?? []) this.children.add(name);
		} else if (field.kind !== "text")
			this.children.add(field.kind === "list" && field.inside ? field.inside : (field.name ?? key));
	}

	refuseOthers(element: XmlElement, strict: boolean, closed: ErrorCode = "XML_INVALID_SCHEMA"): void {
		for (const name in strict ? element.attributes : {})
			if (!this.attributes.has(name) && !name.startsWith("xmlns") && !name.includes(":"))
				throw documentError(element, `Extra attribute '${name}' in element '${element.name}'`, "XML_INVALID_SCHEMA");
		for (const node of element.children)
			if (typeof node !== "string" && node.uri === undefined && !this.children.has(node.local))
				throw documentError(node, `Extra element '${node.name}' in element '${element.name}'`, closed);
	}
}
