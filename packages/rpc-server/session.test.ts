// A client's connection over a real socket: calls, events, limits, bad input, the end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtError } from "@virtkit/base/errors";
import { FRAME_LIMITS, MESSAGE_STATUS, MESSAGE_TYPES } from "@virtkit/protocol/frame";
import { PROGRAMS } from "@virtkit/protocol/programs";
import { isVirtError } from "@virtkit/testing/expect-error";
import { answerOf, errorOf, eventOf, RpcPeer } from "@virtkit/testing/rpc-peer";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import type { Client, Handlers } from "./handler.ts";
import { listenUnix } from "./listen.ts";
import type { Limits } from "./options.ts";
import { RpcServer, type RpcServerOptions } from "./server.ts";

const DOMAIN = { name: "vm", uuid: "6695eb01-f6a4-8304-79aa-97f2502e193f", id: -1 };
const KEEPALIVE = PROGRAMS.keepalive;

interface Served extends AsyncDisposable {
	readonly server: RpcServer;
	readonly clients: Client[];
	open(): Promise<RpcPeer>;
}

/** A server with these handlers on a socket of its own. */
async function serve(
	remote: Handlers,
	options: Partial<RpcServerOptions> & { readonly limits?: Partial<Limits>; readonly readOnly?: boolean } = {},
): Promise<Served> {
	const folder = temporaryFolder();
	const clients: Client[] = [];
	const server = new RpcServer({ handlers: { remote }, onConnect: (client) => clients.push(client), ...options });
	const listener = await listenUnix(server, { path: folder.file("sock"), readOnly: options.readOnly ?? false });
	const peers: RpcPeer[] = [];
	return {
		server,
		clients,
		open: async () => {
			const peer = await RpcPeer.open(listener.address);
			peers.push(peer);
			return peer;
		},
		[Symbol.asyncDispose]: async () => {
			for (const peer of peers) peer[Symbol.dispose]();
			await listener.close();
			await server.close(0);
			folder[Symbol.dispose]();
		},
	};
}

test("a call is answered with what its handler returns, at once or later", async () => {
	await using served = await serve({
		CONNECT_GET_TYPE: () => ({ type: "QEMU" }),
		DOMAIN_LOOKUP_BY_NAME: async (_context, { name }) => ({ dom: { ...DOMAIN, name } }),
	});
	const peer = await served.open();
	assert.deepEqual(await peer.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
	assert.deepEqual(await peer.call("DOMAIN_LOOKUP_BY_NAME", { name: "x" }), { dom: { ...DOMAIN, name: "x" } });
});

test("a handler's error reaches the client whole, thrown or rejected", async () => {
	const error = new VirtError("NO_DOMAIN", "no domain with matching name 'x'", { domain: "QEMU", int1: 4 });
	await using served = await serve({
		DOMAIN_LOOKUP_BY_NAME: () => {
			throw error;
		},
		DOMAIN_LOOKUP_BY_ID: async () => {
			throw error;
		},
	});
	const peer = await served.open();
	for (const call of [
		() => peer.call("DOMAIN_LOOKUP_BY_NAME", { name: "x" }),
		() => peer.call("DOMAIN_LOOKUP_BY_ID", { id: 1 }),
	]) {
		await assert.rejects(call, (got: VirtError) => {
			assert.deepEqual([got.code, got.domain, got.message, got.int1], ["NO_DOMAIN", "QEMU", error.message, 4]);
			return true;
		});
	}
});

test("an unforeseen failure of a handler is an internal error, and the connection goes on", async () => {
	await using served = await serve({
		CONNECT_GET_TYPE: () => {
			throw new TypeError("oops");
		},
		CONNECT_GET_URI: () => ({ uri: "qemu:///system" }),
	});
	const peer = await served.open();
	await assert.rejects(() => peer.call("CONNECT_GET_TYPE", undefined), isVirtError("INTERNAL_ERROR", "oops"));
	assert.deepEqual(await peer.call("CONNECT_GET_URI", undefined), { uri: "qemu:///system" });
});

test("a result that cannot be sent is an error of the call, and the connection goes on", async () => {
	await using served = await serve({
		CONNECT_GET_TYPE: () => ({ type: "x".repeat(5_000_000) }),
		CONNECT_NUM_OF_DOMAINS: async () => ({ num: 2 ** 40 }),
		CONNECT_GET_URI: () => ({ uri: "qemu:///system" }),
	});
	const peer = await served.open();
	await assert.rejects(() => peer.call("CONNECT_GET_TYPE", undefined), isVirtError("RPC", "Unable to encode"));
	await assert.rejects(() => peer.call("CONNECT_NUM_OF_DOMAINS", undefined), isVirtError("RPC", "Unable to encode"));
	assert.deepEqual(await peer.call("CONNECT_GET_URI", undefined), { uri: "qemu:///system" });
});

test("a procedure without a handler is answered as not supported, in libvirt's words", async () => {
	await using served = await serve({});
	const peer = await served.open();
	await assert.rejects(
		() => peer.call("STORAGE_POOL_LOOKUP_BY_NAME", { name: "x" }),
		(got: VirtError) => {
			assert.deepEqual([got.code, got.domain], ["NO_SUPPORT", "STORAGE"]);
			assert.equal(got.message, "this function is not supported by the connection driver: virStoragePoolLookupByName");
			return true;
		},
	);
});

/** Calls that are no calls of this server: the header, and what is said about it. */
const WRONG_CALLS = [
	["unknown program", { program: 0x2000_8088 }, "Cannot find program 536903816 version 1"],
	["program without handlers", { program: PROGRAMS.lxc.number }, "Cannot find program 425984 version 1"],
	["unknown version", { version: 2 }, "Cannot find program 536903814 version 2"],
	["unknown procedure", { procedure: 9999 }, "unknown procedure: 9999"],
	["negative procedure", { procedure: -1 }, "unknown procedure: -1"],
	["number of an event", { procedure: 107 }, "unknown procedure: 107"],
	["status that calls do not have", { status: MESSAGE_STATUS.CONTINUE, procedure: 3 }, "Unexpected message status 2"],
] as const;

for (const [what, header, says] of WRONG_CALLS) {
	test(`a call with ${what} is refused, and the connection goes on`, async () => {
		await using served = await serve({ CONNECT_GET_TYPE: () => ({ type: "QEMU" }) });
		const peer = await served.open();
		peer.send({ ...header, serial: 77 });
		const message = await peer.receive();
		assert.deepEqual([message.type, message.serial, message.status], [MESSAGE_TYPES.REPLY, 77, MESSAGE_STATUS.ERROR]);
		const error = errorOf(message);
		assert.deepEqual([error.code, error.domain], ["RPC", "RPC"]);
		assert.match(error.message, new RegExp(says));
		assert.deepEqual(await peer.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
	});
}

for (const [what, payload] of [
	["too short", Buffer.alloc(0)],
	["too long", Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])],
	["of an impossible length", Buffer.from([0xff, 0xff, 0xff, 0xff])],
] as const) {
	test(`arguments ${what} are refused, and the connection goes on`, async () => {
		await using served = await serve({
			DOMAIN_LOOKUP_BY_NAME: () => ({ dom: DOMAIN }),
			CONNECT_GET_TYPE: () => ({ type: "QEMU" }),
		});
		const peer = await served.open();
		peer.send({ procedure: 23 }, payload);
		assert.match(errorOf(await peer.receive()).message, /Unable to decode message payload/);
		assert.deepEqual(await peer.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
	});
}

for (const [what, bytes] of [
	["a length too small", Buffer.from([0, 0, 0, 5])],
	["a length too large", Buffer.from([0xff, 0, 0, 0])],
	["an HTTP request", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
	["an unknown message type", Buffer.from("0000001c2000808600000001000000010000000900000001" + "00000000", "hex")],
] as const) {
	test(`${what} costs that client its connection, and no other`, async () => {
		await using served = await serve({ CONNECT_GET_TYPE: () => ({ type: "QEMU" }) });
		const [bad, good] = [await served.open(), await served.open()];
		bad.sendBytes(bytes);
		await bad.closed;
		assert.deepEqual(await good.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
		assert.equal(served.server.clients.size, 1);
	});
}

test("many calls sent in one go, cut anywhere, are answered in their order", async () => {
	await using served = await serve({ DOMAIN_LOOKUP_BY_ID: (_context, { id }) => ({ dom: { ...DOMAIN, id } }) });
	const peer = await served.open();
	const calls = Array.from({ length: 500 }, (_, id) => peer.encodeCall("DOMAIN_LOOKUP_BY_ID", { id }, id + 1));
	const bytes = Buffer.concat(calls);
	for (let at = 0; at < bytes.length; at += 1013) peer.sendBytes(bytes.subarray(at, at + 1013));
	for (let id = 0; id < 500; id++) {
		const message = await peer.receive();
		assert.deepEqual([message.serial, answerOf("DOMAIN_LOOKUP_BY_ID", message).dom.id], [id + 1, id]);
	}
});

test("a slow call does not hold up later ones", async () => {
	const slow = Promise.withResolvers<void>();
	await using served = await serve({
		CONNECT_GET_TYPE: async () => {
			await slow.promise;
			return { type: "QEMU" };
		},
		CONNECT_GET_URI: () => ({ uri: "qemu:///system" }),
	});
	const peer = await served.open();
	const serial = peer.sendCall("CONNECT_GET_TYPE", undefined);
	assert.deepEqual(await peer.call("CONNECT_GET_URI", undefined), { uri: "qemu:///system" });
	slow.resolve();
	assert.equal((await peer.receive()).serial, serial);
});

test("no more calls of a client run at once than allowed; the rest is answered afterwards", async () => {
	const gate = Promise.withResolvers<void>();
	let running = 0;
	let most = 0;
	await using served = await serve(
		{
			CONNECT_NUM_OF_DOMAINS: async () => {
				most = Math.max(most, ++running);
				await gate.promise;
				running--;
				return { num: 1 };
			},
			CONNECT_GET_TYPE: () => ({ type: "QEMU" }),
		},
		{ limits: { maxRequestsPerClient: 3 } },
	);
	const [peer, other] = [await served.open(), await served.open()];
	const serials = Array.from({ length: 10 }, () => peer.sendCall("CONNECT_NUM_OF_DOMAINS", undefined));
	// Another client's call shows that the server has read everything by now.
	assert.deepEqual(await other.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
	assert.deepEqual([running, peer.waiting], [3, 0]);
	gate.resolve();
	const answered = [];
	for (const _ of serials) answered.push((await peer.receive()).serial);
	assert.deepEqual(answered, serials);
	assert.equal(most, 3);
});

test("more clients than allowed are turned away, and let in once one has gone", async () => {
	await using served = await serve({ CONNECT_GET_TYPE: () => ({ type: "QEMU" }) }, { limits: { maxClients: 1 } });
	const first = await served.open();
	assert.deepEqual(await first.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
	await (await served.open()).closed;
	const gone = Promise.withResolvers<void>();
	served.clients[0]?.onClose(gone.resolve);
	first[Symbol.dispose]();
	await gone.promise;
	const next = await served.open();
	assert.deepEqual(await next.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
});

test("an event leaves after the reply of the call that caused it, in a handler that waits too", async () => {
	const event = { callbackID: 1, msg: { dom: DOMAIN, event: 2, detail: 0 } };
	await using served = await serve({
		DOMAIN_CREATE: ({ client }) => client.sendEvent("DOMAIN_EVENT_CALLBACK_LIFECYCLE", event),
		DOMAIN_RESUME: async ({ client }) => {
			await Promise.resolve();
			client.sendEvent("DOMAIN_EVENT_CALLBACK_LIFECYCLE", event);
		},
	});
	const peer = await served.open();
	for (const name of ["DOMAIN_CREATE", "DOMAIN_RESUME"] as const) {
		await peer.call(name, { dom: DOMAIN });
		const message = await peer.receive();
		assert.deepEqual([message.type, message.serial], [MESSAGE_TYPES.EVENT, 0]);
		assert.deepEqual(eventOf("DOMAIN_EVENT_CALLBACK_LIFECYCLE", message), event);
	}
});

test("events keep their order", async () => {
	await using served = await serve({});
	const peer = await served.open();
	await assert.rejects(peer.call("CONNECT_GET_TYPE", undefined));
	for (let id = 0; id < 100; id++) {
		served.clients[0]?.sendEvent("DOMAIN_EVENT_CALLBACK_DEVICE_ADDED", { callbackID: id, dom: DOMAIN, devAlias: "x" });
	}
	for (let id = 0; id < 100; id++) {
		assert.equal(eventOf("DOMAIN_EVENT_CALLBACK_DEVICE_ADDED", await peer.receive()).callbackID, id);
	}
});

test("a client that reads nothing is disconnected when too much waits for it", async () => {
	await using served = await serve(
		{ CONNECT_GET_TYPE: () => ({ type: "QEMU" }) },
		{ limits: { maxUnsentBytes: 4_000_000 } },
	);
	const peer = await served.open();
	await peer.call("CONNECT_GET_TYPE", undefined);
	peer.socket.pause();
	const client = served.clients[0] as Client;
	const devAlias = "x".repeat(1_000_000);
	while (!client.signal.aborted) {
		client.sendEvent("DOMAIN_EVENT_CALLBACK_DEVICE_ADDED", { callbackID: 0, dom: DOMAIN, devAlias });
		await new Promise(setImmediate);
	}
	assert.equal(client.signal.aborted, true);
});

test("a client that asks much and reads nothing is not read any further", async () => {
	let answered = 0;
	await using served = await serve({
		CONNECT_GET_CAPABILITIES: () => {
			answered++;
			return { capabilities: "x".repeat(100_000) };
		},
		CONNECT_GET_TYPE: () => ({ type: "QEMU" }),
	});
	const [peer, other] = [await served.open(), await served.open()];
	peer.socket.pause();
	const calls = Array.from({ length: 2000 }, (_, serial) =>
		peer.encodeCall("CONNECT_GET_CAPABILITIES", undefined, serial + 1),
	);
	peer.sendBytes(Buffer.concat(calls));
	for (let round = 0; round < 20; round++) await other.call("CONNECT_GET_TYPE", undefined);
	assert.ok(answered < 200, `${answered} answers of 100 kB were made for nobody`);
	peer.socket.resume();
	for (let serial = 1; serial <= 2000; serial++) assert.equal((await peer.receive()).serial, serial);
});

test("when a client goes, its calls are told and its cleanups run, last one first", async () => {
	const order: string[] = [];
	const started = Promise.withResolvers<void>();
	const done = Promise.withResolvers<void>();
	await using served = await serve({
		DOMAIN_CREATE: async ({ client, signal }) => {
			client.onClose(() => done.resolve());
			client.onClose(() => void order.push("first registered"));
			client.onClose(async () => void order.push("last registered"));
			signal.addEventListener("abort", () => order.push("aborted"));
			started.resolve();
			await done.promise;
		},
	});
	const peer = await served.open();
	peer.sendCall("DOMAIN_CREATE", { dom: DOMAIN });
	await started.promise;
	peer[Symbol.dispose]();
	await done.promise;
	assert.deepEqual(order, ["aborted", "last registered", "first registered"]);
	const late = Promise.withResolvers<void>();
	served.clients[0]?.onClose(late.resolve);
	await late.promise;
});

test("a cleanup that fails keeps no other from running", async () => {
	const done = Promise.withResolvers<void>();
	await using served = await serve({});
	const peer = await served.open();
	await assert.rejects(peer.call("CONNECT_GET_TYPE", undefined));
	served.clients[0]?.onClose(done.resolve);
	served.clients[0]?.onClose(() => {
		throw new Error("no");
	});
	peer[Symbol.dispose]();
	await done.promise;
});

test("a read-only client may look, and nothing more", async () => {
	await using served = await serve(
		{
			DOMAIN_GET_XML_DESC: () => ({ xml: "<domain/>" }),
			DOMAIN_DESTROY: () => assert.fail("a read-only client has destroyed a domain"),
		},
		{ readOnly: true },
	);
	const peer = await served.open();
	assert.deepEqual(await peer.call("DOMAIN_GET_XML_DESC", { dom: DOMAIN, flags: 0 }), { xml: "<domain/>" });
	const refused = (...says: string[]) => isVirtError("OPERATION_DENIED", "operation forbidden: ", ...says);
	await assert.rejects(
		() => peer.call("DOMAIN_GET_XML_DESC", { dom: DOMAIN, flags: 1 }),
		refused("virDomainGetXMLDesc with secure flag"),
	);
	await assert.rejects(
		() => peer.call("DOMAIN_DESTROY", { dom: DOMAIN }),
		refused("read only access prevents virDomainDestroy"),
	);
});

test("the guard sees every call before its handler, and may refuse it", async () => {
	const seen: unknown[] = [];
	await using served = await serve(
		{ DOMAIN_LOOKUP_BY_ID: () => assert.fail("the guard has refused this call") },
		{
			guard: (_context, program, name, args) => {
				seen.push([program, name, args]);
				throw new VirtError("ACCESS_DENIED", "'QEMU' denied access");
			},
		},
	);
	const peer = await served.open();
	await assert.rejects(() => peer.call("DOMAIN_LOOKUP_BY_ID", { id: 5 }), isVirtError("ACCESS_DENIED"));
	assert.deepEqual(seen, [["remote", "DOMAIN_LOOKUP_BY_ID", { id: 5 }]]);
});

test("no authentication is asked for, and giving it all the same is an error", async () => {
	await using served = await serve({});
	const peer = await served.open();
	assert.deepEqual(await peer.call("AUTH_LIST", undefined), { types: [0] });
	await assert.rejects(() => peer.call("AUTH_SASL_INIT", undefined), isVirtError("AUTH_FAILED"));
});

test("a ping is answered with a pong, also while calls are being answered", async () => {
	await using served = await serve({ CONNECT_GET_TYPE: () => new Promise(() => undefined) });
	const peer = await served.open();
	peer.sendCall("CONNECT_GET_TYPE", undefined);
	const { PING, PONG } = KEEPALIVE.procedures;
	peer.send({ program: KEEPALIVE.number, procedure: PING.number, type: MESSAGE_TYPES.EVENT, serial: 0 });
	const { program, procedure, type, serial } = await peer.receive();
	assert.deepEqual([program, procedure, type, serial], [KEEPALIVE.number, PONG.number, MESSAGE_TYPES.EVENT, 0]);
});

test("a client that announced keepalive and answers nothing is pinged, then disconnected", async () => {
	await using served = await serve({}, { limits: { keepaliveInterval: 5, keepaliveCount: 2 } });
	const peer = await served.open();
	assert.deepEqual(await peer.call("CONNECT_SUPPORTS_FEATURE", { feature: 10 }), { supported: 1 });
	for (let ping = 0; ping < 2; ping++) assert.equal((await peer.receive()).program, KEEPALIVE.number);
	await peer.closed;
});

test("a client that did not announce keepalive is never pinged", async () => {
	await using served = await serve(
		{ CONNECT_GET_TYPE: async () => new Promise((resolve) => setTimeout(resolve, 60, { type: "QEMU" })) },
		{ limits: { keepaliveInterval: 5, keepaliveCount: 1 } },
	);
	const peer = await served.open();
	assert.deepEqual(await peer.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
});

test("closing a client from its handler still sends the answer", async () => {
	await using served = await serve({ CONNECT_CLOSE: ({ client }) => client.close() });
	const peer = await served.open();
	await peer.call("CONNECT_CLOSE", undefined);
	await peer.closed;
});

test("an orderly shutdown answers what is under way, and takes nothing more", async () => {
	const gate = Promise.withResolvers<void>();
	const started = Promise.withResolvers<void>();
	await using served = await serve({
		CONNECT_GET_TYPE: async () => {
			started.resolve();
			await gate.promise;
			return { type: "QEMU" };
		},
	});
	const [busy, idle] = [await served.open(), await served.open()];
	await assert.rejects(idle.call("CONNECT_GET_URI", undefined));
	busy.sendCall("CONNECT_GET_TYPE", undefined);
	await started.promise;
	const closed = served.server.close(60_000);
	await idle.closed;
	gate.resolve();
	assert.deepEqual(answerOf("CONNECT_GET_TYPE", await busy.receive()), { type: "QEMU" });
	await busy.closed;
	await closed;
	assert.equal(served.server.clients.size, 0);
});

test("a shutdown does not wait for ever for a call that does not end", async () => {
	const started = Promise.withResolvers<void>();
	await using served = await serve({
		CONNECT_GET_TYPE: () => {
			started.resolve();
			return new Promise(() => undefined);
		},
	});
	const peer = await served.open();
	peer.sendCall("CONNECT_GET_TYPE", undefined);
	await started.promise;
	await served.server.close(10);
	await peer.closed;
});

test("a client that sends half a message and goes leaves nothing behind", async () => {
	await using served = await serve({ CONNECT_GET_TYPE: () => ({ type: "QEMU" }) });
	const peer = await served.open();
	await peer.call("CONNECT_GET_TYPE", undefined);
	const half = Buffer.alloc(FRAME_LIMITS.HEADER_BYTES);
	half.writeUInt32BE(1000);
	peer.sendBytes(half);
	const gone = Promise.withResolvers<void>();
	served.clients[0]?.onClose(gone.resolve);
	peer.socket.end();
	await gone.promise;
	await peer.closed;
});
