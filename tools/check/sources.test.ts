// The checks of sources' purity, size, openings and portability, on small trees.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFinding } from "./check.ts";
import { fakeTree } from "./fake-tree.ts";
import { functionsOf } from "./functions.ts";
import { checkOpenings } from "./opening.ts";
import { checkPortable } from "./portable.ts";
import { checkPurity } from "./purity.ts";
import { checkSize } from "./size.ts";

test("a pure package may import what computes, not what does I/O; its tests may", () => {
	using tree = fakeTree({
		"packages/p/a.ts": 'import { inspect } from "node:util";\nimport { readFileSync } from "node:fs";',
		"packages/p/a.test.ts": 'import { readFileSync } from "node:fs";',
		"packages/p/excepted.ts": 'import net from "node:net";',
		"packages/p/types.ts": 'import type { Socket } from "node:net";',
		"packages/q/b.ts": 'import net from "node:net";',
	});
	const found = checkPurity(tree, ["packages/p"], ["packages/p/excepted.ts"]);
	assert.deepEqual(found.map(formatFinding), ["packages/p/a.ts:2: a pure package imports node:fs"]);
});

test("functions are found in every form, with their names and lines", () => {
	using tree = fakeTree({
		"a.ts": [
			"function one() {",
			"}",
			"const two = () => {",
			"\treturn 2;",
			"};",
			"const short = () => 2;",
			"class C {",
			"\tthree(): void {",
			"\t\tone();",
			"\t}",
			"}",
			"const table = { four() {}, five: function () {",
			"} };",
			"two.map((x) => {",
			"});",
		].join("\n"),
	});
	const found = functionsOf(tree, "a.ts").map(({ name, line, lines }) => [name, line, lines]);
	assert.deepEqual(found, [
		["one", 1, 2],
		["two", 3, 3],
		["three", 8, 3],
		["four", 12, 1],
		["five", 12, 2],
		["line 14", 14, 2],
	]);
});

test("files and functions over the limits are found, unless excepted; medians leave tests out", () => {
	const long = `function long() {\n${"\t0;\n".repeat(4)}}\n`;
	using tree = fakeTree({
		"packages/a.ts": long,
		"packages/b.ts": `${"// A line.\n".repeat(12)}`,
		"packages/c.ts": `${"// A line.\n".repeat(12)}${long}`,
		"packages/d.test.ts": `${"// A line.\n".repeat(9)}`,
	});
	const limits = { file: 10, function: 5 };
	const { findings, note } = checkSize(tree, { limits, files: ["packages/c.ts"], functions: ["packages/c.ts#long"] });
	assert.deepEqual(findings.map(formatFinding), [
		"packages/b.ts: 12 lines; at most 10",
		"packages/a.ts:1: function long has 6 lines; at most 5",
	]);
	assert.equal(note, "median file 12 lines, function 6");
});

test("a source that opens with no sentence is found", () => {
	using tree = fakeTree({
		"good.ts": "// What it is for.\n\nexport {};\n",
		"long.ts": "// What it is for, in\n// two lines.\n",
		"block.ts": "/**\n * What it is for.\n */\n",
		"script.sh": "#!/bin/sh\n# What it is for.\n",
		"script.py": '#!/usr/bin/env python3\n"""What it is for."""\n',
		"bare.ts": 'import "./good.ts";\n',
		"label.ts": "// helpers\n",
		"bare.sh": "#!/bin/sh\necho\n",
		"made.gen.ts": "export {};\n",
		"data.json": "{}\n",
	});
	assert.deepEqual(
		checkOpenings(tree).map(({ file }) => file),
		["bare.ts", "label.ts", "bare.sh"],
	);
});

test("folders of one machine and registries' hosts are found in every text file", () => {
	using tree = fakeTree({
		"docs/page.md": `See ${"/work"}/main and /work/x, /network/main.\n`,
		"a.json": `{"resolved": "${"http"}s://example.net/x.tgz"}\n`,
		"b.txt": `fine: https://example.net\n\nregistry.${"npmjs"}.org\n`,
		"image.bin": `\0${"/work"}/main`,
	});
	const found = checkPortable(tree).map(({ file, line }) => [file, line]);
	assert.deepEqual(found, [
		["a.json", 1],
		["b.txt", 3],
		["docs/page.md", 1],
	]);
});
