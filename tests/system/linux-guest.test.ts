// A real Linux guest from its first line to its last: typed at, suspended, saved, restored, rebooted, pictured, dumped and shut down.

import assert from "node:assert/strict";
import { existsSync, openSync, readSync, statSync } from "node:fs";
import type { Duplex } from "node:stream";
import { after, before, test } from "node:test";
import { type Connection, connect } from "@virtkit/client/sdk/connection";
import type { Domain } from "@virtkit/client/sdk/domain";
import type { EventStream } from "@virtkit/client/sdk/events";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { demoDomainXml, prepareDemoGuest, READY_LINE } from "@virtkit/testing/demo-guest";

/** What a step may take on a machine that emulates the guest's processor and is busy besides. */
const DEADLINE_MS = 120_000;

let daemon: TestDaemon;
let connection: Connection;
let guest: Domain;
let events: EventStream;

before(async () => {
	daemon = await startDaemon();
	connection = await connect(daemon.uri);
	events = await connection.openEvents({ kinds: ["lifecycle", "reboot"] });
	const demo = prepareDemoGuest(daemon.file("demo"));
	guest = await connection.domains.define(demoDomainXml(demo, { name: "linux", type: "qemu", vnc: true, vcpus: 2 }));
});

after(async () => {
	await connection.close();
	await daemon[Symbol.asyncDispose]();
});

/** Reads a console until `wanted` was printed; the text so far is in the error when it is not. */
async function readUntil(console: Duplex, wanted: string | RegExp): Promise<string> {
	let text = "";
	const { promise, resolve, reject } = Promise.withResolvers<string>();
	const onData = (data: Buffer): void => {
		text += data.toString("latin1");
		if (typeof wanted === "string" ? text.includes(wanted) : wanted.test(text)) resolve(text);
	};
	const timer = setTimeout(() => reject(new Error(`no ${wanted} in:\n${text}\n${daemon.logs()}`)), DEADLINE_MS);
	console.on("data", onData);
	try {
		return await promise;
	} finally {
		clearTimeout(timer);
		console.off("data", onData);
	}
}

/** Types a command into the guest's shell and answers what it printed. */
async function ask(console: Duplex, command: string): Promise<string> {
	const mark = `mark-${Math.floor(performance.now())}`;
	console.write(`${command}; echo ${mark.slice(0, 4)}""${mark.slice(4)}\n`);
	return await readUntil(console, mark);
}

async function openConsole(): Promise<Duplex> {
	return await guest.openConsole(null, { force: true });
}

/** The next lifecycle event's name and detail, reboots told as such. */
async function nextEvent(): Promise<string> {
	const { value } = await events.next();
	return value.kind === "lifecycle" ? `${value.event} ${value.detail}` : value.kind;
}

test("the guest boots to its shell, which answers what is typed", async () => {
	await guest.start({ paused: true });
	const console = await openConsole();
	await guest.resume();
	await readUntil(console, READY_LINE);
	assert.match(await ask(console, "nproc"), /^2\r?$/m);
	console.destroy();
	assert.deepEqual([await nextEvent(), await nextEvent()], ["defined added", "started booted"]);
	assert.deepEqual([await nextEvent(), await nextEvent()], ["suspended paused", "resumed unpaused"]);
});

test("each vCPU is a Linux thread that has used CPU time", async () => {
	const vcpus = await guest.vcpus();
	assert.deepEqual(
		vcpus.map(({ number, state }) => [number, state]),
		[
			[0, "running"],
			[1, "running"],
		],
	);
	assert.ok(vcpus.every(({ cpuTime }) => cpuTime > 0n));
});

test("a second console is refused unless it is forced, and the forced one works", async () => {
	const first = await openConsole();
	const ended = new Promise((resolve) => first.once("close", resolve));
	first.on("error", () => undefined).resume();
	await assert.rejects(guest.openConsole(), { code: "OPERATION_FAILED" });
	const second = await openConsole();
	await ended;
	assert.match(await ask(second, "echo forced"), /forced/);
	second.destroy();
});

test("suspended it stands still, saved and restored it goes on where it was", async () => {
	const console = await openConsole();
	await ask(console, "echo kept > /tmp/note");
	console.destroy();
	await guest.managedSave();
	assert.deepEqual(await guest.state(), { state: "shutoff", reason: "saved" });
	assert.equal(await guest.hasManagedSave(), true);
	await guest.start();
	assert.deepEqual(await guest.state(), { state: "running", reason: "restored" });
	const again = await openConsole();
	assert.match(await ask(again, "cat /tmp/note"), /^kept/m);
	again.destroy();
	assert.equal(await guest.hasManagedSave(), false);
});

test("a daemon killed meanwhile finds the guest running, its shell untouched", async () => {
	await connection.close();
	await daemon.stop("SIGKILL");
	await daemon.start();
	connection = await connect(daemon.uri);
	events = await connection.openEvents({ kinds: ["lifecycle", "reboot"] });
	guest = await connection.domains.get("linux");
	assert.equal((await guest.state()).state, "running");
	const console = await openConsole();
	assert.match(await ask(console, "cat /tmp/note"), /^kept/m);
	console.destroy();
});

test("a screenshot is a picture, a dump is an ELF file with the guest's memory", async () => {
	const { mime, image } = await guest.screenshot();
	const chunks: Buffer[] = [];
	for await (const chunk of image) chunks.push(chunk as Buffer);
	const picture = Buffer.concat(chunks);
	assert.match(mime, /^image\//);
	assert.ok(picture.subarray(0, 2).toString("latin1") === "P6" || picture.subarray(1, 4).toString("latin1") === "PNG");
	const core = daemon.file("core");
	await guest.coreDump(core, { memoryOnly: true });
	const magic = Buffer.alloc(4);
	readSync(openSync(core, "r"), magic);
	assert.equal(magic.toString("latin1"), "\x7fELF");
	assert.ok(statSync(core).size > 256 * 1024 * 1024);
	assert.equal((await guest.state()).state, "running");
});

test("the guest that reboots itself is told of and runs on", async () => {
	const console = await openConsole();
	console.write("reboot -f\n");
	let event = await nextEvent();
	while (event !== "reboot") event = await nextEvent();
	await readUntil(console, READY_LINE);
	assert.equal((await guest.state()).state, "running");
	console.destroy();
});

test("asked to shut down it does, and nothing of it is left", async () => {
	await guest.shutdown({ acpi: true });
	let event = await nextEvent();
	while (!event.startsWith("stopped")) event = await nextEvent();
	assert.equal(event, "stopped shutdown");
	assert.deepEqual(await guest.state(), { state: "shutoff", reason: "shutdown" });
	assert.equal(existsSync(daemon.file("run/qemu/linux.xml")), false);
});
