// The QMP client against a fake monitor: order of what is written, errors, deadlines, loss, descriptors.

import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { QmpClient } from "./client.ts";
import { FakeMonitor, GREETING, type Received, returnOf } from "./fake-monitor.ts";
import { isQmpError } from "./qmp-error.ts";

const nameOf = (command: Received) => command.execute ?? command["exec-oob"];

test("commands given before the greeting follow negotiation in the order given", async () => {
	await using monitor = await FakeMonitor.listen({ greeting: GREETING, answer: returnOf });
	await using client = QmpClient.connect(monitor.path);
	await Promise.all([client.execute("query-status"), client.execute("cont"), client.execute("query-version")]);
	assert.deepEqual(monitor.received.map(nameOf), ["qmp_capabilities", "query-status", "cont", "query-version"]);
	assert.deepEqual(monitor.received[0]?.arguments, { enable: ["oob"] });
	assert.equal((await client.ready).version.major, 7);
	assert.equal(client.oob, true);
});

test("a client that knows of out-of-band commands writes everything before the greeting comes", async () => {
	const seen = Promise.withResolvers<void>();
	await using monitor = await FakeMonitor.listen({
		answer(command) {
			if (nameOf(command) === "cont") seen.resolve();
			return undefined;
		},
	});
	await using client = QmpClient.connect(monitor.path, { oob: "always" });
	const cont = client.execute("cont");
	await seen.promise;
	const [socket] = monitor.sockets;
	socket?.write(GREETING + monitor.received.map((command) => returnOf(command)).join(""));
	await cont;
	assert.deepEqual((await client.ready).capabilities, ["oob"]);
});

test("answers reach their commands in whatever order they come", async () => {
	const held: Received[] = [];
	await using monitor = await FakeMonitor.listen({
		greeting: GREETING,
		answer(command) {
			if (nameOf(command) === "qmp_capabilities") return returnOf(command);
			held.push(command);
			return held.length < 3
				? undefined
				: held
						.reverse()
						.map((one) => returnOf(one, { of: one.execute }))
						.join("");
		},
	});
	await using client = QmpClient.connect(monitor.path);
	const names = ["query-status", "query-name", "query-uuid"] as const;
	const answers = await Promise.all(names.map((name) => client.executeUntyped(name)));
	assert.deepEqual(
		answers,
		names.map((name) => ({ of: name })),
	);
});

test("ordinary commands leave room for out-of-band ones, which overtake them", async () => {
	await using monitor = await FakeMonitor.listen({
		greeting: GREETING,
		answer: (command) => (["qmp_capabilities", "yank"].includes(nameOf(command) ?? "") ? returnOf(command) : undefined),
	});
	await using client = QmpClient.connect(monitor.path, { label: "web" });
	await client.ready;
	const stuck = Array.from({ length: 10 }, () => client.execute("query-status"));
	await client.executeOob("yank", { instances: [] });
	assert.equal(monitor.received.filter((command) => nameOf(command) === "query-status").length, 7);
	client.close();
	const results = await Promise.allSettled(stuck);
	assert.ok(results.every((result) => result.status === "rejected" && result.reason.code === "OPERATION_ABORTED"));
});

test("without the offer there are no out-of-band commands", async () => {
	await using monitor = await FakeMonitor.listen({ greeting: GREETING.replace('"oob"', ""), answer: returnOf });
	await using client = QmpClient.connect(monitor.path);
	await assert.rejects(client.executeOob("yank", { instances: [] }), { code: "OPERATION_UNSUPPORTED" });
	assert.equal(monitor.received[0]?.arguments, undefined);
});

test("a refused command rejects with QEMU's class and description in libvirt's wording", async () => {
	const error = { class: "DeviceNotFound", desc: "Device 'x' not found" };
	await using monitor = await FakeMonitor.listen({
		greeting: GREETING,
		answer: (command) =>
			nameOf(command) === "device_del" ? `${JSON.stringify({ error, id: command.id })}\r\n` : returnOf(command),
	});
	await using client = QmpClient.connect(monitor.path);
	await assert.rejects(client.execute("device_del", { id: "x" }), (thrown) => {
		assert.ok(isQmpError(thrown, "DeviceNotFound"));
		assert.equal(thrown.message, "internal error: unable to execute QEMU command 'device_del': Device 'x' not found");
		assert.equal(thrown.desc, "Device 'x' not found");
		return true;
	});
	await client.execute("cont");
});

test("a command that gets no answer ends with its deadline, and its late answer is dropped", async () => {
	let late = "";
	await using monitor = await FakeMonitor.listen({
		greeting: GREETING,
		answer(command) {
			if (nameOf(command) === "stop") late = returnOf(command);
			return nameOf(command) === "stop" ? undefined : late + returnOf(command, { name: "web" });
		},
	});
	await using client = QmpClient.connect(monitor.path, { label: "web" });
	await assert.rejects(client.execute("stop", {}, { deadlineMs: 20 }), {
		code: "OPERATION_TIMEOUT",
		message: "Timed out during operation: monitor of 'web' did not answer 'stop' within 20 ms",
	});
	assert.deepEqual(await client.execute("query-name"), { name: "web" });
});

test("an aborted call ends at once; one that was not written yet is never written", async () => {
	await using monitor = await FakeMonitor.listen({ answer: returnOf });
	await using client = QmpClient.connect(monitor.path);
	const controller = new AbortController();
	const calls = [client.execute("stop", {}, { signal: controller.signal }), client.execute("cont")];
	controller.abort();
	await assert.rejects(calls[0] as Promise<unknown>, { code: "OPERATION_ABORTED" });
	await assert.rejects(client.execute("stop", {}, { signal: AbortSignal.abort() }), { code: "OPERATION_ABORTED" });
	(await monitor.connection()).write(GREETING);
	await calls[1];
	assert.deepEqual(monitor.received.map(nameOf), ["qmp_capabilities", "cont"]);
});

test("a monitor that goes away rejects every call, those after it too, and closes once", async () => {
	await using monitor = await FakeMonitor.listen({
		greeting: GREETING,
		answer(command, socket) {
			if (nameOf(command) === "quit") socket.destroy();
			return nameOf(command) === "qmp_capabilities" ? returnOf(command) : undefined;
		},
	});
	const client = QmpClient.connect(monitor.path, { label: "web" });
	const closed = once(client, "close");
	const calls = await Promise.allSettled([
		client.execute("query-status"),
		client.execute("quit"),
		client.waitForEvent("STOP"),
	]);
	const message = "internal error: End of file from qemu monitor (vm='web')";
	for (const call of calls) assert.equal(call.status === "rejected" && call.reason.message, message);
	assert.equal((await closed)[0], client.loss);
	await assert.rejects(client.execute("query-status"), { message });
});

test("a monitor that never greets ends with the deadline, with all that was asked of it", async () => {
	await using monitor = await FakeMonitor.listen();
	await using client = QmpClient.connect(monitor.path, { deadlineMs: 20, label: "web" });
	const call = client.execute("query-status", {}, { deadlineMs: 5000 });
	await assert.rejects(client.ready, { code: "OPERATION_TIMEOUT", message: /monitor of 'web' did not greet/ });
	await assert.rejects(call, { code: "OPERATION_TIMEOUT" });
});

test("nobody listening, text that is no QMP and an endless line each end the client with the reason", async () => {
	await assert.rejects(QmpClient.connect("/nonexistent/monitor").execute("cont"), {
		code: "SYSTEM_ERROR",
		message: /ENOENT/,
	});
	await using talker = await FakeMonitor.listen({ greeting: "SSH-2.0-OpenSSH\r\n" });
	await assert.rejects(QmpClient.connect(talker.path).execute("cont"), {
		code: "INTERNAL_ERROR",
		message: /cannot parse JSON.*SSH-2.0/,
	});
	await using endless = await FakeMonitor.listen({ greeting: "{".repeat(100) });
	await assert.rejects(QmpClient.connect(endless.path, { maxLineBytes: 50 }).execute("cont"), {
		message: /line of more than 50 bytes/,
	});
	await using mute = await FakeMonitor.listen({ answer: returnOf });
	await assert.rejects(QmpClient.connect(mute.path, { oob: "never" }).ready, { message: /without a greeting/ });
});

test("events reach listeners by name and iterators in order, until the monitor is gone", async () => {
	const event = (name: string, at: number) =>
		`${JSON.stringify({ event: name, timestamp: { seconds: 1, microseconds: at }, data: { id: at } })}\r\n`;
	await using monitor = await FakeMonitor.listen({
		greeting: GREETING,
		answer(command, socket) {
			if (nameOf(command) === "quit") socket.end(event("STOP", 1) + event("RESUME", 2) + event("STOP", 3));
			return nameOf(command) === "quit" ? undefined : returnOf(command);
		},
	});
	const client = QmpClient.connect(monitor.path);
	const stops: number[] = [];
	client.onEvent("STOP", ({ timestamp }) => stops.push(timestamp));
	const resumed = client.waitForEvent("RESUME");
	const seen: string[] = [];
	const iterated = (async () => {
		for await (const { event: name } of client.events()) seen.push(name);
	})();
	await assert.rejects(client.execute("quit"));
	await iterated;
	assert.deepEqual(seen, ["STOP", "RESUME", "STOP"]);
	assert.deepEqual(stops, [1_000_001, 1_000_003]);
	assert.equal((await resumed).timestamp, 1_000_002);
});

test("text is passed through as it stands, with the answer as it came", async () => {
	await using monitor = await FakeMonitor.listen({
		greeting: GREETING,
		answer: (command) =>
			nameOf(command) === "query-big"
				? `{"return": 18446744073709551615, "id": "${command.id}"}\r\n`
				: returnOf(command),
	});
	await using client = QmpClient.connect(monitor.path);
	assert.match(
		await client.executeText('{"execute":"query-big"}'),
		/^\{"return": 18446744073709551615, "id": "virtkit-\d+"\}$/,
	);
	await assert.rejects(client.executeText("query-big"), { code: "INVALID_ARG", message: /query-big/ });
});

test("descriptors are sent one at a time, after what was written before them", async () => {
	const sent: [number, string][] = [];
	await using monitor = await FakeMonitor.listen({ greeting: GREETING, answer: returnOf });
	await using client = QmpClient.connect(monitor.path, {
		sendFd(_socket, data, fds) {
			const line = Buffer.from(data).toString();
			sent.push([fds[0] ?? -1, JSON.parse(line).arguments.fdname]);
			const [socket] = monitor.sockets;
			socket?.write(returnOf(JSON.parse(line)));
			return data.length;
		},
	});
	await Promise.all([
		client.execute("query-status"),
		client.sendWithFd(8, "getfd", { fdname: "a" }),
		client.sendWithFd(9, "getfd", { fdname: "b" }),
		client.execute("cont"),
	]);
	assert.deepEqual(sent, [
		[8, "a"],
		[9, "b"],
	]);
	assert.deepEqual(monitor.received.map(nameOf), ["qmp_capabilities", "query-status", "cont"]);
});

test("a client without a way to pass descriptors, or a kernel that refuses one, says so", async () => {
	await using monitor = await FakeMonitor.listen({ greeting: GREETING, answer: returnOf });
	await using plain = QmpClient.connect(monitor.path);
	await assert.rejects(plain.sendWithFd(3, "getfd", { fdname: "a" }), {
		code: "INTERNAL_ERROR",
		message: /without a way/,
	});
	await using refused = QmpClient.connect(monitor.path, {
		sendFd() {
			throw new Error("EBADF");
		},
	});
	await assert.rejects(refused.sendWithFd(3, "getfd", { fdname: "a" }), { message: /EBADF/ });
	await refused.execute("cont");
});
