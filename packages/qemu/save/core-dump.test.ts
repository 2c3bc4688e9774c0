// Core dumps of real guests.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";

const DUMP = { crash: 1, live: 2, reset: 8, memoryOnly: 16 } as const;

async function runningGuest(driver: TestDriver) {
	const domain = await driver.define(tinyGuest("guest"));
	await driver.run("start", domain);
	return { domain, path: driver.path("dump") };
}

test("a memory dump is an ELF or kdump file, and the guest goes on", async () => {
	await using driver = await TestDriver.start();
	const { domain, path } = await runningGuest(driver);
	driver.events.length = 0;
	await driver.run("coreDump", domain, DUMP.memoryOnly, { path, format: 0 });
	assert.equal(readFileSync(path).toString("latin1", 0, 4), "\x7fELF");
	await until(() => domain.stateName === "running", "the guest goes on");
	assert.deepEqual(driver.events, ["suspended paused", "resumed unpaused"]);
	const { type, params } = await driver.run("jobStats", domain, 1);
	assert.deepEqual(
		[type, params.map(({ field }) => field)],
		[3, ["operation", "time_elapsed", "memory_total", "memory_processed", "memory_remaining"]],
	);
	await driver.run("coreDump", domain, DUMP.memoryOnly, { path, format: 1 });
	assert.equal(readFileSync(path).toString("latin1", 0, 12), "makedumpfile");
});

test("a whole dump is a stream of QEMU's state; a live one does not stop the guest first", async () => {
	await using driver = await TestDriver.start();
	const { domain, path } = await runningGuest(driver);
	for (const flags of [0, DUMP.live]) {
		await driver.run("coreDump", domain, flags, { path, format: 0 });
		assert.equal(readFileSync(path).toString("latin1", 0, 4), "QEVM");
		await until(() => domain.stateName === "running", "the guest goes on");
	}
	driver.events.length = 0;
	await driver.run("coreDump", domain, DUMP.reset, { path, format: 0 });
	await until(() => domain.stateName === "running", "the guest goes on");
	assert.ok(driver.events.includes("reboot"));
});

test("a guest that was paused stays so, and one dumped to crash ends", async () => {
	await using driver = await TestDriver.start();
	const { domain, path } = await runningGuest(driver);
	await driver.run("suspend", domain);
	await driver.run("coreDump", domain, 0, { path, format: 0 });
	assert.deepEqual(domain.state, { state: "paused", reason: "user" });
	await driver.run("resume", domain);
	await driver.run("coreDump", domain, DUMP.crash, { path, format: 0 });
	assert.deepEqual(domain.state, { state: "shutoff", reason: "crashed" });
	assert.equal(driver.events.at(-1), "stopped crashed");
});

test("formats that do not fit are refused, the guest goes on, and no file is left", async () => {
	await using driver = await TestDriver.start();
	const { domain, path } = await runningGuest(driver);
	const dump = (flags: number, format: number) => driver.run("coreDump", domain, flags, { path, format });
	await assert.rejects(dump(0, 1), isVirtError("OPERATION_UNSUPPORTED", "only supported with memory-only dump"));
	await assert.rejects(dump(DUMP.memoryOnly, 9), isVirtError("INVALID_ARG", "unknown dumpformat '9'"));
	await assert.rejects(dump(DUMP.crash | DUMP.live, 0), isVirtError("INVALID_ARG", "crash and live"));
	await until(() => domain.stateName === "running", "the guest goes on");
	assert.ok(!existsSync(path));
});
