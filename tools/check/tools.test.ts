// What is read off the reports of the tools that checks run, and the reach of programs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFinding } from "./check.ts";
import { checkReached, unusedIn } from "./dead-code.ts";
import { duplicatesIn } from "./duplicates.ts";
import { fakeTree } from "./fake-tree.ts";
import { parseAnnotations } from "./format.ts";
import { parseDiagnostics } from "./types.ts";

test("Biome's annotations become findings relative to the tree, each once", () => {
	const row = "::error title=lint/style/useConst,file=/r/a/b.ts,line=3,endLine=3,col=1,endColumn=2::Use const.";
	const found = parseAnnotations(`noise\n${row}\n${row}\n`, "/r");
	assert.deepEqual(found.map(formatFinding), ["a/b.ts:3: Use const. (lint/style/useConst)"]);
});

test("the compiler's diagnostics become findings with all their lines", () => {
	const found = parseDiagnostics("a.ts(3,5): error TS2322: No.\n  Because.\nb.ts(1,1): error TS1: Bad.\n");
	assert.deepEqual(found.map(formatFinding), ["a.ts:3: TS2322: No.\n  Because.", "b.ts:1: TS1: Bad."]);
});

test("repetition is found between sources, and between a source and a test, not between tests", () => {
	const at = (name: string) => ({ name, start: 1, end: 9 });
	const pairs = [
		[at("./a.ts"), at("b.ts")],
		[at("a.ts"), at("b.test.ts")],
		[at("a.test.ts"), at("tests/x.ts")],
	] as const;
	const report = {
		duplicates: pairs.map(([firstFile, secondFile]) => ({ firstFile, secondFile })),
		statistics: { total: { percentage: 1 } },
	};
	assert.deepEqual(duplicatesIn(report).map(formatFinding), [
		"a.ts:1: lines 1-9 stand also in b.ts:1-9",
		"a.ts:1: lines 1-9 stand also in b.test.ts:1-9",
	]);
});

test("unused exports are told, those offered to others are not", () => {
	const issue = (file: string) => ({ file, exports: [{ name: "x", line: 4 }], types: [{ name: "T", line: 5 }] });
	const issues = ["packages/a/a.ts", "packages/sdk/b.ts", "packages/model/c.ts", "tools/d.ts"].map(issue);
	const found = unusedIn({ issues }, { all: ["packages/sdk", "tools/d.ts"], types: ["packages/model"] });
	assert.deepEqual(found.map(formatFinding), [
		"packages/a/a.ts:4: exports what nobody imports: x",
		"packages/a/a.ts:5: exports a type that nobody imports: T",
		"packages/model/c.ts:4: exports what nobody imports: x",
	]);
});

test("files that no program reaches are dead, helpers of tests are not", () => {
	using tree = fakeTree({
		"apps/cli/main.ts": 'import "./used.ts"; const later = () => import("@virtkit/a/later");',
		"apps/cli/used.ts": "",
		"packages/a/later.ts": "",
		"packages/a/fake-x.ts": "",
		"packages/a/tested.ts": "",
		"packages/a/a.test.ts": 'import "./tested.ts"; import "./fake-x.ts";',
		"packages/a/dead.ts": "",
		"packages/sdk/offered.ts": "",
	});
	const found = checkReached(tree, ["apps/cli/main.ts"], ["packages/sdk"]);
	assert.deepEqual(found.map(formatFinding), [
		"packages/a/dead.ts: is imported by nothing",
		"packages/a/tested.ts: is imported by tests only",
	]);
});
