// The CPU that a running guest's definition shows.

import assert from "node:assert/strict";
import test from "node:test";
import { TestDriver, tinyGuest } from "@virtkit/testing/qemu-driver";
import { liveCpu } from "./live-cpu.ts";

test("features that differ from the model's are named with what became of them, own ones in their place", () => {
	const asked = {
		mode: "custom" as const,
		match: "minimum" as const,
		model: { name: "Nehalem", fallback: "allow" as const },
		feature: [{ name: "pclmuldq", policy: "require" as const }],
	};
	const cpu = liveCpu(asked, new Set(["sse", "pclmulqdq"]), new Set(["sse", "hypervisor"]));
	assert.equal(cpu.check, "full");
	assert.equal(cpu.match, "exact");
	assert.deepEqual(cpu.model, { name: "Nehalem", fallback: "forbid" });
	assert.deepEqual(cpu.feature, [
		{ name: "pclmuldq", policy: "disable" },
		{ name: "hypervisor", policy: "require" },
	]);
	assert.equal(asked.feature[0]?.policy, "require");
});

test("a running guest shows the CPU it got, and its stored definition the one it asked for", async () => {
	await using own = await TestDriver.start();
	const more = "<cpu mode='custom'><model>Nehalem</model></cpu>";
	const guest = await own.define(tinyGuest("guest", { more }));
	await own.run("start", guest);
	const shown = await own.run("xml", guest);
	assert.match(shown, /<cpu mode='custom' match='exact' check='full'>/);
	assert.match(shown, /<feature policy='require' name='hypervisor'\/>/);
	const stored = await own.run("xml", guest, 2);
	assert.doesNotMatch(stored, /check='full'|hypervisor/);
	// What goes to another host is the CPU that was asked for.
	assert.doesNotMatch(await own.run("xml", guest, 8), /hypervisor/);
});
