// Checks the rules that elements declare beside themselves, over a whole document.

import type { VirtError } from "@virtkit/base/errors";
import { ruledFields } from "./plan.ts";
import { documentError, positionOf } from "./read.ts";
import type { Fields, Loose, Schema } from "./schema.ts";

/** The first broken rule of `value` or of anything in it, as an error at its position; undefined when all hold. */
export function findBrokenRule<T>(
	schema: Schema<T>,
	value: T,
	root: Loose = value as Loose,
	parent?: Loose,
): VirtError | undefined {
	if (schema.resolve) return findBrokenRule(schema.resolve(), value, root, parent);
	const self = value as Loose;
	for (const rule of schema.rules)
		if (rule.broken(value, root, parent)) return documentError(positionOf(self), rule.message(value), rule.code);
	return brokenIn(schema.fields, self, root) ?? brokenIn(variantFields(schema, self), self, root);
}

/** Throws the first broken rule. */
export function checkRules<T>(schema: Schema<T>, value: T): void {
	const broken = findBrokenRule(schema, value);
	if (broken) throw broken;
}

const NONE: Fields = {};

function variantFields(schema: Schema<unknown>, self: Loose): Fields {
	if (!schema.variants) return NONE;
	return schema.variants.of[String(self[schema.variants.by] ?? schema.variants.fallback)] ?? NONE;
}

function brokenIn(fields: Fields, self: Loose, root: Loose): VirtError | undefined {
	for (const { key, field } of ruledFields(fields)) {
		const value = self[key];
		if (value === undefined || (field.kind !== "child" && field.kind !== "list")) continue;
		for (const one of field.kind === "list" ? (value as readonly unknown[]) : [value]) {
			const broken = findBrokenRule(field.schema, one, root, self);
			if (broken) return broken;
		}
	}
	return undefined;
}
