// Walks everything a schema declares, once each: what JSON Schema, reference and coverage are made from.

import type { Field, Fields, Schema } from "./schema.ts";

/** One declared field: where it is (`domain/devices/disk/@type`) and in which record of fields. */
export interface DeclaredField {
	readonly path: string;
	readonly name: string;
	readonly field: Field;
	readonly fields: Fields;
	readonly key: string;
	/** The word of the variant it belongs to: `type='pci'`. */
	readonly variant?: string;
}

/** The records of fields of a schema: the common ones, then those of each variant with its condition. */
export function fieldSets(schema: Schema<unknown>): { readonly fields: Fields; readonly variant?: string }[] {
	if (schema.resolve) return fieldSets(schema.resolve());
	const { by = "", of = {} } = schema.variants ?? {};
	return [
		{ fields: schema.fields },
		...Object.entries(of).map(([word, fields]) => ({ fields, variant: `${by}='${word}'` })),
	];
}

/** The schema behind a child or a list; undefined for other fields. */
export function schemaOf(field: Field): Schema<unknown> | undefined {
	return field.kind === "child" || field.kind === "list" ? (field.schema.resolve?.() ?? field.schema) : undefined;
}

/** The part of a path that a field adds: `@name`, `text()`, `holder/name`, `name`. */
export function stepOf(key: string, field: Field): string {
	const name = field.prefix === undefined ? (field.name ?? key) : `${field.prefix}:${field.name ?? key}`;
	if (field.kind === "attribute") return `@${name}`;
	if (field.kind === "text") return "text()";
	if (field.kind === "special") return specialStep(field, name);
	return field.kind === "list" && field.inside !== undefined ? `${field.inside}/${name}` : name;
}

function specialStep({ takes }: Extract<Field, { kind: "special" }>, name: string): string {
	const [attribute] = takes.attributes ?? [];
	const [child] = takes.children ?? [];
	if (takes.text) return "text()";
	if (attribute !== undefined) return `@${attribute}`;
	return child === undefined || child === "entry" ? name : child;
}

/** Every field that `schema` and the schemas below it declare. A schema used in several places is walked at the first. */
export function declaredFields(schema: Schema<unknown>, root: string): DeclaredField[] {
	const found: DeclaredField[] = [];
	const seen = new Set<Fields>();
	const visit = (at: Schema<unknown>, path: string): void => {
		for (const { fields, variant } of fieldSets(at)) {
			if (seen.has(fields)) continue;
			seen.add(fields);
			for (const [key, field] of Object.entries(fields)) {
				const step = stepOf(key, field);
				const own = `${path}/${step}`;
				found.push({ path: own, name: step, field, fields, key, ...(variant === undefined ? {} : { variant }) });
				const below = schemaOf(field);
				if (below) visit(below, own);
			}
		}
	};
	visit(schema, root);
	return found;
}
