// Starts of guests with real QEMU: what they leave when they work, and that they leave nothing when they fail, wherever that is.

import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";

/** Everything of a run that must be gone when there is none. */
function traces(own: TestDriver): string[] {
	return [
		...readdirSync(own.path("run/qemu")).filter((name) => name !== "autostarted"),
		...readdirSync(own.path("lib/qemu")).filter((name) => name.startsWith("domain-")),
		...readdirSync(own.path("lib/qemu/channel/target")),
		...own.processes.map(String),
	];
}

test("a created guest runs, is listed by its number, and leaves nothing but its log when it is destroyed", async () => {
	await using own = await TestDriver.start();
	const guest = await own.create(tinyGuest("guest"));
	assert.equal(guest.id, 1);
	assert.equal(own.driver.domains.byId(1), guest);
	assert.deepEqual(guest.state, { state: "running", reason: "booted" });
	assert.equal(own.processes.length, 1);
	assert.match(await own.run("xml", guest), /^<domain type='qemu' id='1'>/);
	await own.run("destroy", guest);
	assert.equal(own.driver.domains.byName("guest"), undefined);
	assert.deepEqual(own.events, ["resumed unpaused", "started booted", "shutdown host", "stopped destroyed"]);
	assert.deepEqual(traces(own), []);
	const log = readFileSync(own.path("log/qemu/guest.log"), "utf8");
	assert.match(log, /: starting up virtkit, qemu version: \d/);
	assert.match(log, /\n-name guest=guest,/);
	assert.match(log, /: shutting down, reason=destroyed\n$/);
});

test("a guest created paused waits until it is resumed", async () => {
	await using own = await TestDriver.start();
	const guest = await own.create(tinyGuest("guest"), 1);
	assert.deepEqual(guest.state, { state: "paused", reason: "user" });
	await own.run("resume", guest);
	assert.deepEqual(guest.state, { state: "running", reason: "unpaused" });
	await own.run("suspend", guest);
	assert.deepEqual(guest.state, { state: "paused", reason: "user" });
	assert.deepEqual(own.events, ["started booted", "suspended paused", "resumed unpaused", "suspended paused"]);
});

test("a guest with autodestroy ends with its client", async () => {
	await using own = await TestDriver.start();
	const guest = await own.create(tinyGuest("guest"), 2);
	own.disconnect();
	await until(() => own.driver.domains.byName("guest") === undefined, "the end of the guest");
	assert.equal(guest.id, -1);
	assert.deepEqual(traces(own), []);
});

test("what QEMU says when it refuses to start is the error", async () => {
	await using own = await TestDriver.start();
	const xml = tinyGuest("guest")
		.replace("<domain ", "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' ")
		.replace("</domain>", "<qemu:commandline><qemu:arg value='-nonsense'/></qemu:commandline></domain>");
	await assert.rejects(own.create(xml), isVirtError("INTERNAL_ERROR", "qemu-system-x86_64: -nonsense: invalid option"));
	assert.equal(own.driver.domains.byName("guest"), undefined);
	assert.deepEqual(traces(own), []);
	assert.deepEqual(own.events, []);
});

test("a missing image is named; the domain stays, shut off because its start failed", async () => {
	await using own = await TestDriver.start();
	const disk = "<disk type='file'><source file='/nonexistent.img'/><target dev='vda' bus='virtio'/></disk>";
	const guest = await own.define(tinyGuest("guest", { devices: disk }));
	await assert.rejects(
		own.run("start", guest),
		isVirtError("SYSTEM_ERROR", "Cannot access storage file '/nonexistent.img': No such file or directory"),
	);
	assert.deepEqual(guest.state, { state: "shutoff", reason: "failed" });
	assert.deepEqual(traces(own), []);
});

test("an optional image that is missing is left out, and its absence told", async () => {
	await using own = await TestDriver.start();
	const cdrom =
		"<disk type='file' device='cdrom'><source file='/nonexistent.iso' startupPolicy='optional'/><target dev='hdc' bus='ide'/></disk>";
	const guest = await own.create(tinyGuest("guest", { devices: cdrom }));
	assert.doesNotMatch(await own.run("xml", guest), /nonexistent/);
	assert.equal(own.events[0], "disk-change");
});

test("a QEMU that dies at any moment of its start leaves nothing", async (t) => {
	await using own = await TestDriver.start();
	// An emulator that lives for as many milliseconds as a file says, once a guest is started with it.
	const emulator = own.path("qemu-system-x86_64");
	const lifetime = own.path("lifetime");
	writeFileSync(
		emulator,
		`#!/bin/sh\ncase "$*" in *master-key*) (sleep "$(cat ${lifetime})"; kill -9 $$) & esac\nexec /usr/bin/qemu-system-x86_64 "$@"\n`,
	);
	chmodSync(emulator, 0o755);
	const xml = tinyGuest("guest", { devices: `<emulator>${emulator}</emulator>` });
	for (const ms of [0, 5, 10, 20, 30, 40, 60])
		await t.test(`after ${ms} ms`, async () => {
			writeFileSync(lifetime, `${ms / 1000}\n`);
			const started = await own.create(xml).then(
				() => true,
				(error) => {
					isVirtError("INTERNAL_ERROR", "monitor")(error);
					return false;
				},
			);
			// Where it got to run, it ended after.
			if (started) await until(() => own.driver.domains.byName("guest") === undefined, "the end of the guest");
			assert.equal(own.driver.domains.byName("guest"), undefined);
			await until(() => traces(own).length === 0, "that nothing is left");
		});
});

test("a guest whose QEMU is killed is shut off as crashed", async () => {
	await using own = await TestDriver.start();
	const guest = await own.define(tinyGuest("guest"));
	await own.run("start", guest);
	process.kill(own.processes[0] ?? 0, "SIGKILL");
	await until(() => guest.stateName === "shutoff", "the end of the guest");
	assert.deepEqual(guest.state, { state: "shutoff", reason: "crashed" });
	assert.equal(own.events.at(-1), "stopped failed");
	assert.deepEqual(traces(own), []);
	await own.run("start", guest);
	assert.equal(guest.id, 2);
});

test("a start that is destroyed half-way fails, and leaves nothing", async () => {
	await using own = await TestDriver.start();
	const guest = await own.define(tinyGuest("guest"));
	const start = own.run("start", guest);
	start.catch(() => undefined);
	await until(() => guest.run?.process !== undefined, "the process");
	await own.run("destroy", guest);
	await assert.rejects(start);
	assert.deepEqual(guest.state, { state: "shutoff", reason: "failed" });
	assert.deepEqual(traces(own), []);
});

test("a guest that stops answering can still be destroyed", async () => {
	await using own = await TestDriver.start();
	const guest = await own.create(tinyGuest("guest"));
	process.kill(own.processes[0] ?? 0, "SIGSTOP");
	const stuck = own.run("suspend", guest);
	stuck.catch(() => undefined);
	await delay(50);
	const destroyed = own.run("destroy", guest);
	// SIGTERM waits in a stopped process; SIGCONT stands in for the patience of ten seconds.
	await delay(50);
	process.kill(own.processes[0] ?? 0, "SIGCONT");
	await destroyed;
	await stuck.catch(() => undefined);
	assert.equal(own.driver.domains.byName("guest"), undefined);
	assert.deepEqual(traces(own), []);
});

test("two starts at once make one guest", async () => {
	await using own = await TestDriver.start();
	const guest = await own.define(tinyGuest("guest"));
	const results = await Promise.allSettled([own.run("start", guest), own.run("start", guest)]);
	assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
	assert.equal(own.processes.length, 1);
	const created = await Promise.allSettled([own.create(tinyGuest("other")), own.create(tinyGuest("other"))]);
	assert.deepEqual(created.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
});

test("a display's port is chosen, and told in the definition of the running guest", async () => {
	await using own = await TestDriver.start();
	const vnc = "<graphics type='vnc' autoport='yes'/>";
	const [one, two] = await Promise.all([
		own.create(tinyGuest("one", { devices: vnc })),
		own.create(tinyGuest("two", { devices: vnc })),
	]);
	const ports = [one, two]
		.map(({ run }) => run?.live.def.devices.graphics[0])
		.map((graphics) => graphics?.type === "vnc" && graphics.port);
	assert.ok(ports.every((port) => Number(port) >= 5900));
	assert.notEqual(ports[0], ports[1]);
	assert.match(await own.run("xml", one, 2), /<graphics type='vnc' port='-1' autoport='yes'/);
});

test("a serial port's terminal is told while the guest runs", async () => {
	await using own = await TestDriver.start();
	const guest = await own.create(tinyGuest("guest", { devices: "<serial type='pty'/>" }));
	const path = /<serial type='pty'>\s*<source path='([^']+)'\/>/.exec(await own.run("xml", guest))?.[1];
	assert.ok(path !== undefined && existsSync(path));
});
