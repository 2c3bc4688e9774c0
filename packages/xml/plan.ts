// Records of fields made ready to be walked quickly: what every element asks of each field is looked up once.

import type { Field, Fields, Schema } from "./schema.ts";

/** One field of a record. All of one shape, whatever the field, since walking them is what documents cost. */
export interface Step {
	readonly key: string;
	readonly field: Field;
	/** Name in the document without a prefix. */
	readonly name: string;
	/** Name as written, prefix included. */
	readonly written: string;
	readonly uri: string | undefined;
	/** Where an element has no such attribute or child, reading the field comes to nothing. */
	readonly needs: "attribute" | "child" | undefined;
}

const PLANS = new WeakMap<Fields, readonly Step[]>();
const RULED = new WeakMap<Fields, readonly Step[]>();

/** The fields in the order declared. */
export function planOf(fields: Fields): readonly Step[] {
	let plan = PLANS.get(fields);
	if (!plan) PLANS.set(fields, (plan = Object.entries(fields).map(([key, field]) => step(key, field))));
	return plan;
}

function step(key: string, field: Field): Step {
	const name = field.name ?? key;
	const written = field.prefix === undefined ? name : `${field.prefix}:${name}`;
	return { key, field, name, written, uri: field.uri, needs: needOf(field) };
}

function needOf(field: Field): Step["needs"] {
	if (field.kind === "attribute") return field.required || field.default !== undefined ? undefined : "attribute";
	if (field.required || (field.kind === "child" && field.implied)) return undefined;
	return field.kind === "text" || field.kind === "special" ? undefined : "child";
}

/** The fields that hold elements with rules, their own or those of anything in them. */
export function ruledFields(fields: Fields): readonly Step[] {
	let plan = RULED.get(fields);
	if (!plan) RULED.set(fields, (plan = planOf(fields).filter(({ field }) => hasRules(field, new Set()))));
	return plan;
}

function hasRules(field: Field, seen: Set<Schema<unknown>>): boolean {
	if (field.kind !== "child" && field.kind !== "list") return false;
	const schema = field.schema.resolve?.() ?? field.schema;
	if (seen.has(schema)) return false;
	seen.add(schema);
	if (schema.rules.length > 0) return true;
	const records = [schema.fields, ...Object.values(schema.variants?.of ?? {})];
	return records.some((fields) => Object.values(fields).some((inner) => hasRules(inner, seen)));
}
