// The QMP client against a real QEMU: typed answers, many commands at once, events, descriptors, a QEMU that is stopped or dies.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { sendFds, socketDescriptor } from "@virtkit/host/native";
import { QmpClient, type QmpClientOptions } from "./client.ts";
import { isQmpError } from "./qmp-error.ts";

/** A paused QEMU without devices whose monitor listens on a socket that was there before it started. */
class Emulator implements AsyncDisposable {
	readonly client: QmpClient;
	readonly process: ChildProcess;
	readonly #directory: string;

	private constructor(directory: string, process: ChildProcess, client: QmpClient) {
		this.#directory = directory;
		this.process = process;
		this.client = client;
	}

	static async start(options: QmpClientOptions = {}): Promise<Emulator> {
		const directory = mkdtempSync(join(tmpdir(), "qemu-"));
		const path = join(directory, "monitor");
		const server = createServer();
		await new Promise<void>((resolve) => server.listen(path, resolve));
		const client = QmpClient.connect(path, { oob: "always", sendFd: sendFds, label: "test", ...options });
		const monitor = ["-chardev", "socket,id=mon,fd=3,server=on,wait=off", "-mon", "chardev=mon,mode=control"];
		const argv = ["-S", "-no-user-config", "-nodefaults", "-nographic", "-machine", "none", ...monitor];
		const listening = socketDescriptor(server as unknown as Parameters<typeof socketDescriptor>[0]);
		const child = spawn("qemu-system-x86_64", argv, { stdio: ["ignore", "ignore", "inherit", listening] });
		server.close();
		return new Emulator(directory, child, client);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.client.close();
		this.process.kill("SIGKILL");
		if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, "exit");
		rmSync(this.#directory, { recursive: true });
	}
}

test("commands written before QEMU even runs are answered once it does", async () => {
	await using emulator = await Emulator.start();
	const { client } = emulator;
	const [status, version, greeting] = await Promise.all([
		client.execute("query-status"),
		client.execute("query-version"),
		client.ready,
	]);
	assert.equal(status.running, false);
	assert.ok(["prelaunch", "paused"].includes(status.status));
	assert.equal(version.qemu.major, greeting.version.major);
	assert.ok(greeting.capabilities.includes("oob"));
});

test("a hundred commands at once are all answered, and an answer of many kilobytes comes whole", async () => {
	await using emulator = await Emulator.start({ oob: "offered" });
	const { client } = emulator;
	const statuses = Promise.all(Array.from({ length: 100 }, () => client.execute("query-status")));
	const schema = await client.execute("query-qmp-schema");
	assert.equal((await statuses).length, 100);
	assert.ok(schema.some((entity) => entity.name === "query-qmp-schema"));
	assert.ok(Array.isArray(await client.executeOob("query-yank")));
});

test("what QEMU refuses carries its class and words", async () => {
	await using emulator = await Emulator.start();
	await assert.rejects(emulator.client.executeUntyped("no-such-command"), (error) =>
		isQmpError(error, "CommandNotFound"),
	);
	await assert.rejects(emulator.client.execute("device_del", { id: "ghost" }), {
		message: "internal error: unable to execute QEMU command 'device_del': Device 'ghost' not found",
	});
	const answer = JSON.parse(
		await emulator.client.executeText('{"execute": "device_del", "arguments": {"id": "ghost"}}'),
	);
	assert.equal(answer.error.class, "DeviceNotFound");
});

test("running and stopping a guest gives events with their time", async () => {
	await using emulator = await Emulator.start();
	const { client } = emulator;
	const resumed = client.waitForEvent("RESUME");
	await client.execute("cont");
	const stopped = client.waitForEvent("STOP");
	await client.execute("stop");
	assert.ok((await resumed).timestamp <= (await stopped).timestamp);
	assert.ok(Math.abs((await stopped).timestamp / 1000 - Date.now()) < 60_000);
});

test("files are passed as descriptors, several in a row", async () => {
	await using emulator = await Emulator.start();
	const { client } = emulator;
	const fd = openSync("/dev/null", "r");
	try {
		const names = ["one", "two", "three"];
		await Promise.all(names.map((fdname) => client.sendWithFd(fd, "getfd", { fdname })));
		await Promise.all(names.map((fdname) => client.execute("closefd", { fdname })));
		const { "fdset-id": set } = await client.sendWithFd(fd, "add-fd", { "fdset-id": 5 });
		assert.deepEqual(
			(await client.execute("query-fdsets")).map((one) => one["fdset-id"]),
			[set],
		);
		await assert.rejects(client.execute("getfd", { fdname: "none" }), (error) => isQmpError(error));
	} finally {
		closeSync(fd);
	}
});

test("a QEMU that is stopped misses the deadline, and answers again when it goes on", async () => {
	await using emulator = await Emulator.start();
	const { client } = emulator;
	await client.ready;
	emulator.process.kill("SIGSTOP");
	await assert.rejects(client.execute("query-status", {}, { deadlineMs: 50 }), { code: "OPERATION_TIMEOUT" });
	emulator.process.kill("SIGCONT");
	assert.equal((await client.execute("query-status")).running, false);
});

test("a QEMU that is killed ends everything under way", async () => {
	await using emulator = await Emulator.start();
	const { client } = emulator;
	await client.ready;
	emulator.process.kill("SIGSTOP");
	const call = client.execute("query-status");
	const closed = once(client, "close");
	emulator.process.kill("SIGKILL");
	await assert.rejects(call, {
		code: "INTERNAL_ERROR",
		message: "internal error: End of file from qemu monitor (vm='test')",
	});
	await closed;
});
