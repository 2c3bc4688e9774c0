// What is written is read back to the same: for arbitrary values of everything a domain may hold.

import assert from "node:assert/strict";
import test from "node:test";
import { VirtError } from "@virtkit/base/errors";
import { arbitraryOf } from "@virtkit/testing/schema-arbitrary";
import { formatElement } from "@virtkit/xml/format";
import { parseXml } from "@virtkit/xml/parse";
import { readElement } from "@virtkit/xml/read";
import type { Fields, Schema } from "@virtkit/xml/schema";
import { schemaOf } from "@virtkit/xml/walk";
import fc from "fast-check";
import { devices } from "./devices.ts";
import { domain } from "./domain.ts";

const RUNS = 100;

/** The value of `text`; undefined where the document is refused, as documents of arbitrary values may be. */
function read<T>(schema: Schema<T>, text: string): T | undefined {
	try {
		return readElement(schema, parseXml(text));
	} catch (error) {
		if (error instanceof VirtError) return undefined;
		throw error;
	}
}

/** Elements that the domain or its devices hold directly. */
const elements = ([domain.fields, devices.fields] as readonly Fields[]).flatMap((fields) =>
	Object.entries(fields).flatMap(([key, field]) => {
		const schema = schemaOf(field);
		return schema && key !== "devices" ? [{ name: field.name ?? key, schema }] : [];
	}),
);

const CONFIGURATION = { inactive: true, secure: true };

for (const { name, schema } of elements)
	test(`<${name}> that was written is read to a value that is written to the same text`, () => {
		fc.assert(
			fc.property(arbitraryOf(schema), (made) => {
				const once = read(schema, formatElement(name, schema, made, CONFIGURATION));
				if (once === undefined) return;
				const text = formatElement(name, schema, once, CONFIGURATION);
				const twice = readElement(schema, parseXml(text));
				assert.equal(formatElement(name, schema, twice, CONFIGURATION), text);
				assert.deepEqual(readElement(schema, parseXml(text)), twice);
			}),
			{ numRuns: RUNS },
		);
	});

test("most kinds of elements accept some of the arbitrary values", () => {
	const accepting = elements.filter(({ name, schema }) =>
		fc
			.sample(arbitraryOf(schema), RUNS)
			.some((made) => read(schema, formatElement(name, schema, made, CONFIGURATION)) !== undefined),
	);
	assert.ok(accepting.length > elements.length * 0.8, `${accepting.length} of ${elements.length}`);
});
