// Consoles as streams: a real QEMU's pseudo-terminal, one client at a time.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import type { Duplex } from "node:stream";
import test from "node:test";
import { UndoStack } from "@virtkit/base/undo-stack";
import { isVirtError } from "@virtkit/testing/expect-error";
import { until } from "@virtkit/testing/qemu-driver";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import type { Run } from "../domain/run.ts";
import { openExclusively } from "./open-streams.ts";

/** As much of a run as streams hang on. */
const runOf = (resources = new UndoStack()) => ({ resources }) as unknown as Run;

/** A QEMU whose monitor is on a pseudo-terminal, so that something answers there. */
async function qemuOnTerminal() {
	const args = [
		"-machine",
		"none",
		"-nodefaults",
		"-display",
		"none",
		"-chardev",
		"pty,id=p",
		"-mon",
		"p,mode=control",
	];
	const child = spawn("qemu-system-x86_64", args, { stdio: ["ignore", "pipe", "inherit"] });
	let said = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		said += text;
	});
	await until(() => said.includes("\n"), "the terminal's name");
	const exit = once(child, "exit");
	return {
		path: /\/dev\/pts\/\d+/.exec(said)?.[0] ?? "",
		kill: () => child.kill("SIGKILL"),
		[Symbol.asyncDispose]: async () => {
			child.kill("SIGKILL");
			await exit;
		},
	};
}

function collect(stream: Duplex): () => string {
	let text = "";
	stream.on("data", (data: Buffer) => {
		text += data.toString();
	});
	return () => text;
}

const BUSY = "Active console session exists for this domain";

test("a terminal is read and written, by one client unless another takes it, and ends with the guest", async () => {
	await using qemu = await qemuOnTerminal();
	const run = runOf();
	const open = (force: boolean) => openExclusively(run, { path: qemu.path, kind: "pty", force, busy: BUSY });
	const first = await open(false);
	const heard = collect(first);
	await until(() => heard().includes("QMP"), "QEMU's greeting");
	first.write('{"execute":"qmp_capabilities"}\n');
	await until(() => heard().includes('{"return": {}}'), "an answer");
	// QEMU made the terminal raw: it does not echo.
	assert.ok(!heard().includes("qmp_capabilities"));
	await assert.rejects(open(false), isVirtError("OPERATION_FAILED", BUSY));
	const lost = once(first, "error");
	const second = await open(true);
	assert.ok(isVirtError("RPC", "stream had unexpected termination")((await lost)[0]));
	const heardNow = collect(second);
	second.write('{"execute":"query-name"}\n');
	// Whether QEMU noticed that one client followed another is a matter of its timer: if so, it greets anew and refuses
	// a command before the handshake.
	await until(() => /"(return|error)"/.test(heardNow()), "QEMU's answer to the second client");
	const ended = once(second, "end");
	qemu.kill();
	await ended;
	await once(second, "close");
});

test("a client that goes away makes room for the next, and leaves no descriptor", async () => {
	await using qemu = await qemuOnTerminal();
	const run = runOf();
	const open = async () => {
		const stream = await openExclusively(run, { path: qemu.path, kind: "pty", force: false, busy: BUSY });
		stream.destroy();
		await once(stream, "close");
	};
	await open();
	const before = readdirSync("/proc/self/fd").length;
	for (let client = 0; client < 20; client++) await open();
	assert.ok(readdirSync("/proc/self/fd").length <= before);
});

test("a channel's socket is one client's too, and ends with the run", async () => {
	using folder = temporaryFolder();
	const path = folder.file("channel");
	const server = createServer((socket) => socket.pipe(socket)).listen(path);
	await once(server, "listening");
	const resources = new UndoStack();
	const run = runOf(resources);
	const stream = await openExclusively(run, { path, kind: "unix", force: false, busy: "busy" });
	const heard = collect(stream);
	stream.write("hello");
	await until(() => heard() === "hello", "the echo");
	await assert.rejects(
		openExclusively(run, { path, kind: "unix", force: false, busy: "busy" }),
		isVirtError("OPERATION_FAILED", "busy"),
	);
	const closed = once(stream, "close");
	await resources[Symbol.asyncDispose]();
	await closed;
	server.close();
	await assert.rejects(
		openExclusively(run, { path: folder.file("none"), kind: "unix", force: false, busy: "busy" }),
		isVirtError("SYSTEM_ERROR", "Unable to open stream"),
	);
});
