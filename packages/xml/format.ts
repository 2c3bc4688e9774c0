// Writes a value by its schema, in libvirt's canonical order and layout.

import { planOf } from "./plan.ts";
import type { Field, Fields, Loose, Schema, Written } from "./schema.ts";
import { escapeXml, formatAttribute, writeForeignXml } from "./write.ts";

/** What a document is written for; conditions of fields look at it. */
export interface FormatOptions {
	/** Write as configured, without what only a running guest has. */
	readonly inactive?: boolean;
	/** Write passwords and the like. */
	readonly secure?: boolean;
	/** Write what an older or another libvirt needs to take the guest over. */
	readonly migratable?: boolean;
	/** Also write the daemon's own private state, for its status files. */
	readonly status?: boolean;
}

const NONE: Fields = {};

interface Parts {
	attributes: string;
	/** Own text, escaped; undefined when there is none. */
	text: string | undefined;
	body: string;
}

/** `value` as element `name`, starting at `indent` spaces, ending in a newline. Nothing at all when it would be empty, unless `keepEmpty`. */
export function formatElement<T>(
	name: string,
	schema: Schema<T>,
	value: T,
	options: FormatOptions = {},
	indent = 0,
	keepEmpty = true,
	parent?: Loose,
): string {
	if (schema.resolve) return formatElement(name, schema.resolve(), value, options, indent, keepEmpty, parent);
	const parts: Parts = { attributes: "", text: undefined, body: "" };
	const self = value as Loose;
	if (schema.variants) {
		const { by, of, fallback } = schema.variants;
		const word = (self[by] ?? fallback) as string | undefined;
		if (word !== undefined) parts.attributes += formatAttribute(by, word);
		formatFields(schema.fields, self, parts, indent + 2, options, parent);
		formatFields(of[word ?? ""] ?? NONE, self, parts, indent + 2, options, parent);
	} else formatFields(schema.fields, self, parts, indent + 2, options, parent);
	return close(name, parts, indent, keepEmpty);
}

function close(name: string, parts: Parts, indent: number, keepEmpty: boolean): string {
	const pad = " ".repeat(indent);
	if (parts.body !== "")
		return `${pad}<${name}${parts.attributes}>${parts.text ?? ""}\n${parts.body}${pad}</${name}>\n`;
	if (parts.text !== undefined && parts.text !== "")
		return `${pad}<${name}${parts.attributes}>${parts.text}</${name}>\n`;
	return keepEmpty || parts.attributes !== "" ? `${pad}<${name}${parts.attributes}/>\n` : "";
}

function formatFields(
	fields: Fields,
	self: Loose,
	parts: Parts,
	indent: number,
	options: FormatOptions,
	parent: Loose | undefined,
): void {
	for (const { key, field, written } of planOf(fields)) {
		const value = self[key];
		if (value === undefined || value === null) continue;
		if (field.when && !field.when(self, parent)) continue;
		if (field.live && options.inactive) continue;
		if (field.show && !field.show(self, options, parent)) continue;
		formatField(field, written, value, self, parts, indent, options);
	}
}

function formatField(
	field: Field,
	name: string,
	value: unknown,
	self: Loose,
	parts: Parts,
	indent: number,
	options: FormatOptions,
): void {
	switch (field.kind) {
		case "attribute":
			if (value !== field.absent) parts.attributes += formatAttribute(name, field.codec.format(value));
			break;
		case "text":
			parts.text = escapeXml(field.codec.format(value));
			break;
		case "leaf":
			if (value !== field.absent)
				parts.body += `${" ".repeat(indent)}<${name}>${escapeXml(field.codec.format(value))}</${name}>\n`;
			break;
		case "child":
			parts.body += formatElement(name, field.schema, value, options, indent, field.keepEmpty ?? false, self);
			break;
		case "list":
			parts.body += formatList(field, name, value as readonly unknown[], self, indent, options);
			break;
		case "flag":
			if (value === true) parts.body += `${" ".repeat(indent)}<${name}/>\n`;
			break;
		case "raw":
			parts.body += writeForeignXml(value as Parameters<typeof writeForeignXml>[0], indent);
			break;
		case "special":
			addWritten(parts, field.write(value, indent, options, self));
			break;
	}
}

function addWritten(parts: Parts, written: string | Written): void {
	if (typeof written === "string") parts.body += written;
	else {
		parts.attributes += written.attributes ?? "";
		parts.text = written.text ?? parts.text;
		parts.body += written.body ?? "";
	}
}

function formatList(
	field: Extract<Field, { kind: "list" }>,
	name: string,
	values: readonly unknown[],
	self: Loose,
	indent: number,
	options: FormatOptions,
): string {
	if (values.length === 0) return "";
	const inner = field.inside === undefined ? indent : indent + 2;
	let lines = "";
	for (const value of values)
		if (field.showItem?.(value as Loose, options) !== false)
			lines += formatElement(name, field.schema, value, options, inner, true, self);
	if (field.inside === undefined) return lines;
	const pad = " ".repeat(indent);
	return `${pad}<${field.inside}>\n${lines}${pad}</${field.inside}>\n`;
}
