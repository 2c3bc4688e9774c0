// Arbitrary values of a document's schema, for property tests: made from the declarations alone.

import type { JsonSchema } from "@virtkit/xml/codec";
import type { Field, Fields, Loose, Schema } from "@virtkit/xml/schema";
import fc from "fast-check";

/** Elements nest no deeper than this, so that recursive documents end. */
const DEPTH = 5;

/** Values of `schema`: each field there or not, as far as its own conditions let it be. */
export function arbitraryOf<T>(schema: Schema<T>): fc.Arbitrary<T> {
	return anyOf(schema as Schema<unknown>, DEPTH).map(
		(value) => prune(schema as Schema<unknown>, value, undefined) as T,
	);
}

function anyOf(written: Schema<unknown>, depth: number): fc.Arbitrary<Loose> {
	const schema = written.resolve?.() ?? written;
	const { variants } = schema;
	if (!variants) return record(schema.fields, depth);
	return fc.oneof(
		...Object.entries(variants.of).map(([word, fields]) =>
			record({ ...schema.fields, ...fields }, depth).map((value) => ({ [variants.by]: word, ...value })),
		),
	);
}

function record(fields: Fields, depth: number): fc.Arbitrary<Loose> {
	const known: Record<string, fc.Arbitrary<unknown>> = {};
	const required: string[] = [];
	for (const [key, field] of Object.entries(fields)) {
		const arbitrary = anyOfField(field, depth);
		if (!arbitrary) continue;
		known[key] = arbitrary;
		if (field.required) required.push(key);
	}
	return fc.record(known, { requiredKeys: required });
}

function anyOfField(field: Field, depth: number): fc.Arbitrary<unknown> | undefined {
	switch (field.kind) {
		case "attribute":
		case "text":
		case "leaf":
			return anyText(field.codec);
		case "child":
			return depth > 0 || field.required ? anyOf(field.schema, depth - 1) : undefined;
		case "list":
			return depth > 0 ? fc.array(anyOf(field.schema, depth - 1), { maxLength: 2 }) : fc.constant([]);
		case "flag":
			return fc.constant(true);
		case "raw":
			return undefined;
		case "special":
			return anyOfJson(field.json);
	}
}

const SAMPLES = ["", "a", "1", "0", "/a/b", "name", "ua-x", "<&'\">", "52:54:00:00:00:01", "::1", "example.org", "0-3"];

/** Values of a codec: made from its JSON Schema, kept where they survive being written and read. */
function anyText(codec: {
	readonly json: JsonSchema;
	parse(text: string): unknown;
	format(value: never): string;
}): fc.Arbitrary<unknown> {
	const format = codec.format as (value: unknown) => string;
	const direct = anyOfJson(codec.json);
	const fromText = fc.oneof(fc.constantFrom(...SAMPLES), fc.string({ maxLength: 8 })).map((text) => codec.parse(text));
	const survives = (value: unknown): boolean => {
		if (value === undefined) return false;
		try {
			return codec.parse(format(value)) !== undefined;
		} catch {
			return false;
		}
	};
	const usable = [direct, fromText].filter((one) => one !== undefined);
	const samples = SAMPLES.map((text) => codec.parse(text)).filter(survives);
	const [first = fc.sample(fc.oneof(...usable), { numRuns: 200, seed: 1 }).find(survives)] = samples;
	return fc.oneof(...usable).map((value) => (survives(value) ? value : first));
}

/** Values of the simple kinds of JSON Schema; undefined for others. */
function anyOfJson(json: JsonSchema): fc.Arbitrary<unknown> | undefined {
	if (Array.isArray(json.enum)) return fc.constantFrom(...(json.enum as unknown[]));
	if (json.type === "integer") {
		const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = json as { minimum?: number; maximum?: number };
		const small = fc.integer({ min: minimum, max: Math.min(maximum, minimum + 64) });
		return fc.oneof(small, fc.integer({ min: minimum, max: Math.min(maximum, Number.MAX_SAFE_INTEGER) }));
	}
	if (json.type === "boolean") return fc.boolean();
	if (json.type === "string") {
		const pattern = typeof json.pattern === "string" ? json.pattern : undefined;
		if (pattern === undefined) return fc.constantFrom(...SAMPLES.filter((text) => text !== ""));
		return pattern === "^[0-9]+$"
			? fc.bigInt({ min: 0n, max: 1n << 40n })
			: fc.stringMatching(new RegExp(pattern), { size: "small" });
	}
	return undefined;
}

/** `value` without what its conditions say cannot be there. */
function prune(written: Schema<unknown>, value: Loose, parent: Loose | undefined): Loose {
	const schema = written.resolve?.() ?? written;
	const { variants } = schema;
	const word = variants && String(value[variants.by]);
	const kept: Record<string, unknown> = variants ? { [variants.by]: word } : {};
	for (const [key, field] of Object.entries({ ...schema.fields, ...(variants?.of[word ?? ""] ?? {}) })) {
		const own = value[key];
		if (own === undefined || field.live || (field.when && !field.when(kept, parent))) continue;
		if (field.kind === "child") kept[key] = prune(field.schema, own as Loose, kept);
		else if (field.kind === "list") kept[key] = (own as Loose[]).map((one) => prune(field.schema, one, kept));
		else kept[key] = own;
	}
	return kept;
}
