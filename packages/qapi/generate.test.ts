// The generated QMP types stand for what QEMU says, and come out the same each time.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import type { SchemaEntity } from "./introspection.ts";
import { renderSchema } from "./render.ts";
import { nameTypes, pascalCase } from "./type-names.ts";

const SCHEMA: readonly SchemaEntity[] = [
	{ "meta-type": "builtin", name: "str", "json-type": "string" },
	{ "meta-type": "builtin", name: "int", "json-type": "int" },
	{ "meta-type": "object", name: "0", members: [] },
	{ "meta-type": "command", name: "z-make", "arg-type": "7", "ret-type": "0" },
	{ "meta-type": "command", name: "ask-all", "arg-type": "0", "ret-type": "[9]", "allow-oob": true },
	{ "meta-type": "event", name: "JOB_DONE", "arg-type": "9" },
	{ "meta-type": "array", name: "[9]", "element-type": "9" },
	{
		"meta-type": "object",
		name: "9",
		members: [
			{ name: "job-id", type: "str" },
			{ name: "speed", type: "int", default: null },
		],
	},
	{
		"meta-type": "object",
		name: "7",
		tag: "kind",
		members: [{ name: "kind", type: "8" }],
		variants: [{ case: "file", type: "9" }],
	},
	{ "meta-type": "enum", name: "8", values: ["null", "file"] },
];

test("types are named by the path of their first use, commands before events", () => {
	assert.deepEqual(
		[...nameTypes(SCHEMA)],
		[
			["0", "AskAllArg"],
			["9", "AskAllRet"],
			["7", "ZMakeArg"],
			["8", "ZMakeArgKind"],
		],
	);
	assert.equal(pascalCase("x-blockdev-change"), "XBlockdevChange");
	assert.equal(pascalCase("BLOCK_JOB_READY"), "BlockJobReady");
});

test("a tagged union becomes one branch for each type that a tag's value brings", () => {
	const text = renderSchema(SCHEMA, "1.0");
	assert.match(
		text,
		/export type ZMakeArg = \{\n\} & \(\n\t\| \(\{ readonly kind: "file" \} & AskAllRet\)\n\t\| \(\{ readonly kind: "null" \}\)\n\);/,
	);
	assert.match(text, /readonly "ask-all": \{ readonly args: Empty; readonly ret: readonly AskAllRet\[\] \};/);
	assert.match(text, /readonly speed\?: number \| undefined;/);
	assert.match(text, /readonly JOB_DONE: AskAllRet;/);
	assert.match(text, /export type OobCommand =\n\t\| "ask-all";/);
});

test("the order in which QEMU lists its schema changes nothing", () => {
	assert.equal(renderSchema([...SCHEMA].reverse(), "1.0"), renderSchema(SCHEMA, "1.0"));
});

test("a schema that names a type without defining it is refused with the type and its path", () => {
	const broken: SchemaEntity[] = [{ "meta-type": "event", name: "LOST", "arg-type": "5" }];
	assert.throws(() => renderSchema(broken, "1.0"), /'5' at LostEvent/);
});

test("a real QEMU gives the same bytes each time, and those of schema.gen.ts when it is the same version", () => {
	const directory = mkdtempSync(join(tmpdir(), "qapi-"));
	try {
		const files = ["first.ts", "second.ts"].map((name) => join(directory, name));
		for (const file of files)
			execFileSync(process.execPath, [join(import.meta.dirname, "generate.ts"), "qemu-system-x86_64", file]);
		const [first = "", second] = files.map((file) => readFileSync(file, "utf8"));
		assert.equal(first, second);
		const stored = readFileSync(join(import.meta.dirname, "schema.gen.ts"), "utf8");
		const headOf = (text: string) => text.slice(0, text.indexOf("\n"));
		if (headOf(first) === headOf(stored)) assert.equal(first, stored);
	} finally {
		rmSync(directory, { recursive: true });
	}
});
