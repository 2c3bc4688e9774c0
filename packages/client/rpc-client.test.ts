// The client against a daemon that the test plays itself, message by message.

import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { afterEach, test } from "node:test";
import { VirtError } from "@virtkit/base/errors";
import { MESSAGE_STATUS, MESSAGE_TYPES } from "@virtkit/protocol/frame";
import { PROGRAMS } from "@virtkit/protocol/programs";
import { isVirtError } from "@virtkit/testing/expect-error";
import { type PeerMessage, RpcPeer } from "@virtkit/testing/rpc-peer";
import { socketPair } from "@virtkit/testing/socket-pair";
import { decodeValue } from "@virtkit/xdr/codec";
import { RpcClient, type RpcClientOptions } from "./rpc-client.ts";

const DOMAIN = { name: "vm", uuid: "6695eb01-f6a4-8304-79aa-97f2502e193f", id: 1 };
const CONSOLE = { dom: DOMAIN, devName: null, flags: 0 };
const LIFECYCLE = { callbackID: 1, msg: { dom: DOMAIN, event: 2, detail: 0 } };
const KEEPALIVE = PROGRAMS.keepalive;
const { OK, ERROR, CONTINUE } = MESSAGE_STATUS;

const sockets: Duplex[] = [];
afterEach(() => {
	for (const socket of sockets.splice(0)) socket.destroy();
});

/** A client, and the other end of its connection, on which the test plays the daemon. */
async function connected(options: RpcClientOptions = {}) {
	const [here, there] = await socketPair();
	sockets.push(here, there);
	return { client: new RpcClient(here, options), daemon: new RpcPeer(there) };
}

function numberOf(message: PeerMessage): number {
	return message.procedure;
}

test("a call is sent as declared and answered with the daemon's result", async () => {
	const { client, daemon } = await connected();
	const answer = client.call("DOMAIN_LOOKUP_BY_NAME", { name: "vm" });
	const call = await daemon.receive();
	const { program, version, procedure, type, status } = call;
	assert.deepEqual([program, version, procedure, type, status], [0x20008086, 1, 23, MESSAGE_TYPES.CALL, OK]);
	assert.deepEqual(decodeValue(PROGRAMS.remote.procedures.DOMAIN_LOOKUP_BY_NAME.args, call.payload), { name: "vm" });
	daemon.answer(call, "DOMAIN_LOOKUP_BY_NAME", { dom: DOMAIN });
	assert.deepEqual(await answer, { dom: DOMAIN });
});

test("calls of other programs go to those", async () => {
	const { client, daemon } = await connected();
	const answer = client.call("DOMAIN_MONITOR_COMMAND", { dom: DOMAIN, cmd: "{}", flags: 0 }, { program: "qemu" });
	const call = await daemon.receive();
	assert.deepEqual([call.program, call.procedure], [PROGRAMS.qemu.number, 1]);
	daemon.answerError(call, new VirtError("OPERATION_INVALID", "domain is not running"));
	await assert.rejects(answer, isVirtError("OPERATION_INVALID", "domain is not running"));
});

test("many calls are under way at once, and answered in any order", async () => {
	const { client, daemon } = await connected();
	const answers = Array.from({ length: 50 }, (_, id) => client.call("DOMAIN_LOOKUP_BY_ID", { id }));
	const calls: PeerMessage[] = [];
	for (const _ of answers) calls.push(await daemon.receive());
	assert.equal(new Set(calls.map(({ serial }) => serial)).size, 50);
	for (const [id, call] of [...calls.entries()].reverse()) {
		daemon.answer(call, "DOMAIN_LOOKUP_BY_ID", { dom: { ...DOMAIN, id } });
	}
	const ids = (await Promise.all(answers)).map(({ dom }) => dom.id);
	assert.deepEqual(
		ids,
		Array.from({ length: 50 }, (_, id) => id),
	);
});

test("a call that is given up rejects at once, and its late answer disturbs no one", async () => {
	const { client, daemon } = await connected();
	const controller = new AbortController();
	const answer = client.call("DOMAIN_LOOKUP_BY_ID", { id: 1 }, { signal: controller.signal });
	const call = await daemon.receive();
	controller.abort(new Error("enough"));
	await assert.rejects(answer, /enough/);
	daemon.answer(call, "DOMAIN_LOOKUP_BY_ID", { dom: DOMAIN });
	const next = client.call("CONNECT_GET_TYPE");
	daemon.answer(await daemon.receive(), "CONNECT_GET_TYPE", { type: "QEMU" });
	assert.deepEqual(await next, { type: "QEMU" });
	const late = client.call("CONNECT_GET_TYPE", undefined, { signal: controller.signal });
	await assert.rejects(late, /enough/);
});

test("arguments that cannot be sent are an error of the call alone", async () => {
	const { client, daemon } = await connected();
	await assert.rejects(async () => client.call("DOMAIN_LOOKUP_BY_ID", { id: 2 ** 40 }), /32-bit/);
	const next = client.call("CONNECT_GET_TYPE");
	daemon.answer(await daemon.receive(), "CONNECT_GET_TYPE", { type: "QEMU" });
	await next;
});

test("an answer that is malformed is an error of its call alone", async () => {
	const { client, daemon } = await connected();
	const answer = client.call("CONNECT_GET_TYPE");
	const { procedure, serial } = await daemon.receive();
	daemon.send({ procedure, serial, type: MESSAGE_TYPES.REPLY }, Buffer.from([1]));
	await assert.rejects(answer, isVirtError("RPC", "Unable to decode"));
	const next = client.call("CONNECT_GET_TYPE");
	daemon.answer(await daemon.receive(), "CONNECT_GET_TYPE", { type: "QEMU" });
	await next;
});

for (const [what, send] of [
	["what is no message", (daemon: RpcPeer) => daemon.sendBytes(Buffer.from("HTTP/1.1 400"))],
	["an answer to no call", (daemon: RpcPeer) => daemon.send({ type: MESSAGE_TYPES.REPLY, serial: 99 })],
	["a call", (daemon: RpcPeer) => daemon.send({ type: MESSAGE_TYPES.CALL })],
] as const) {
	test(`a daemon that sends ${what} is disconnected`, async () => {
		const { client, daemon } = await connected();
		const answer = client.call("CONNECT_GET_TYPE");
		send(daemon);
		await assert.rejects(answer, isVirtError("RPC", "connection to the daemon is lost"));
		await daemon.closed;
		assert.ok((await client.closed) instanceof VirtError);
	});
}

test("when the connection is lost, calls under way and later ones say so", async () => {
	const { client, daemon } = await connected();
	const answer = client.call("CONNECT_GET_TYPE");
	await daemon.receive();
	daemon.socket.end();
	await assert.rejects(answer, isVirtError("RPC", "lost"));
	await assert.rejects(client.call("CONNECT_GET_TYPE"), isVirtError("RPC", "lost"));
	assert.equal((await client.closed)?.code, "RPC");
});

test("closing takes leave of the daemon and is no loss", async () => {
	const { client, daemon } = await connected();
	const closing = client.close();
	const call = await daemon.receive();
	assert.equal(numberOf(call), PROGRAMS.remote.procedures.CONNECT_CLOSE.number);
	daemon.answer(call, "CONNECT_CLOSE", undefined);
	await closing;
	assert.equal(await client.closed, undefined);
	await client.close();
});

test("events reach those who listen, in order, until they stop", async () => {
	const { client, daemon } = await connected();
	const seen: number[] = [];
	const enough = Promise.withResolvers<void>();
	const stop = client.onEvent("DOMAIN_EVENT_CALLBACK_LIFECYCLE", ({ callbackID }) => {
		seen.push(callbackID);
		if (callbackID !== 2) return;
		stop();
		enough.resolve();
	});
	for (const callbackID of [0, 1, 2, 3]) {
		daemon.sendEvent("DOMAIN_EVENT_CALLBACK_LIFECYCLE", { ...LIFECYCLE, callbackID });
	}
	await enough.promise;
	assert.deepEqual(seen, [0, 1, 2]);
});

test("an event may come before the answer of a call, and one that nobody knows is ignored", async () => {
	const { client, daemon } = await connected();
	const order: string[] = [];
	client.onEvent("DOMAIN_EVENT_CALLBACK_LIFECYCLE", () => order.push("event"));
	const answer = client.call("CONNECT_GET_TYPE").then(() => order.push("answer"));
	const call = await daemon.receive();
	daemon.send({ procedure: 5000, serial: 0, type: MESSAGE_TYPES.EVENT });
	daemon.sendEvent("DOMAIN_EVENT_CALLBACK_LIFECYCLE", LIFECYCLE);
	daemon.answer(call, "CONNECT_GET_TYPE", { type: "QEMU" });
	await answer;
	assert.deepEqual(order, ["event", "answer"]);
});

test("a ping is answered with a pong", async () => {
	const { daemon } = await connected();
	const { PING, PONG } = KEEPALIVE.procedures;
	daemon.send({ program: KEEPALIVE.number, procedure: PING.number, serial: 0, type: MESSAGE_TYPES.EVENT });
	const { program, procedure, type } = await daemon.receive();
	assert.deepEqual([program, procedure, type], [KEEPALIVE.number, PONG.number, MESSAGE_TYPES.EVENT]);
});

test("a daemon that stays silent is asked, then given up", async () => {
	const { client, daemon } = await connected({ keepaliveInterval: 5, keepaliveCount: 2 });
	client.startKeepalive();
	const answer = client.call("CONNECT_GET_TYPE");
	await daemon.receive();
	for (let ping = 0; ping < 2; ping++) assert.equal((await daemon.receive()).program, KEEPALIVE.number);
	await assert.rejects(answer, isVirtError("RPC", "keepalive"));
});

/** A client whose console call was answered: its stream, and the call as the daemon saw it. */
async function consoleOf() {
	const { client, daemon } = await connected();
	const opening = client.callWithStream("DOMAIN_OPEN_CONSOLE", CONSOLE);
	const call = await daemon.receive();
	daemon.answer(call, "DOMAIN_OPEN_CONSOLE", undefined);
	const { stream } = await opening;
	const send = (status: 0 | 1 | 2, data = "") =>
		daemon.sendStream("DOMAIN_OPEN_CONSOLE", call.serial, status, Buffer.from(data));
	return { client, daemon, call, stream, send };
}

test("a stream carries data both ways, and ends when the daemon has no more", async () => {
	const { daemon, stream, send } = await consoleOf();
	stream.write("abc");
	const data = await daemon.receive();
	assert.deepEqual([data.type, data.status, String(data.payload)], [MESSAGE_TYPES.STREAM, CONTINUE, "abc"]);
	send(CONTINUE, "hello ");
	send(CONTINUE, "world");
	send(CONTINUE);
	let text = "";
	for await (const part of stream) {
		text += part;
		if (text === "hello world") break;
	}
	assert.equal(text, "hello world");
});

test("a stream that was read to its end is finished by itself", async () => {
	const { daemon, stream, send } = await consoleOf();
	send(CONTINUE, "all");
	send(CONTINUE);
	const read = stream.toArray();
	const finish = await daemon.receive();
	assert.deepEqual([finish.type, finish.status, finish.payload.length], [MESSAGE_TYPES.STREAM, OK, 0]);
	send(OK);
	assert.equal(Buffer.concat(await read).toString(), "all");
});

test("ending a stream waits for the daemon's confirmation", async () => {
	const { daemon, stream, send } = await consoleOf();
	let finished = false;
	stream.on("finish", () => {
		finished = true;
	});
	stream.end("data");
	assert.equal((await daemon.receive()).status, CONTINUE);
	assert.equal((await daemon.receive()).status, OK);
	assert.equal(finished, false);
	const done = new Promise((resolve) => stream.once("finish", resolve));
	send(OK);
	await done;
});

test("a daemon that cannot take what was sent fails the stream", async () => {
	const { daemon, call, stream } = await consoleOf();
	const failed = new Promise((resolve) => stream.once("error", resolve));
	stream.end("data");
	await daemon.receive();
	await daemon.receive();
	daemon.answerError(call, new VirtError("SYSTEM_ERROR", "no space left"), MESSAGE_TYPES.STREAM);
	assert.ok(isVirtError("SYSTEM_ERROR", "no space left")(await failed));
});

test("destroying a stream aborts it at the daemon, and packets still under way are ignored", async () => {
	const { client, daemon, stream, send } = await consoleOf();
	stream.destroy();
	const abort = await daemon.receive();
	assert.deepEqual([abort.type, abort.status], [MESSAGE_TYPES.STREAM, ERROR]);
	send(CONTINUE, "late");
	send(OK);
	const next = client.call("CONNECT_GET_TYPE");
	daemon.answer(await daemon.receive(), "CONNECT_GET_TYPE", { type: "QEMU" });
	await next;
});

test("a call that fails has no stream", async () => {
	const { client, daemon } = await connected();
	const opening = client.callWithStream("DOMAIN_OPEN_CONSOLE", CONSOLE);
	daemon.answerError(await daemon.receive(), new VirtError("OPERATION_INVALID", "domain is not running"));
	await assert.rejects(opening, isVirtError("OPERATION_INVALID"));
});

test("when the connection is lost, streams fail", async () => {
	const { daemon, stream } = await consoleOf();
	const failed = new Promise((resolve) => stream.once("error", resolve));
	daemon.socket.destroy();
	assert.ok(isVirtError("RPC", "lost")(await failed));
});

test("what fails while a connection and a stream are in use is what is told, not that they were lost too", async () => {
	const { client, daemon, stream } = await consoleOf();
	const mine = new Error("mine");
	const use = async (): Promise<void> => {
		await using _connection = client;
		await using _stream = stream;
		const failed = new Promise((resolve) => stream.once("error", resolve));
		daemon.socket.destroy();
		await failed;
		throw mine;
	};
	await assert.rejects(use(), (error) => error === mine);
});

test("a stream that its reader leaves is aborted at the daemon, and its reader's error is the one told", async () => {
	const { daemon, stream } = await consoleOf();
	const mine = new Error("mine");
	const use = async (): Promise<void> => {
		await using _stream = stream;
		throw mine;
	};
	await assert.rejects(use(), (error) => error === mine);
	const abort = await daemon.receive();
	assert.deepEqual([abort.type, abort.status], [MESSAGE_TYPES.STREAM, ERROR]);
});
