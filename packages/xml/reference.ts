// The reference page of a document in Markdown: every element and attribute, with what it is for and what it may hold.

import type { Field, Fields, Schema } from "./schema.ts";
import { fieldSets, schemaOf, stepOf } from "./walk.ts";

export interface ReferenceOptions {
	/** Name of the root element. */
	readonly root: string;
	readonly title: string;
	/** Text between the title and the first element. */
	readonly introduction: string;
	/** Text under the heading of an element, by its path: examples, what it becomes. */
	readonly notes?: Readonly<Record<string, string>>;
}

interface Page {
	readonly lines: string[];
	/** Where an element was described first, by its fields. */
	readonly described: Map<Fields, string>;
	readonly notes: Readonly<Record<string, string>>;
}

/** The page of `schema`. */
export function renderReference(schema: Schema<unknown>, options: ReferenceOptions): string {
	const { root, title, introduction, notes = {} } = options;
	const page: Page = { lines: [`# ${title}`, "", introduction, ""], described: new Map(), notes };
	describe(schema, root, page, schema.doc);
	return `${page.lines.join("\n").trimEnd()}\n`;
}

/** Deeper elements than this share the heading level. */
const DEEPEST_HEADING = 4;

function describe(schema: Schema<unknown>, path: string, page: Page, doc: string | undefined): void {
	const level = Math.min(path.split("/").length + 1, DEEPEST_HEADING);
	const sets = fieldSets(schema).filter(({ fields }, index) => index === 0 || Object.keys(fields).length > 0);
	page.lines.push(`${"#".repeat(level)} \`${path}\``, "");
	if (doc !== undefined) page.lines.push(doc, "");
	const [first] = sets;
	if (first) page.described.set(first.fields, path);
	describeWords(schema, page);
	const note = page.notes[path];
	if (note !== undefined) page.lines.push(note.trim(), "");
	for (const { fields, variant } of sets) describeTable(fields, variant, page);
	for (const { fields } of sets) describeChildren(fields, path, page);
}

function describeWords({ variants }: Schema<unknown>, page: Page): void {
	if (!variants) return;
	const words = Object.keys(variants.of).map((word) => `\`${word}\``);
	const fallback = variants.fallback === undefined ? "" : `; \`${variants.fallback}\` where absent`;
	page.lines.push(`\`${variants.by}\` is one of ${words.join(", ")}${fallback}.`, "");
}

function describeTable(fields: Fields, variant: string | undefined, page: Page): void {
	const rows = Object.entries(fields).flatMap(([key, field]) => rowOf(key, field));
	if (rows.length === 0) return;
	page.lines.push(
		...(variant === undefined ? [] : [`With \`${variant}\`:`, ""]),
		"| Name | Value | Meaning |",
		"| --- | --- | --- |",
		...rows,
		"",
	);
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

/** A row of the table; none for elements that get a section of their own. */
function rowOf(key: string, field: Field): string[] {
	const name = `\`${stepOf(key, field)}\`${field.required && field.kind !== "list" ? " (required)" : ""}`;
	const value = allowedIn(field);
	return value === undefined ? [] : [`| ${name} | ${cell(value)} | ${cell(field.doc ?? "")} |`];
}

/** What a field may hold, in words; undefined for elements. */
function allowedIn(field: Field): string | undefined {
	switch (field.kind) {
		case "attribute":
		case "text":
		case "leaf":
			return field.codec.allowed;
		case "flag":
			return "an empty element";
		case "raw":
			return "anything, kept as it is";
		case "special":
			if (Object.keys(field.takes).length === 0) return undefined;
			return field.json.type === "integer"
				? "a whole number"
				: field.json.type === "string"
					? "text"
					: "see its meaning";
		default:
			return undefined;
	}
}

function describeChildren(fields: Fields, path: string, page: Page): void {
	for (const [key, field] of Object.entries(fields)) {
		const schema = schemaOf(field);
		if (!schema) continue;
		const own = `${path}/${stepOf(key, field)}`;
		const before = page.described.get(schema.fields);
		if (before !== undefined && Object.keys(schema.fields).length > 0)
			page.lines.push(
				`${"#".repeat(DEEPEST_HEADING)} \`${own}\``,
				"",
				field.doc ?? "",
				"",
				`Written like \`${before}\`.`,
				"",
			);
		else describe(schema, own, page, field.doc);
	}
}
