// The layer check on small trees.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LAYERS, type Layer } from "../layers.ts";
import { formatFinding } from "./check.ts";
import { fakeTree } from "./fake-tree.ts";
import { checkLayers, checkTable } from "./layers.ts";

const TABLE: readonly Layer[] = [
	{ folder: "packages/low", imports: [] },
	{ folder: "packages/mid", imports: [], types: ["packages/low"] },
	{ folder: "packages/high", imports: ["packages/low", "packages/mid"] },
	{ folder: "apps/x", imports: ["packages/high/c.ts"] },
];

function findings(files: Record<string, string>): string[] {
	using tree = fakeTree(files);
	return checkLayers(tree, TABLE).map(formatFinding);
}

test("imports down the table, inside a package, and of tests' helpers are fine", () => {
	const found = findings({
		"packages/low/a.ts": 'import { b } from "./b.ts"; import fs from "node:fs";',
		"packages/low/b.ts": "export const b = 1;",
		"packages/high/c.ts": 'export { b } from "@virtkit/low/b"; export type { D } from "@virtkit/mid/d";',
		"packages/mid/d.ts": 'import type { b } from "@virtkit/low/b"; export type D = typeof b;',
	});
	assert.deepEqual(found, []);
});

test("a single file may be lent, and lends no other of its folder", () => {
	const found = findings({
		"packages/high/c.ts": "",
		"packages/high/d.ts": "",
		"apps/x/main.ts": 'import "@virtkit/high/c";\nimport "@virtkit/high/d";',
	});
	assert.deepEqual(found, ["apps/x/main.ts:2: apps/x may not import packages/high (tools/layers.ts)"]);
});

test("an import up the table is found, with its line", () => {
	const found = findings({
		"packages/low/a.ts": '\n\nimport { c } from "@virtkit/high/c";',
		"packages/high/c.ts": "export const c = 1;",
	});
	assert.deepEqual(found, ["packages/low/a.ts:3: packages/low may not import packages/high (tools/layers.ts)"]);
});

test("dynamic imports and exports from elsewhere are imports too", () => {
	const found = findings({
		"packages/low/a.ts": 'await import("@virtkit/high/c");\nexport { c } from "@virtkit/high/c";',
		"packages/high/c.ts": "export const c = 1;",
	});
	assert.equal(found.length, 2);
});

test("a folder of which only types may be imported lends no values", () => {
	const found = findings({
		"packages/low/b.ts": "export const b = 1; export type B = 1;",
		"packages/mid/d.ts": 'import { type B, b } from "@virtkit/low/b";',
	});
	assert.deepEqual(found, ["packages/mid/d.ts:1: packages/mid may import types only of packages/low"]);
});

test("a relative path into another package is found, allowed or not", () => {
	const found = findings({
		"packages/low/b.ts": "export const b = 1;",
		"packages/high/c.ts": 'import { b } from "../low/b.ts";',
	});
	assert.deepEqual(found, [
		"packages/high/c.ts:1: '../low/b.ts' reaches into another package; import it by its name, @virtkit/…",
	]);
});

test("files that import each other are told once, and neither types nor import() make a circle", () => {
	const circle = findings({
		"packages/low/a.ts": 'import "./b.ts";',
		"packages/low/b.ts": 'import "./c.ts";',
		"packages/low/c.ts": 'import "./a.ts"; import "./b.ts";',
	});
	assert.equal(circle.length, 1);
	assert.match(circle[0] ?? "", /imports itself through packages\/low\//);
	const types = findings({
		"packages/low/a.ts": 'import type { B } from "./b.ts"; export type A = B;',
		"packages/low/b.ts": 'import { type A } from "./a.ts"; export type B = A; const later = () => import("./a.ts");',
	});
	assert.deepEqual(types, []);
});

test("a source file in no folder of the table is found", () => {
	assert.deepEqual(findings({ "stray/x.ts": "" }), ["stray/x.ts: belongs to no row of tools/layers.ts"]);
});

test("the table itself only names rows above", () => {
	assert.deepEqual(checkTable(LAYERS), []);
	const upward: Layer[] = [
		{ folder: "a", imports: ["b"] },
		{ folder: "b", imports: [] },
	];
	assert.equal(checkTable(upward).length, 1);
});
