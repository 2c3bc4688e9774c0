// Tests of the console log's rotation.

import assert from "node:assert/strict";
import { appendFileSync, closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import test from "node:test";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { rotateConsoleLog } from "./console-log.ts";

test("a log that grew too long is moved aside, and whoever has it open goes on at its beginning", async () => {
	using folder = temporaryFolder();
	const path = folder.file("guest-console.log");
	const settings = { logMaxSize: 10, logMaxBackups: 2 };
	const writer = openSync(path, "a");
	try {
		writeSync(writer, "short");
		await rotateConsoleLog(path, settings);
		assert.deepEqual(readdirSync(folder.path), ["guest-console.log"]);
		for (const text of [" and then long", "second too long", "third too long"]) {
			writeSync(writer, text);
			await rotateConsoleLog(path, settings);
			assert.equal(readFileSync(path, "utf8"), "");
		}
		writeSync(writer, "now");
	} finally {
		closeSync(writer);
	}
	assert.equal(readFileSync(path, "utf8"), "now");
	assert.equal(readFileSync(`${path}.0`, "utf8"), "third too long");
	assert.equal(readFileSync(`${path}.1`, "utf8"), "second too long");
	assert.equal(readdirSync(folder.path).length, 3);
});

test("without backups a log that grew too long begins anew, and one that is not there is no error", async () => {
	using folder = temporaryFolder();
	const path = folder.file("guest-console.log");
	await rotateConsoleLog(path, { logMaxSize: 1, logMaxBackups: 0 });
	appendFileSync(path, "text");
	await rotateConsoleLog(path, { logMaxSize: 1, logMaxBackups: 0 });
	assert.deepEqual(readdirSync(folder.path), ["guest-console.log"]);
	assert.equal(readFileSync(path, "utf8"), "");
});
