// A daemon that is killed: what its successor finds, takes over and cleans up.

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { findProcesses } from "@virtkit/host/process";
import { KillableDriver } from "@virtkit/testing/killable-driver";
import { CAPABILITIES_CACHE, killProcesses, tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";

/** A folder whose guests end with it. */
function instance() {
	const folder = temporaryFolder("virtkit-adopt-");
	const marker = join(folder.path, "lib/qemu/domain-");
	return {
		path: folder.path,
		start: () => KillableDriver.start(folder.path, CAPABILITIES_CACHE),
		guests: () => findProcesses(marker).map(({ pid }) => pid),
		[Symbol.dispose]: () => {
			killProcesses(marker);
			folder[Symbol.dispose]();
		},
	};
}

test("guests outlive a daemon that is killed, and are taken over with their states", async () => {
	using own = instance();
	{
		await using driver = await own.start();
		await driver.run({ do: "define", xml: tinyGuest("stored") });
		await driver.run({ do: "start", name: "stored" });
		await driver.run({ do: "create", xml: tinyGuest("transient") });
		await driver.run({ do: "suspend", name: "transient" });
		await driver.run({ do: "define", xml: tinyGuest("off") });
		await driver.kill();
	}
	const before = own.guests();
	assert.equal(before.length, 2);
	await using driver = await own.start();
	assert.deepEqual(own.guests(), before);
	assert.deepEqual(
		(await driver.list()).sort((a, b) => a.id - b.id),
		[
			{ name: "off", id: -1, state: "shutoff" },
			{ name: "stored", id: 1, state: "running" },
			{ name: "transient", id: 2, state: "paused" },
		],
	);
	await driver.run({ do: "resume", name: "transient" });
	await driver.run({ do: "destroy", name: "transient" });
	await driver.run({ do: "destroy", name: "stored" });
	assert.deepEqual(driver.events, [
		"transient: resumed unpaused",
		"transient: shutdown host",
		"transient: stopped destroyed",
		"stored: shutdown host",
		"stored: stopped destroyed",
	]);
	assert.deepEqual(own.guests(), []);
	assert.deepEqual(readdirSync(join(own.path, "run/qemu")), ["autostarted"]);
	assert.deepEqual(
		readdirSync(join(own.path, "lib/qemu")).filter((name) => name.startsWith("domain-")),
		[],
	);
	// Numbers are not used twice while a guest may be known by them.
	await driver.run({ do: "start", name: "off" });
	const started = (await driver.list()).find(({ name }) => name === "off");
	assert.ok(started && started.id > 2);
});

test("a guest that ended while no daemon was there is shut off, and its end is told", async () => {
	using own = instance();
	{
		await using driver = await own.start();
		await driver.run({ do: "define", xml: tinyGuest("guest") });
		await driver.run({ do: "start", name: "guest" });
		await driver.run({ do: "create", xml: tinyGuest("transient") });
		await driver.kill();
	}
	for (const pid of own.guests()) process.kill(pid, "SIGKILL");
	await until(() => own.guests().length === 0, "the end of the guests");
	await using driver = await own.start();
	assert.deepEqual(await driver.list(), [{ name: "guest", id: -1, state: "shutoff" }]);
	await until(() => driver.events.length === 2, "the events");
	assert.deepEqual(driver.events.toSorted(), ["guest: stopped failed", "transient: stopped failed"]);
	await driver.run({ do: "start", name: "guest" });
});

test("wherever a start is cut off by a kill, the guest runs once or not at all", async (t) => {
	using own = instance();
	{
		await using driver = await own.start();
		await driver.run({ do: "define", xml: tinyGuest("guest") });
	}
	for (let ms = 0; ms <= 60; ms += 4)
		await t.test(`killed ${ms} ms into the start`, async () => {
			{
				await using driver = await own.start();
				driver.run({ do: "start", name: "guest" }).catch(() => undefined);
				await delay(ms);
				await driver.kill();
			}
			await using driver = await own.start();
			const [guest] = await driver.list();
			assert.ok(guest);
			const processes = own.guests();
			if (guest.state === "running") {
				assert.equal(processes.length, 1);
				await driver.run({ do: "destroy", name: "guest" });
			} else {
				assert.equal(guest.state, "shutoff");
				await until(() => own.guests().length === 0, "the end of what was half started");
				assert.ok(!existsSync(join(own.path, "run/qemu/guest.xml")));
				await driver.run({ do: "start", name: "guest" });
				assert.equal(own.guests().length, 1);
				await driver.run({ do: "destroy", name: "guest" });
			}
			assert.deepEqual(own.guests(), []);
		});
});

test("a definition is whole, old or new, wherever its writing is cut off", async () => {
	using own = instance();
	const titled = (title: number) => tinyGuest("guest", { more: `<title>${title}</title>` });
	let last = 0;
	for (let round = 0; round < 10; round++) {
		await using driver = await own.start();
		const names = (await driver.list()).map(({ name }) => name);
		if (round > 0) assert.deepEqual(names, ["guest"]);
		assert.deepEqual(driver.logs, []);
		if (round === 0) await driver.run({ do: "define", xml: titled(0) });
		for (let count = 0; count < 20; count++) driver.run({ do: "define", xml: titled(++last) }).catch(() => undefined);
		await delay(1 + round * 5);
		await driver.kill();
	}
	assert.deepEqual(
		readdirSync(join(own.path, "etc/qemu")).filter((name) => name.endsWith(".xml")),
		["guest.xml"],
	);
});
