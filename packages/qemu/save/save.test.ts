// Saving, restoring and dumping real guests.

import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";

const SAVE = { running: 2, paused: 4 } as const;

async function savedGuest(driver: TestDriver, flags = 0) {
	const domain = await driver.define(tinyGuest("guest"));
	await driver.run("start", domain);
	const path = driver.path("guest.save");
	await driver.run("save", domain, flags, { path });
	return { domain, path };
}

test("a guest is saved, and goes on from the file where it was", async () => {
	await using driver = await TestDriver.start();
	const { domain, path } = await savedGuest(driver);
	assert.deepEqual(domain.state, { state: "shutoff", reason: "saved" });
	assert.equal(readFileSync(path).toString("latin1", 0, 16), "LibvirtQemudSave");
	assert.equal(statSync(path).mode & 0o777, 0o600);
	assert.deepEqual(driver.processes, []);
	const restored = await driver.driver.domains.restore({ path }, 0, driver.context);
	assert.equal(restored, domain);
	await until(() => domain.stateName === "running", "the guest runs");
	assert.deepEqual(domain.state, { state: "running", reason: "restored" });
	// How often QEMU goes over the memory is its own affair.
	const events = driver.events.filter((event) => event !== "migration-iteration");
	assert.deepEqual(events, [
		"defined added",
		"resumed unpaused",
		"started booted",
		"suspended paused",
		"job-completed",
		"stopped saved",
		"started restored",
		"resumed from-snapshot",
	]);
	assert.ok(existsSync(path));
});

test("what the balancer holds of a guest's memory is not what its user wants, which the image says", async () => {
	await using driver = await TestDriver.start();
	const xml = tinyGuest("guest").replace("memballoon model='none'", "memballoon model='virtio'");
	const domain = await driver.define(xml);
	await driver.run("start", domain);
	const run = domain.activeRun();
	assert.equal(run.wantedMemory, 32 * 1024);
	run.live.def.currentMemory = 16 * 1024;
	run.live.changed();
	const path = driver.path("guest.save");
	await driver.run("save", domain, 0, { path });
	const text = await driver.driver.domains.saveImageXml(path, 0, driver.context);
	assert.match(text, /<currentMemory unit='KiB'>32768<\/currentMemory>/);
	await driver.driver.domains.restore({ path }, 0, driver.context);
	assert.equal(domain.activeRun().wantedMemory, 32 * 1024);
	assert.match(await driver.run("xml", domain), /<currentMemory unit='KiB'>32768<\/currentMemory>/);
});

test("a transient guest is gone once saved, and is transient again once restored", async () => {
	await using driver = await TestDriver.start();
	const domain = await driver.create(tinyGuest("passing"));
	const path = driver.path("passing.save");
	await driver.run("save", domain, 0, { path });
	assert.equal(driver.driver.domains.byName("passing"), undefined);
	const restored = await driver.driver.domains.restore({ path }, SAVE.paused, driver.context);
	assert.equal(restored.persistent, false);
	assert.equal(restored.uuid, domain.uuid);
	assert.equal(restored.stateName, "paused");
	assert.equal(driver.events.at(-1), "suspended restored");
	await driver.run("destroy", restored);
	assert.equal(driver.driver.domains.byName("passing"), undefined);
});

test("flags and the image's definition decide whether a restored guest runs", async () => {
	await using driver = await TestDriver.start();
	const { domain, path } = await savedGuest(driver, SAVE.paused);
	const { domains } = driver.driver;
	await domains.restore({ path }, 0, driver.context);
	assert.equal(domain.stateName, "paused");
	await driver.run("destroy", domain);
	await domains.restore({ path }, SAVE.running, driver.context);
	await until(() => domain.stateName === "running", "the guest runs");
	await driver.run("destroy", domain);
	await domains.defineSaveImageXml(
		path,
		await domains.saveImageXml(path, 1, driver.context),
		SAVE.running,
		driver.context,
	);
	await domains.restore({ path }, 0, driver.context);
	await until(() => domain.stateName === "running", "the guest runs");
	await assert.rejects(
		async () => domains.restore({ path }, 0, driver.context),
		isVirtError("OPERATION_INVALID", "domain 'guest' is already active"),
	);
	await assert.rejects(
		async () => domains.restore({ path }, SAVE.paused | SAVE.running, driver.context),
		isVirtError("INVALID_ARG", "mutually exclusive"),
	);
});

test("the definition in an image can be replaced by one that the guest sees no difference in", async () => {
	await using driver = await TestDriver.start();
	const { path } = await savedGuest(driver);
	const { domains } = driver.driver;
	const xml = await domains.saveImageXml(path, 0, driver.context);
	assert.match(xml, /<name>guest<\/name>/);
	const titled = xml.replace("</uuid>", "</uuid>\n  <title>edited</title>");
	await domains.defineSaveImageXml(path, titled, 0, driver.context);
	assert.match(await domains.saveImageXml(path, 0, driver.context), /<title>edited<\/title>/);
	const bigger = xml.replace(/(<memory unit='KiB'>)\d+/, "$165536");
	await assert.rejects(
		async () => domains.defineSaveImageXml(path, bigger, 0, driver.context),
		isVirtError("CONFIG_UNSUPPORTED", "Target domain max memory 65536 does not match source 32768"),
	);
	const huge = xml.replace("</uuid>", `</uuid>\n  <description>${"x".repeat(80_000)}</description>`);
	await assert.rejects(
		async () => domains.defineSaveImageXml(path, huge, 0, driver.context),
		isVirtError("OPERATION_FAILED", "new xml too large to fit in file"),
	);
	const other = xml.replace("</uuid>", "</uuid>\n  <title>for this once</title>");
	const domain = await domains.restore({ path, xml: other }, 0, driver.context);
	assert.match(await driver.run("xml", domain), /<title>for this once<\/title>/);
});

test("a managed save is what the next start goes on from, once", async () => {
	await using driver = await TestDriver.start();
	const domain = await driver.define(tinyGuest("guest"));
	await driver.run("start", domain);
	await driver.run("managedSave", domain);
	const path = driver.path("lib/qemu/save/guest.save");
	assert.ok(existsSync(path));
	assert.equal(await driver.run("hasManagedSave", domain), true);
	assert.match(await driver.run("managedSaveXml", domain), /<name>guest<\/name>/);
	driver.events.length = 0;
	await driver.run("start", domain);
	await until(() => domain.stateName === "running", "the guest runs");
	assert.deepEqual(driver.events, ["started restored", "resumed from-snapshot"]);
	assert.equal(await driver.run("hasManagedSave", domain), false);
	await assert.rejects(
		driver.run("managedSaveXml", domain),
		isVirtError("OPERATION_INVALID", "domain does not have managed save image"),
	);
	await driver.run("managedSave", domain);
	driver.events.length = 0;
	await driver.run("start", domain, 1);
	assert.deepEqual(driver.events, ["started restored", "suspended paused"]);
	assert.deepEqual(domain.state, { state: "paused", reason: "user" });
	await driver.run("managedSave", domain);
	driver.events.length = 0;
	await driver.run("start", domain, 8);
	assert.ok(driver.events.includes("started booted"));
	assert.ok(!existsSync(path));
	await driver.run("managedSave", domain);
	await driver.run("removeManagedSave", domain);
	assert.ok(!existsSync(path));
});

test("a managed save that was never finished is thrown away, a broken one is kept and told", async () => {
	await using driver = await TestDriver.start();
	const domain = await driver.define(tinyGuest("guest"));
	await driver.run("start", domain);
	await driver.run("managedSave", domain);
	const path = driver.path("lib/qemu/save/guest.save");
	const whole = readFileSync(path);
	writeFileSync(path, "garbage".repeat(100));
	await assert.rejects(driver.run("start", domain), isVirtError("OPERATION_FAILED", "image magic is incorrect"));
	assert.ok(existsSync(path));
	writeFileSync(path, whole);
	truncateSync(path, whole.length >> 1);
	await assert.rejects(driver.run("start", domain));
	assert.equal(domain.stateName, "shutoff");
	assert.ok(existsSync(path));
	assert.deepEqual(driver.processes, []);
	whole.write("LibvirtQemudPart", "latin1");
	writeFileSync(path, whole);
	await assert.rejects(
		async () => driver.driver.domains.restore({ path }, 0, driver.context),
		isVirtError("OPERATION_FAILED", "save image is incomplete"),
	);
	driver.events.length = 0;
	await driver.run("start", domain);
	assert.ok(driver.events.includes("started booted"));
	assert.ok(!existsSync(path));
});

test("a save that fails leaves the guest running and no file", async () => {
	await using driver = await TestDriver.start();
	const domain = await driver.define(tinyGuest("guest"));
	await driver.run("start", domain);
	await assert.rejects(
		driver.run("save", domain, 0, { path: driver.path("no/such/folder") }),
		isVirtError("SYSTEM_ERROR", "Failed to create file"),
	);
	await until(() => domain.stateName === "running", "the guest goes on");
	assert.deepEqual(domain.state, { state: "running", reason: "save-canceled" });
	await assert.rejects(
		driver.run("save", domain, 0, { path: "/dev/full" }),
		isVirtError("SYSTEM_ERROR", "No space left on device"),
	);
	await until(() => domain.stateName === "running", "the guest goes on");
	assert.equal(domain.lock.free, true);
	await mkdir(driver.path("folder"));
	await assert.rejects(driver.run("save", domain, 0, { path: driver.path("folder") }), isVirtError("SYSTEM_ERROR"));
});

test("packed images are written and read by the host's programs", async () => {
	await using driver = await TestDriver.start();
	const domain = await driver.define(tinyGuest("guest"));
	const path = driver.path("guest.save");
	for (const format of ["gzip", "xz"]) {
		await driver.run("start", domain);
		await driver.run("save", domain, 0, { path, format });
		await driver.driver.domains.restore({ path }, 0, driver.context);
		await until(() => domain.stateName === "running", `the guest runs from its ${format} image`);
		await driver.run("destroy", domain);
	}
	await driver.run("start", domain);
	await assert.rejects(
		driver.run("save", domain, 0, { path, format: "zip" }),
		isVirtError("OPERATION_FAILED", "Invalid save image format 'zip'"),
	);
});

test("a finished save has statistics that are told once", async () => {
	await using driver = await TestDriver.start();
	const { domain } = await savedGuest(driver);
	const kept = await driver.run("jobStats", domain, 3);
	assert.equal(kept.type, 3);
	const fields = new Map(kept.params.map(({ field, value }) => [field, value.value]));
	assert.equal(fields.get("operation"), 2);
	assert.ok((fields.get("memory_total") as bigint) >= 32n << 20n);
	assert.equal((await driver.run("jobStats", domain, 1)).type, 3);
	assert.equal((await driver.run("jobStats", domain, 1)).type, 0);
});
