// The console of a Linux guest: typed into, and logged.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { demoDomainXml, prepareDemoGuest, READY_LINE } from "@virtkit/testing/demo-guest";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver } from "@virtkit/testing/qemu-driver";

/** Emulated Linux takes its time to boot. */
const DEADLINE_MS = 120_000;

test("one types into a Linux guest's shell, and what it prints is in the log too", async () => {
	const guest = prepareDemoGuest(join(tmpdir(), "virtkit-test-guest"));
	await using driver = await TestDriver.start();
	const domain = await driver.create(demoDomainXml(guest, { name: "demo", type: "qemu", network: false }));
	const stream = await driver.run("openConsole", domain, 0, undefined);
	let heard = "";
	const untilHeard = async (text: string, typed?: () => void) => {
		const deadline = performance.now() + DEADLINE_MS;
		while (!heard.includes(text)) {
			if (performance.now() > deadline) throw new Error(`the guest never said '${text}' but:\n${heard}`);
			typed?.();
			await delay(typed ? 500 : 20);
		}
	};
	stream.on("data", (data: Buffer) => {
		heard += data.toString("latin1");
	});
	await untilHeard(READY_LINE);
	stream.write("echo $((6 * 7))-typed\n");
	await untilHeard("42-typed");
	await assert.rejects(
		driver.run("openConsole", domain, 0, "serial0"),
		isVirtError("OPERATION_FAILED", "Active console session exists for this domain"),
	);
	assert.match(readFileSync(driver.path("log/qemu/demo-console.log"), "latin1"), /42-typed/);
	assert.ok(!(await driver.run("xml", domain)).includes("<log"));
	// Saved and restored, the shell is where it was.
	stream.write("answer=43\n");
	await untilHeard("answer=43");
	const path = driver.path("demo.save");
	await driver.run("save", domain, 0, { path });
	const restored = await driver.driver.domains.restore({ path }, 0, driver.context);
	const again = await driver.run("openConsole", restored, 0, "serial0");
	again.on("data", (data: Buffer) => {
		heard += data.toString("latin1");
	});
	// QEMU takes up to a second to see that somebody is at its terminal; what is typed before may be lost.
	await untilHeard("43-remembered", () => again.write("echo $answer-remembered\n"));
});
