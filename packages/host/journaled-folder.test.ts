// Files behind a journal: what a killed process leaves, what a power cut leaves, and what is done about it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { isVirtError } from "@virtkit/testing/expect-error";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { JournaledFolder } from "./journaled-folder.ts";

/** The journal as another boot of the machine would have left it. */
function ofAnotherBoot(journal: string): void {
	const bytes = readFileSync(journal);
	const half = bytes.length / 2;
	changeBoot(bytes.subarray(0, half));
	changeBoot(bytes.subarray(half));
	writeFileSync(journal, bytes);
}

function changeBoot(bytes: Buffer): void {
	for (let at = 0; at + 8 < bytes.length; ) {
		const length = bytes.readUInt32LE(at);
		if (length === 0 || at + 8 + length > bytes.length) break;
		const body = bytes.subarray(at + 8, at + 8 + length);
		body.write(body.toString().replace(/"boot":"[^"]*"/, (found) => found.replace(/[0-9a-f]/g, "0")));
		bytes.writeUInt32LE(crc32(body), at + 4);
		at += 8 + length;
	}
}

test("files are written and removed at once, and the journal is gone when the folder is closed", async () => {
	using place = temporaryFolder();
	using journals = temporaryFolder();
	const folder = new JournaledFolder(place.path, journals.file("journal"));
	await Promise.all(Array.from({ length: 50 }, (_, number) => folder.write(`${number}.xml`, `text ${number}`)));
	await folder.remove("7.xml");
	await folder.remove("7.xml");
	assert.equal(readdirSync(place.path).length, 49);
	assert.equal(readFileSync(place.file("8.xml"), "utf8"), "text 8");
	await folder.close();
	assert.ok(!existsSync(journals.file("journal")));
});

test("after a power cut the last acknowledged changes are made again, and nothing else", async () => {
	using place = temporaryFolder();
	using journals = temporaryFolder();
	const journal = journals.file("journal");
	const folder = new JournaledFolder(place.path, journal);
	await folder.write("a.xml", "first");
	await folder.settle();
	await folder.write("a.xml", "second");
	await folder.write("b.xml", "torn");
	await folder.write("gone.xml", "gone");
	await folder.remove("gone.xml");
	// What a disk may have of it: an old file, an empty one, one that was removed.
	writeFileSync(place.file("a.xml"), "first");
	writeFileSync(place.file("b.xml"), "");
	writeFileSync(place.file("gone.xml"), "gone");
	writeFileSync(place.file("other.xml"), "other");
	ofAnotherBoot(journal);
	const next = new JournaledFolder(place.path, journal);
	assert.deepEqual(next.recover().sort(), ["a.xml", "b.xml", "gone.xml"]);
	assert.equal(readFileSync(place.file("a.xml"), "utf8"), "second");
	assert.equal(readFileSync(place.file("b.xml"), "utf8"), "torn");
	assert.deepEqual(readdirSync(place.path).sort(), ["a.xml", "b.xml", "other.xml"]);
	assert.deepEqual(next.recover(), []);
});

test("a process that was killed left the files as they should be: what somebody changed since stays", async () => {
	using place = temporaryFolder();
	using journals = temporaryFolder();
	const folder = new JournaledFolder(place.path, journals.file("journal"));
	await folder.write("a.xml", "ours");
	writeFileSync(place.file("a.xml"), "edited by hand");
	const next = new JournaledFolder(place.path, journals.file("journal"));
	assert.deepEqual(next.recover(), []);
	assert.equal(readFileSync(place.file("a.xml"), "utf8"), "edited by hand");
	await next.write("a.xml", "ours again");
	assert.equal(readFileSync(place.file("a.xml"), "utf8"), "ours again");
	await next.close();
});

test("a record that was not written whole ends the journal, and what was settled before is not made again", async () => {
	using place = temporaryFolder();
	using journals = temporaryFolder();
	const journal = journals.file("journal");
	const folder = new JournaledFolder(place.path, journal);
	await folder.write("old.xml", "a text that is longer than the next");
	await folder.write("older.xml", "more");
	await folder.settle();
	await folder.write("new.xml", "new");
	rmSync(place.file("old.xml"));
	rmSync(place.file("older.xml"));
	ofAnotherBoot(journal);
	assert.deepEqual(new JournaledFolder(place.path, journal).recover(), ["new.xml"]);
	assert.deepEqual(readdirSync(place.path), ["new.xml"]);
});

test("changes of many at once are all made, also where the journal is emptied meanwhile", async () => {
	using place = temporaryFolder();
	using journals = temporaryFolder();
	const journal = journals.file("journal");
	const folder = new JournaledFolder(place.path, journal);
	const long = "x".repeat(100_000);
	await Promise.all(
		Array.from({ length: 60 }, async (_, number) => {
			await folder.write(`${number}`, `${number}${long}`);
			if (number % 7 === 0) await folder.settle();
		}),
	);
	assert.equal(readdirSync(place.path).length, 60);
	const last = folder.write("last", "last");
	const settled = folder.settle();
	await Promise.all([last, settled]);
	rmSync(place.file("last"));
	ofAnotherBoot(journal);
	assert.deepEqual(new JournaledFolder(place.path, journal).recover(), ["last"]);
	assert.equal(readFileSync(place.file("last"), "utf8"), "last");
});

test("more than the journal holds is written all the same", async () => {
	using place = temporaryFolder();
	using journals = temporaryFolder();
	const folder = new JournaledFolder(place.path, journals.file("journal"));
	const long = "x".repeat(900_000);
	for (const name of ["a", "b", "c", "d"]) await folder.write(name, `${name}${long}`);
	await folder.write("huge", "y".repeat(3_000_000));
	assert.deepEqual(readdirSync(place.path).sort(), ["a", "b", "c", "d", "huge"]);
	await folder.close();
});

test("a full disk keeps the old content, also after a power cut", async () => {
	using place = temporaryFolder();
	using journals = temporaryFolder();
	execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "virtkit-test", place.path]);
	try {
		const folder = new JournaledFolder(place.path, journals.file("journal"));
		await folder.write("a.xml", "old");
		await assert.rejects(
			folder.write("a.xml", "x".repeat(100_000)),
			isVirtError("SYSTEM_ERROR", place.file("a.xml"), "No space left on device"),
		);
		assert.equal(readFileSync(place.file("a.xml"), "utf8"), "old");
		assert.deepEqual(new JournaledFolder(place.path, journals.file("journal")).recover(), []);
		await folder.close();
	} finally {
		execFileSync("umount", [place.path]);
	}
});

test("without a place for the journal, files are written the slow way", async () => {
	using place = temporaryFolder();
	const folder = new JournaledFolder(place.path, place.file("missing/journal"));
	await folder.write("a.xml", "text");
	await folder.remove("a.xml");
	assert.deepEqual(readdirSync(place.path), []);
	await folder.close();
});
