// The examples of docs/sdk.md, run as they stand against a real daemon: they print what the page says they print.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";

const root = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const PAGE = readFileSync(root("docs/sdk.md"), "utf8");

/** A heading of the page, the program below it and what it prints. */
const EXAMPLES = [...PAGE.matchAll(/^## ([^\n]+)$[^#]*?^```ts\n(.*?)^```\n\n```text\n(.*?)^```$/gms)].map(
	([, heading = "", program = "", printed = ""]) => ({ heading, program, printed }),
);

let daemon: TestDaemon;
before(async () => {
	daemon = await startDaemon();
});
after(() => daemon[Symbol.asyncDispose]());

test("every example of the page is a program with what it prints", () => {
	assert.equal(EXAMPLES.length, [...PAGE.matchAll(/^```ts$/gm)].length);
	for (const { program } of EXAMPLES) assert.match(program, /"qemu:\/\/\/system"/);
});

for (const { heading, program, printed } of EXAMPLES)
	test(`${heading}: the example prints what the page says`, async () => {
		using folder = temporaryFolder();
		const file = folder.file("example.ts");
		// Outside the repository, its packages are found by path.
		const runnable = program
			.replaceAll(/"@virtkit\/([^"]+)"/g, (_, path: string) => JSON.stringify(root(`packages/${path}.ts`)))
			.replaceAll('"qemu:///system"', JSON.stringify(daemon.uri));
		writeFileSync(file, runnable);
		const { stdout } = await promisify(execFile)(process.execPath, [file]);
		assert.equal(stdout, printed);
	});
