// Replacing files: what a reader, a killed writer and a full disk leave.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import {
	removeFileDurablySync,
	removeStrayFiles,
	renameFileDurablySync,
	writeFileAtomically,
	writeFileAtomicallySync,
	writeFileDurably,
	writeFileDurablySync,
} from "./atomic-file.ts";

const WRITERS = {
	writeFileAtomically,
	writeFileAtomicallySync,
	writeFileDurably,
	writeFileDurablySync,
};

for (const [name, write] of Object.entries(WRITERS)) {
	test(`${name} replaces a file with the wanted mode and leaves nothing beside it`, async () => {
		using folder = temporaryFolder();
		const path = folder.file("guest.xml");
		await write(path, "old");
		await write(path, "new content", { mode: 0o640 });
		assert.equal(readFileSync(path, "utf8"), "new content");
		assert.equal(statSync(path).mode & 0o777, 0o640);
		assert.deepEqual(readdirSync(folder.path), ["guest.xml"]);
	});

	test(`${name} on a full disk fails naming the file and keeps the old content`, async () => {
		using folder = temporaryFolder();
		execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "virtkit-test", folder.path]);
		try {
			const path = folder.file("guest.xml");
			await write(path, "old");
			await assert.rejects(
				async () => write(path, Buffer.alloc(1 << 20)),
				isVirtError("SYSTEM_ERROR", path, "No space left on device"),
			);
			assert.equal(readFileSync(path, "utf8"), "old");
			assert.deepEqual(readdirSync(folder.path), ["guest.xml"]);
		} finally {
			execFileSync("umount", [folder.path]);
		}
	});

	test(`${name} into a folder that is not there fails naming the file`, async () => {
		using folder = temporaryFolder();
		const path = folder.file("missing/guest.xml");
		await assert.rejects(async () => write(path, "x"), isVirtError("SYSTEM_ERROR", path, "No such file"));
	});
}

test("what a killed writer left behind is removed at start and other files are kept", () => {
	using folder = temporaryFolder();
	writeFileSync(folder.file(".guest.xml.virtkit-new.123.1"), "half");
	writeFileSync(folder.file("guest.xml"), "whole");
	assert.deepEqual(removeStrayFiles(folder.path), [".guest.xml.virtkit-new.123.1"]);
	assert.deepEqual(readdirSync(folder.path), ["guest.xml"]);
	assert.deepEqual(removeStrayFiles(folder.file("missing")), []);
});

test("a file is renamed and removed durably, and removing it again says that there was none", () => {
	using folder = temporaryFolder();
	mkdirSync(folder.file("sub"));
	writeFileSync(folder.file("a"), "x");
	renameFileDurablySync(folder.file("a"), folder.file("sub/b"));
	assert.equal(readFileSync(folder.file("sub/b"), "utf8"), "x");
	assert.equal(removeFileDurablySync(folder.file("sub/b")), true);
	assert.equal(removeFileDurablySync(folder.file("sub/b")), false);
});
