// The JSON Schema (2020-12) of a document's value: what an object must look like that stands for the document.

import type { JsonSchema } from "./codec.ts";
import type { Field, Fields, Schema } from "./schema.ts";

interface Building {
	readonly definitions: Record<string, JsonSchema>;
	readonly names: Map<Schema<unknown>, string>;
}

/** The JSON Schema of `schema`'s values. Every element becomes a definition, so that recursion is finite. */
export function jsonSchemaOf(schema: Schema<unknown>, title: string): JsonSchema {
	const building: Building = { definitions: {}, names: new Map() };
	const root = reference(schema, title, building);
	return { $schema: "https://json-schema.org/draft/2020-12/schema", title, ...root, $defs: building.definitions };
}

function reference(written: Schema<unknown>, hint: string, building: Building): JsonSchema {
	const schema = written.resolve?.() ?? written;
	let name = building.names.get(schema);
	if (name === undefined) {
		name = uniqueName(hint, building.definitions);
		building.names.set(schema, name);
		building.definitions[name] = {};
		building.definitions[name] = objectOf(schema, building);
	}
	return { $ref: `#/$defs/${name}` };
}

function uniqueName(hint: string, taken: Readonly<Record<string, unknown>>): string {
	for (let number = 1; ; number++) {
		const name = number === 1 ? hint : `${hint}${number}`;
		if (!Object.hasOwn(taken, name)) return name;
	}
}

function objectOf(schema: Schema<unknown>, building: Building): JsonSchema {
	const described = schema.doc === undefined ? {} : { description: schema.doc };
	const { variants } = schema;
	if (!variants) return { ...described, ...properties(schema.fields, building) };
	return {
		...described,
		oneOf: Object.entries(variants.of).map(([word, fields]) =>
			properties({ ...schema.fields, ...fields }, building, { [variants.by]: { const: word } }),
		),
	};
}

function properties(fields: Fields, building: Building, fixed: Readonly<Record<string, JsonSchema>> = {}): JsonSchema {
	const entries = Object.entries(fields);
	const required = [
		...Object.keys(fixed),
		...entries.filter(([, field]) => field.required && field.kind !== "list").map(([key]) => key),
	];
	return {
		type: "object",
		properties: {
			...fixed,
			...Object.fromEntries(entries.map(([key, field]) => [key, fieldSchema(key, field, building)])),
		},
		...(required.length > 0 ? { required } : {}),
		additionalProperties: false,
	};
}

function fieldSchema(key: string, field: Field, building: Building): JsonSchema {
	const described = field.doc === undefined ? {} : { description: field.doc };
	switch (field.kind) {
		case "attribute":
		case "text":
		case "leaf":
			return { ...field.codec.json, ...described };
		case "child":
			return { ...reference(field.schema, key, building), ...described };
		case "list":
			return { type: "array", items: reference(field.schema, key, building), ...described };
		case "flag":
			return { type: "boolean", ...described };
		case "raw":
			return { type: "object", ...described };
		case "special":
			return { ...field.json, ...described };
	}
}
