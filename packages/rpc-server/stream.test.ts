// Streams: both directions, ends, aborts, back-pressure.

import assert from "node:assert/strict";
import { duplexPair, Readable } from "node:stream";
import { test } from "node:test";
import { VirtError } from "@virtkit/base/errors";
import { FRAME_LIMITS, MESSAGE_STATUS, MESSAGE_TYPES, type MessageStatus } from "@virtkit/protocol/frame";
import { isVirtError } from "@virtkit/testing/expect-error";
import { errorOf, type PeerMessage, RpcPeer } from "@virtkit/testing/rpc-peer";
import type { Handlers } from "./handler.ts";
import { RpcServer } from "./server.ts";
import type { ServerStream } from "./stream.ts";

const DOMAIN = { name: "vm", uuid: "6695eb01-f6a4-8304-79aa-97f2502e193f", id: 1 };
const CONSOLE = { dom: DOMAIN, devName: null, flags: 0 };
const { OK, ERROR, CONTINUE } = MESSAGE_STATUS;
const IDENTITY = {
	transport: "unix",
	remoteAddress: undefined,
	uid: undefined,
	gid: undefined,
	pid: undefined,
	userName: undefined,
	saslUserName: undefined,
	x509DistinguishedName: undefined,
} as const;

/** A peer of a server with these handlers, over a pair of streams in memory. */
function served(remote: Handlers): RpcPeer {
	const [here, there] = duplexPair();
	new RpcServer({ handlers: { remote } }).accept(there, { identity: IDENTITY });
	return new RpcPeer(here);
}

/** A peer whose console call is answered by `use`, called with the stream. */
function consoleOf(use: (stream: ServerStream) => void): RpcPeer {
	return served({
		DOMAIN_OPEN_CONSOLE: (context) => {
			// The answer does not wait for what is done with the stream.
			void use(context.openStream());
		},
		CONNECT_GET_TYPE: () => ({ type: "QEMU" }),
	});
}

function assertPacket(message: PeerMessage, serial: number, status: MessageStatus, data = ""): void {
	assert.deepEqual([message.type, message.serial, message.status], [MESSAGE_TYPES.STREAM, serial, status]);
	if (status !== ERROR) assert.equal(message.payload.toString(), data);
}

test("data flows both ways, after the reply and not before it", async () => {
	using peer = consoleOf((stream) => {
		stream.write("hello ");
		stream.on("data", (data: Buffer) => stream.write(data.toString().toUpperCase()));
	});
	await peer.call("DOMAIN_OPEN_CONSOLE", CONSOLE);
	assertPacket(await peer.receive(), 1, CONTINUE, "hello ");
	peer.sendStream("DOMAIN_OPEN_CONSOLE", 1, CONTINUE, Buffer.from("abc"));
	assertPacket(await peer.receive(), 1, CONTINUE, "ABC");
});

test("the end of what can be read is an empty packet, and the client's finish is confirmed", async () => {
	using peer = consoleOf((stream) => void stream.end("last words"));
	await peer.call("DOMAIN_OPEN_CONSOLE", CONSOLE);
	assertPacket(await peer.receive(), 1, CONTINUE, "last words");
	assertPacket(await peer.receive(), 1, CONTINUE);
	peer.sendStream("DOMAIN_OPEN_CONSOLE", 1, OK);
	assertPacket(await peer.receive(), 1, OK);
});

test("what a client sent before it finished is read to the end before the finish is confirmed", async () => {
	const read: string[] = [];
	using peer = consoleOf(async (stream) => {
		for await (const data of stream) {
			read.push(String(data));
			await new Promise(setImmediate);
		}
	});
	await peer.call("DOMAIN_OPEN_CONSOLE", CONSOLE);
	for (let packet = 0; packet < 20; packet++) {
		peer.sendStream("DOMAIN_OPEN_CONSOLE", 1, CONTINUE, Buffer.from(`${packet} `));
	}
	peer.sendStream("DOMAIN_OPEN_CONSOLE", 1, OK);
	assertPacket(await peer.receive(), 1, OK);
	assert.equal(read.join(""), Array.from({ length: 20 }, (_, packet) => `${packet} `).join(""));
});

test("a finish is confirmed once the handler has done what it must, or its failure is told", async () => {
	const order: string[] = [];
	using peer = served({
		DOMAIN_OPEN_CONSOLE: (context) => {
			context.openStream().onFinish(async () => {
				await new Promise(setImmediate);
				order.push("flushed");
			});
		},
		DOMAIN_OPEN_CHANNEL: (context) => {
			context.openStream().onFinish(() => {
				throw new VirtError("SYSTEM_ERROR", "no space left");
			});
		},
	});
	await peer.call("DOMAIN_OPEN_CONSOLE", CONSOLE);
	peer.sendStream("DOMAIN_OPEN_CONSOLE", 1, OK);
	assertPacket(await peer.receive(), 1, OK);
	assert.deepEqual(order, ["flushed"]);
	await peer.call("DOMAIN_OPEN_CHANNEL", { dom: DOMAIN, name: null, flags: 0 });
	peer.sendStream("DOMAIN_OPEN_CHANNEL", 2, OK);
	const failure = await peer.receive();
	assertPacket(failure, 2, ERROR);
	assert.equal(errorOf(failure).message, "no space left");
});

test("a client's abort destroys the stream without an error, and is confirmed", async () => {
	const closed = Promise.withResolvers<unknown>();
	using peer = consoleOf((stream) => {
		stream.on("error", closed.reject);
		stream.on("close", () => closed.resolve(undefined));
	});
	await peer.call("DOMAIN_OPEN_CONSOLE", CONSOLE);
	peer.sendStream("DOMAIN_OPEN_CONSOLE", 1, ERROR);
	assertPacket(await peer.receive(), 1, OK);
	await closed.promise;
});

test("a handler that destroys its stream with an error has the client told", async () => {
	using peer = consoleOf((stream) => {
		stream.once("data", () => stream.destroy(new VirtError("OPERATION_FAILED", "console disconnected")));
	});
	await peer.call("DOMAIN_OPEN_CONSOLE", CONSOLE);
	peer.sendStream("DOMAIN_OPEN_CONSOLE", 1, CONTINUE, Buffer.from("x"));
	const message = await peer.receive();
	assertPacket(message, 1, ERROR);
	assert.equal(errorOf(message).message, "operation failed: console disconnected");
});

test("packets for a stream that is over, or never was, are ignored", async () => {
	using peer = consoleOf((stream) => void stream.destroy());
	await peer.call("DOMAIN_OPEN_CONSOLE", CONSOLE);
	assertPacket(await peer.receive(), 1, ERROR);
	for (const serial of [1, 99]) {
		for (const status of [CONTINUE, OK, ERROR]) peer.sendStream("DOMAIN_OPEN_CONSOLE", serial, status);
	}
	assert.deepEqual(await peer.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
});

test("a call that fails has no stream, whatever its handler did with it", async () => {
	const closed = Promise.withResolvers<void>();
	using peer = served({
		DOMAIN_OPEN_CONSOLE: (context) => {
			const stream = context.openStream();
			stream.on("close", closed.resolve);
			stream.write("never seen");
			throw new VirtError("OPERATION_INVALID", "domain is not running");
		},
		CONNECT_GET_TYPE: () => ({ type: "QEMU" }),
	});
	await assert.rejects(() => peer.call("DOMAIN_OPEN_CONSOLE", CONSOLE), isVirtError("OPERATION_INVALID"));
	await closed.promise;
	assert.deepEqual(await peer.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
});

test("a procedure declared without a stream cannot open one", async () => {
	using peer = served({
		CONNECT_GET_TYPE: (context) => {
			context.openStream();
			return { type: "QEMU" };
		},
	});
	await assert.rejects(() => peer.call("CONNECT_GET_TYPE", undefined), isVirtError("INTERNAL_ERROR", "no stream"));
});

test("when the client goes, its streams are destroyed", async () => {
	const closed = Promise.withResolvers<void>();
	using peer = consoleOf((stream) => stream.on("close", closed.resolve));
	await peer.call("DOMAIN_OPEN_CONSOLE", CONSOLE);
	peer.socket.destroy();
	await closed.promise;
});

test("large data is cut into packets that every libvirt can read", async () => {
	const data = Buffer.alloc(FRAME_LIMITS.STREAM_PAYLOAD_MAX * 2 + 1, "abc");
	using peer = consoleOf((stream) => void stream.end(data));
	await peer.call("DOMAIN_OPEN_CONSOLE", CONSOLE);
	const sizes: number[] = [];
	const parts: Buffer[] = [];
	for (;;) {
		const { payload } = await peer.receive();
		if (payload.length === 0) break;
		sizes.push(payload.length);
		parts.push(payload);
	}
	assert.deepEqual(sizes, [FRAME_LIMITS.STREAM_PAYLOAD_MAX, FRAME_LIMITS.STREAM_PAYLOAD_MAX, 1]);
	assert.ok(Buffer.concat(parts).equals(data));
});

test("a handler that writes to a client that does not read is made to wait", async () => {
	let written = 0;
	function* blocks(): Generator<Buffer> {
		for (; written < 500; written++) yield Buffer.alloc(100_000);
	}
	using peer = consoleOf((stream) => Readable.from(blocks()).pipe(stream));
	await peer.call("DOMAIN_OPEN_CONSOLE", CONSOLE);
	peer.socket.pause();
	for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
	assert.ok(written < 100, `${written * 100} kB were taken for a client that reads nothing`);
	peer.socket.resume();
	let received = 0;
	for (let message = await peer.receive(); message.payload.length > 0; message = await peer.receive()) {
		received += message.payload.length;
	}
	assert.equal(received, 50_000_000);
});

test("a client that writes to a handler that does not read is not read any further", async () => {
	let stream: ServerStream | undefined;
	using peer = consoleOf((opened) => {
		stream = opened;
	});
	await peer.call("DOMAIN_OPEN_CONSOLE", CONSOLE);
	for (let packet = 0; packet < 300; packet++) {
		peer.sendStream("DOMAIN_OPEN_CONSOLE", 1, CONTINUE, Buffer.alloc(100_000, packet));
	}
	peer.sendStream("DOMAIN_OPEN_CONSOLE", 1, OK);
	for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
	assert.ok(stream);
	assert.ok(
		stream.readableLength < 3_000_000,
		`${stream.readableLength} bytes are held for a handler that reads nothing`,
	);
	let read = 0;
	for await (const data of stream) read += (data as Buffer).length;
	assert.equal(read, 30_000_000);
	assertPacket(await peer.receive(), 1, OK);
});
