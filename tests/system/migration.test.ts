// Live migration between two daemons of one machine, led by real virsh: the guest goes on at one of them, never at both.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { findProcesses } from "@virtkit/host/process";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { tinyGuest, until } from "@virtkit/testing/qemu-driver";

let source: TestDaemon;
let target: TestDaemon;

before(async () => {
	[source, target] = await Promise.all([startDaemon(), startDaemon()]);
});

after(async () => {
	await source[Symbol.asyncDispose]();
	await target[Symbol.asyncDispose]();
});

/** Emulators of a daemon. */
const guests = ({ root }: TestDaemon): number => findProcesses(`${root}/lib/qemu/domain-`).length;

const state = async (daemon: TestDaemon, name: string): Promise<string> =>
	(await daemon.virsh("domstate", name, "--reason")).trim();

const migrate = (name: string, ...options: string[]): Promise<string> =>
	source.virsh("migrate", name, target.uri, "--migrateuri", "tcp://127.0.0.1", ...options);

async function startGuest(name: string, memory = 32): Promise<void> {
	const file = source.file(`${name}.xml`);
	writeFileSync(file, tinyGuest(name).replace(">32<", `>${memory}<`));
	await source.virsh("define", file);
	await source.virsh("start", name);
}

test("virsh migrate --live moves a running guest and leaves it shut off where it was", async () => {
	await startGuest("moved");
	await migrate("moved", "--live");
	assert.equal(await state(target, "moved"), "running (migrated)");
	assert.equal(await state(source, "moved"), "shut off (migrated)");
	assert.deepEqual([guests(source), guests(target)], [0, 1]);
	await target.virsh("destroy", "moved");
	assert.equal(guests(target), 0);
});

test("a paused guest arrives paused, under another name, stored there and forgotten here", async () => {
	await startGuest("paused");
	await source.virsh("suspend", "paused");
	await migrate("paused", "--persistent", "--undefinesource", "--dname", "renamed");
	assert.match(await state(target, "renamed"), /^paused/);
	await assert.rejects(source.virsh("domstate", "paused"));
	await target.virsh("destroy", "renamed");
	assert.equal(await state(target, "renamed"), "shut off (destroyed)");
	await target.virsh("undefine", "renamed");
	assert.deepEqual([guests(source), guests(target)], [0, 0]);
});

test("a guest whose destination refuses it, or whose link is none, runs on; nothing is left over there", async () => {
	await startGuest("stays");
	await assert.rejects(source.virsh("migrate", "stays", target.uri, "--live", "--migrateuri", "tcp://127.0.0.1:1"));
	assert.match(await state(source, "stays"), /^running/);
	await until(() => guests(target) === 0, "that nothing waits for the guest any more");
	await assert.rejects(target.virsh("domstate", "stays"));
	await source.virsh("suspend", "stays");
	await source.virsh("resume", "stays");
	await source.virsh("destroy", "stays");
});

test("a daemon killed while it sends keeps the guest: it runs on here when the daemon is back, and is gone over there", async () => {
	// At 1 MiB a second even the marks of that many empty pages take a while.
	await startGuest("kept", 1024);
	const migration = migrate("kept", "--live", "--bandwidth", "1").catch((error: unknown) => error);
	await until(async () => (await source.virsh("domjobinfo", "kept")).includes("Outgoing migration"), "the migration");
	await source.stop("SIGKILL");
	assert.ok((await migration) instanceof Error);
	await source.start();
	await until(async () => (await state(source, "kept")).startsWith("running"), "that the guest runs here");
	await until(() => guests(target) === 0, "that nothing is left over there");
	await source.virsh("destroy", "kept");
});
