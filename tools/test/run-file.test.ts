// The test runner on small test files: what passes, fails, is skipped, hangs, leaves things behind.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { processesOf } from "./leftovers.ts";
import { type FileResult, runFile } from "./run-file.ts";
import { countTests, formatCounts, formatFile, formatSummary } from "./summary.ts";

const HEAD = 'import { describe, test } from "node:test"; import assert from "node:assert/strict";\n';

async function run(text: string, more: { timeout?: number; titlePattern?: string } = {}): Promise<FileResult> {
	const root = mkdtempSync(join(tmpdir(), "r-"));
	try {
		writeFileSync(join(root, "x.test.ts"), HEAD + text);
		const { signal } = new AbortController();
		return await runFile({
			root,
			path: "x.test.ts",
			folder: join(root, "0"),
			cache: root,
			timeout: 60,
			signal,
			...more,
		});
	} finally {
		rmSync(root, { recursive: true });
	}
}

const outcomes = (result: FileResult) => result.records.map(({ title, outcome }) => `${outcome}: ${title}`);

test("each test counts once, groups of tests and tests that failed within do not", async () => {
	const result = await run(`
		test("fine", () => {});
		test("outer", async (t) => {
			await t.test("inner fine", () => {});
			await t.test("inner bad", () => assert.equal(1, 2));
		});
		describe("group", () => { test("member", () => {}); });
		test("later", { skip: "no such device" }, () => {});
		test("some day", { todo: true }, () => assert.fail());
	`);
	assert.deepEqual(outcomes(result), [
		"passed: fine",
		"passed: outer › inner fine",
		"failed: outer › inner bad",
		"passed: group › member",
		"skipped: later",
		"skipped: some day",
	]);
	assert.equal(formatCounts(countTests([result])), "3 passed, 1 failed, 2 skipped");
});

test("the summary tells each failure with its error and the file's output, then skips with reasons, then the count", async () => {
	const result = await run(`
		console.log("what was printed");
		test("bad", () => { throw new Error("outer words", { cause: new Error("inner words") }); });
		test("skipped", { skip: "no KVM here" }, () => {});
	`);
	const summary = formatSummary([result]);
	for (const part of ["FAIL x.test.ts: bad", "outer words", "caused by: Error: inner words", "what was printed"]) {
		assert.ok(summary.includes(part), `${part} is missing from:\n${summary}`);
	}
	assert.match(summary, /\nskipped x\.test\.ts: skipped: no KVM here\n0 passed, 1 failed, 1 skipped$/);
	assert.match(formatFile(result), /^FAIL .* x\.test\.ts: 0 passed, 1 failed, 1 skipped$/);
});

test("a file that cannot be loaded, exits early or has no test has failed", async () => {
	assert.deepEqual(outcomes(await run('import "./nowhere.ts"; test("x", () => {});')), ["failed: the file runs"]);
	assert.deepEqual(outcomes(await run("process.exit(3);")), ["failed: the file runs"]);
	assert.deepEqual(outcomes(await run("")), ["failed: the file has tests"]);
	assert.deepEqual(outcomes(await run('test("x", () => {});', { titlePattern: "y" })), []);
});

test("a file that hangs is ended, with its children, and what passed before is kept", async () => {
	const text = `
		import { spawn } from "node:child_process";
		test("first", () => {});
		test("hangs", async () => { spawn("sleep", ["1000"]); await new Promise((r) => setTimeout(r, 1e6)); });
	`;
	const result = await run(text, { timeout: 2 });
	assert.equal(result.records.at(-1)?.title, "the file ends in time");
	assert.deepEqual(processesOf(join(tmpdir(), "r-")), []);
});

test("a process that is left running is ended and told; a left file is told only", async () => {
	const result = await run(`
		import { spawn } from "node:child_process"; import { writeFileSync } from "node:fs"; import { tmpdir } from "node:os";
		test("leaves", () => {
			spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }).unref();
			writeFileSync(tmpdir() + "/litter", "");
		});
	`);
	assert.deepEqual(outcomes(result), ["passed: leaves", "failed: the file leaves no process running"]);
	assert.match(result.records[1]?.detail ?? "", /sleep 1000/);
	assert.deepEqual(result.litter, ["litter"]);
	assert.ok(!existsSync(result.path));
});
