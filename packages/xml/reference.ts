// The reference page of a document in Markdown: every element and attribute, with what it is for and what it may hold.

import type { Field, Fields, Schema } from "./schema.ts";
import { fieldSets, schemaOf, stepOf } from "./walk.ts";

export interface ReferenceOptions {
	/** Name of the root element. */
	readonly root: string;
	readonly title: string;
	/** Text between the title and the first element. */
	readonly introduction: string;
	/** Text under the heading of the element at `path`: an example, what it becomes. */
	note?(path: string): string | undefined;
	/** The same in a few words, for an element that is a row of its parent's table. */
	rowNote?(path: string): string | undefined;
}

interface Page {
	readonly lines: string[];
	/** Where an element was described first, by its fields. */
	readonly described: Map<Fields, string>;
	readonly options: ReferenceOptions;
}

/** The page of `schema`. */
export function renderReference(schema: Schema<unknown>, options: ReferenceOptions): string {
	const { root, title, introduction } = options;
	const page: Page = { lines: [`# ${title}`, "", introduction, ""], described: new Map(), options };
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
	addNote(path, page);
	for (const { fields, variant } of sets) describeTable(fields, path, variant, page);
	for (const { fields } of sets) describeChildren(fields, path, page);
}

function addNote(path: string, { lines, options }: Page): void {
	const note = options.note?.(path);
	if (note !== undefined) lines.push(note.trim(), "");
}

function describeWords({ variants }: Schema<unknown>, page: Page): void {
	if (!variants) return;
	const words = Object.keys(variants.of).map((word) => `\`${word}\``);
	const fallback = variants.fallback === undefined ? "" : `; \`${variants.fallback}\` where absent`;
	page.lines.push(`\`${variants.by}\` is one of ${words.join(", ")}${fallback}.`, "");
}

function describeTable(fields: Fields, path: string, variant: string | undefined, page: Page): void {
	const rows = Object.entries(fields).flatMap(([key, field]) => {
		const cells = cellsOf(key, field);
		return cells ? [[...cells, page.options.rowNote?.(`${path}/${stepOf(key, field)}`) ?? ""]] : [];
	});
	if (rows.length === 0) return;
	const titles = ["Name", "Value", "Meaning", "Example"];
	// Where no row has an example, the column is left out.
	const width = rows.some(([, , , example]) => example !== "") ? titles.length : titles.length - 1;
	const line = (cells: readonly string[]): string => `| ${cells.slice(0, width).map(cell).join(" | ")} |`;
	page.lines.push(
		...(variant === undefined ? [] : [`With \`${variant}\`:`, ""]),
		line(titles),
		line(titles.map(() => "---")),
		...rows.map(line),
		"",
	);
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

/** A row of the table; none for elements that get a section of their own. */
function cellsOf(key: string, field: Field): string[] | undefined {
	const name = `\`${stepOf(key, field)}\`${field.required && field.kind !== "list" ? " (required)" : ""}`;
	const value = allowedIn(field);
	return value === undefined ? undefined : [name, value, field.doc ?? ""];
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
		if (before !== undefined && Object.keys(schema.fields).length > 0) {
			page.lines.push(`${"#".repeat(DEEPEST_HEADING)} \`${own}\``, "", field.doc ?? "", "");
			page.lines.push(`Written like \`${before}\`.`, "");
			addNote(own, page);
		} else describe(schema, own, page, field.doc);
	}
}
