// Saves and dumps that are aborted, or whose daemon is killed in the middle: the guest goes on.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { findProcesses } from "@virtkit/host/process";
import { isVirtError } from "@virtkit/testing/expect-error";
import { KillableDriver } from "@virtkit/testing/killable-driver";
import { CAPABILITIES_CACHE, killProcesses, TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";

/** Bytes of an image's head, about: room for a longer definition above all. */
const HEAD_BYTES = 70_000;

/** A file that takes an image's head and then no more than a pipe holds, so that QEMU stands in the middle until it is drained. */
async function slowFile(path: string) {
	execFileSync("mkfifo", [path]);
	const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
	let reading = true;
	const drain = async (limit = Number.POSITIVE_INFINITY) => {
		const buffer = Buffer.alloc(1 << 20);
		for (let read = 0; reading && read < limit; ) {
			const wanted = Math.min(buffer.length, limit - read);
			read += (await file.read(buffer, 0, wanted, null).catch(() => undefined))?.bytesRead ?? 0;
			await delay(1);
		}
	};
	const head = drain(HEAD_BYTES);
	return {
		/** Reads and forgets everything from now on. */
		drain: () => head.then(() => drain()),
		[Symbol.asyncDispose]: async () => {
			reading = false;
			await delay(5);
			await file.close();
		},
	};
}

for (const [what, start] of [
	["save", (driver, domain, path) => driver.run("save", domain, 0, { path })],
	["core dump", (driver, domain, path) => driver.run("coreDump", domain, 0, { path, format: 0 })],
] as const satisfies readonly [
	string,
	(driver: TestDriver, domain: Awaited<ReturnType<TestDriver["define"]>>, path: string) => Promise<void>,
][])
	test(`a ${what} under way is watched and aborted, and the guest goes on`, async () => {
		await using driver = await TestDriver.start();
		const domain = await driver.define(tinyGuest("guest"));
		await driver.run("start", domain);
		await assert.rejects(driver.run("abortJob", domain), isVirtError("OPERATION_INVALID", "no job is active"));
		const path = driver.path("slow");
		await using file = await slowFile(path);
		const ended = start(driver, domain, path);
		ended.catch(() => undefined);
		await until(async () => {
			const { type, params } = await driver.run("jobStats", domain);
			return type === 2 && params.some(({ field }) => field === "memory_constant");
		}, "a job under way");
		assert.deepEqual(domain.state, { state: "paused", reason: what === "save" ? "save" : "dump" });
		await driver.run("abortJob", domain);
		void file.drain();
		await assert.rejects(ended, isVirtError("OPERATION_ABORTED", "canceled by client"));
		await until(() => domain.stateName === "running", "the guest goes on");
		assert.equal((await driver.run("jobStats", domain)).type, 0);
		await driver.run("suspend", domain);
	});

test("a guest whose daemon is killed while it is saved goes on under the next daemon", async () => {
	using folder = temporaryFolder("virtkit-save-");
	const marker = join(folder.path, "lib/qemu/domain-");
	using _guests = { [Symbol.dispose]: () => killProcesses(marker) };
	const saved = folder.file("lib/qemu/save/guest.save");
	const before = await KillableDriver.start(folder.path, CAPABILITIES_CACHE);
	await before.run({ do: "define", xml: tinyGuest("guest") });
	await before.run({ do: "start", name: "guest" });
	await using file = await slowFile(saved);
	before.run({ do: "managedSave", name: "guest" }).catch(() => undefined);
	await until(async () => (await before.list())[0]?.state === "paused", "a guest that stands still");
	await before.kill();
	const [process] = findProcesses(marker);
	void file.drain();
	await using driver = await KillableDriver.start(folder.path, CAPABILITIES_CACHE);
	await until(async () => (await driver.list())[0]?.state === "running", "the guest goes on");
	assert.deepEqual(
		findProcesses(marker).map((found) => found.pid),
		[process?.pid],
	);
	await driver.run({ do: "suspend", name: "guest" });
	await driver.run({ do: "destroy", name: "guest" });
});
