// Post-copy, by real virsh: the guest runs at its destination before its memory is there; what is lost on the way is told, and mended.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { connect } from "@virtkit/client/sdk/connection";
import { findProcesses } from "@virtkit/host/process";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { demoDomainXml, prepareDemoGuest, READY_LINE } from "@virtkit/testing/demo-guest";
import { until } from "@virtkit/testing/qemu-driver";

const DEADLINE_MS = 120_000;

let source: TestDaemon;
let target: TestDaemon;

/** Where ordinary users may not use userfaultfd, only QEMU as root can: the sysctl that distributions set beside libvirt. */
const mayFault = (): boolean => {
	try {
		return readFileSync("/proc/sys/vm/unprivileged_userfaultfd", "latin1").trim() === "1" || process.getuid?.() === 0;
	} catch {
		return false;
	}
};
const skip = mayFault() ? false : "QEMU may not use userfaultfd here";

/** A daemon whose guests run as root: hosts where others may use userfaultfd are rare. */
async function startRootsDaemon(): Promise<TestDaemon> {
	const daemon = await startDaemon();
	mkdirSync(daemon.file("etc"), { recursive: true });
	writeFileSync(daemon.file("etc/qemu.conf"), 'user = "root"\ngroup = "root"\n');
	await daemon.stop();
	await daemon.start();
	return daemon;
}

before(async () => {
	[source, target] = await Promise.all([startRootsDaemon(), startRootsDaemon()]);
});

after(async () => {
	await source[Symbol.asyncDispose]();
	await target[Symbol.asyncDispose]();
});

const guests = ({ root }: TestDaemon) => findProcesses(`${root}/lib/qemu/domain-`);

const state = async (daemon: TestDaemon): Promise<string> =>
	(await daemon.virsh("domstate", "over", "--reason")).trim();

/** Starts a Linux guest that has something in its memory, and waits for its shell. */
async function startGuest(): Promise<void> {
	const guest = prepareDemoGuest(source.file("demo"));
	const run = "head -c 24m /dev/urandom >/tmp/memory";
	await using connection = await connect(source.uri);
	const devices = "<memballoon model='none'/><controller type='usb' model='none'/>";
	// Without devices that use its memory: QEMU waits for what is lost of it with everything held up, its monitor too.
	const xml = demoDomainXml(guest, { name: "over", type: "qemu", memoryMib: 192, network: false, run, devices })
		.replace(/<channel[\s\S]*<\/channel>/, "")
		.replace(/<rng[\s\S]*<\/rng>/, "");
	const domain = await connection.domains.create(xml, { paused: true });
	const console = await domain.openConsole();
	await domain.resume();
	let text = "";
	console.on("data", (data) => {
		text += String(data);
	});
	await until(() => text.includes(READY_LINE), "that the guest has booted", DEADLINE_MS);
	console.destroy();
}

/** Has the guest go over once its memory is on the way; `done` is what the command came to. */
async function goOver(from: TestDaemon, to: TestDaemon): Promise<{ readonly done: Promise<unknown> }> {
	const options = ["--live", "--postcopy", "--migrateuri", "tcp://127.0.0.1"];
	const speeds = ["--bandwidth", "4", "--postcopy-bandwidth", "2"];
	const done = from.virsh("migrate", "over", to.uri, ...options, ...speeds).catch((error: unknown) => error);
	const sent = async () => /Data processed: +\d+\.\d+ MiB/.test(await from.virsh("domjobinfo", "over"));
	await Promise.race([
		until(sent, "that it is being sent", DEADLINE_MS),
		done.then((told) => assert.fail(`the migration is over already: ${told}`)),
	]);
	await from.virsh("migrate-postcopy", "over");
	await until(async () => (await state(from)) === "paused (post-copy)", "that it has gone over", DEADLINE_MS);
	await until(async () => (await state(to)) === "running (post-copy)", "that it runs there", DEADLINE_MS);
	// QEMU has answered, and need not wait for memory to do so any more.
	const whole = () => /phase=['"]up/.test(readFileSync(to.file("run/qemu/over.xml"), "utf8"));
	await until(whole, "that it has been let run", DEADLINE_MS);
	return { done };
}

test("a guest goes on at its destination before its memory is there, and ends at its source when it is", {
	skip,
}, async () => {
	await startGuest();
	await assert.rejects(source.virsh("migrate-postcopy", "over"), /only be started while outgoing migration/);
	await assert.rejects(source.virsh("migrate", "over", target.uri, "--postcopy"), /not supported with non-live/);
	await using listener = await connect(target.uri);
	await using events = await listener.openEvents({ kinds: ["lifecycle"] });
	const { done } = await goOver(source, target);
	assert.match(await source.virsh("domjobinfo", "over"), /Postcopy requests: +\d/);
	await assert.rejects(source.virsh("domjobabort", "over"), /cannot abort migration in post-copy mode/);
	await source.virsh("migrate-setspeed", "over", "0", "--postcopy");
	assert.equal(await done, "");
	assert.equal(await state(target), "running (migrated)");
	await assert.rejects(source.virsh("domstate", "over"));
	const told: string[] = [];
	while (told.at(-1) !== "resumed migrated") {
		const { value } = await events.next();
		if (value.kind === "lifecycle") told.push(`${value.event} ${value.detail}`);
	}
	assert.ok(told.includes("resumed postcopy"), told.join(", "));
	assert.deepEqual([guests(source).length, guests(target).length], [0, 1]);
});

test("a post-copy that is paused is told on both sides, and goes on where it was when it is resumed", {
	skip,
}, async () => {
	const { done } = await goOver(target, source);
	await target.virsh("domjobabort", "over", "--postcopy");
	assert.match(String(await done), /failed in post-copy phase/);
	assert.equal(await state(target), "paused (post-copy failed)");
	assert.equal(await state(source), "running (post-copy failed)");
	await assert.rejects(target.virsh("resume", "over"), /sent to another host/);
	await target.virsh("migrate-setspeed", "over", "0", "--postcopy");
	const again = ["--live", "--postcopy", "--postcopy-resume", "--migrateuri", "tcp://127.0.0.1"];
	await target.virsh("migrate", "over", source.uri, ...again);
	assert.equal(await state(source), "running (migrated)");
	await assert.rejects(target.virsh("domstate", "over"));
	assert.deepEqual([guests(source).length, guests(target).length], [1, 0]);
});

test("both daemons are killed in post-copy: the guest runs on, and has left its source once its memory is whole", {
	skip,
}, async () => {
	const { done } = await goOver(source, target);
	await Promise.all([source.stop("SIGKILL"), target.stop("SIGKILL")]);
	assert.ok((await done) instanceof Error);
	await Promise.all([source.start(), target.start()]);
	assert.match(await state(target), /^running/);
	await source.tryVirsh("migrate-setspeed", "over", "0", "--postcopy");
	const left = async () => (await state(source).catch(() => "gone")) === "gone";
	await until(left, "that it has left its source", DEADLINE_MS);
	assert.deepEqual(guests(source), []);
	await until(async () => (await state(target)) === "running (migrated)", "that all of it is there", DEADLINE_MS);
});

test("a source whose QEMU dies in post-copy leaves a guest that says so, and ends when it is destroyed", {
	skip,
}, async () => {
	const { done } = await goOver(target, source);
	for (const { pid } of guests(target)) process.kill(pid, "SIGKILL");
	assert.match(String(await done), /failed in post-copy phase/);
	assert.equal(await state(source), "running (post-copy failed)");
	await until(
		async () => (await state(target).catch(() => "gone")) === "gone",
		"that it is gone at its source",
		DEADLINE_MS,
	);
	await source.virsh("destroy", "over");
	assert.deepEqual([guests(source), guests(target)], [[], []]);
});
