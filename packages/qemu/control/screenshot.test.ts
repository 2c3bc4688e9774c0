// Pictures of real guests' screens, and keys pressed in them.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest } from "@virtkit/testing/qemu-driver";

test("the screen is a PNG picture, of whose file nothing is left", async () => {
	await using driver = await TestDriver.start();
	const domain = await driver.create(tinyGuest("guest", { devices: "<video><model type='vga'/></video>" }));
	const { mime, image } = await driver.run("screenshot", domain, 0, 0);
	const parts: Buffer[] = [];
	for await (const part of image) parts.push(part as Buffer);
	assert.equal(mime, "image/png");
	assert.equal(Buffer.concat(parts).toString("latin1", 1, 4), "PNG");
	assert.deepEqual(
		readdirSync(domain.activeRun().paths.work).filter((name) => name.startsWith("screendump")),
		[],
	);
	await assert.rejects(driver.run("screenshot", domain, 0, 3), isVirtError("OPERATION_INVALID", "no such screen ID"));
});

test("a guest without a screen has no picture", async () => {
	await using driver = await TestDriver.start();
	const domain = await driver.create(tinyGuest("guest", { devices: "<video><model type='none'/></video>" }));
	domain.activeRun().live.def.devices.videos = [];
	await assert.rejects(
		driver.run("screenshot", domain, 0, 0),
		isVirtError("OPERATION_INVALID", "no screens to take screenshot from"),
	);
});

test("keys are pressed, and unknown ones refused", async () => {
	await using driver = await TestDriver.start();
	const domain = await driver.create(tinyGuest("guest"));
	await driver.run("sendKey", domain, 0, { codeset: 0, holdTime: 0, keycodes: [29, 56, 111] });
	await assert.rejects(
		driver.run("sendKey", domain, 0, { codeset: 0, holdTime: 10, keycodes: [60_000] }),
		isVirtError("INTERNAL_ERROR", "cannot translate keycode"),
	);
});
