// Descriptors over a connection: they arrive open and whole, none is left behind, and who breaks the rules is disconnected.

import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, fstatSync, openSync, readSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { test } from "node:test";
import { VirtError } from "@virtkit/base/errors";
import { closeDescriptor, duplicateDescriptor, receiveFd, sendFds, socketDescriptor } from "@virtkit/host/native";
import { MESSAGE_TYPES } from "@virtkit/protocol/frame";
import { remoteProcedures } from "@virtkit/protocol/programs";
import { openDescriptors } from "@virtkit/testing/open-files";
import { until } from "@virtkit/testing/qemu-driver";
import { errorOf, RpcPeer } from "@virtkit/testing/rpc-peer";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { encodeValue } from "@virtkit/xdr/codec";
import type { ClientContext, Handlers } from "./handler.ts";
import { listenUnix } from "./listen.ts";
import { RpcServer } from "./server.ts";

const DOMAIN = { name: "vm", uuid: "6695eb01-f6a4-8304-79aa-97f2502e193f", id: -1 };
const FD_ASSOCIATE = remoteProcedures.DOMAIN_FD_ASSOCIATE;
const FEATURE_FD_PASSING = 8;

interface Served extends AsyncDisposable {
	/** A file, open in this process, and what is in it. */
	readonly fd: number;
	open(): Promise<RpcPeer>;
	/** How many descriptors lead to that file in this process, which is the server's and the client's. */
	opened(): number;
}

async function serve(handlers: Handlers): Promise<Served> {
	const folder = temporaryFolder();
	writeFileSync(folder.file("disk"), "contents");
	const fd = openSync(folder.file("disk"), "r");
	const server = new RpcServer({ handlers: { remote: handlers } });
	const listener = await listenUnix(server, { path: folder.file("sock") });
	const peers: RpcPeer[] = [];
	return {
		fd,
		open: async () => {
			const peer = await RpcPeer.open(listener.address);
			peers.push(peer);
			return peer;
		},
		opened: () => openDescriptors("self", folder.file("disk")),
		[Symbol.asyncDispose]: async () => {
			for (const peer of peers) peer[Symbol.dispose]();
			await listener.close();
			await server.close(0);
			closeSync(fd);
			folder[Symbol.dispose]();
		},
	};
}

/** A message that announces `count` descriptors. */
function announcing(peer: RpcPeer, count: number, serial: number): Buffer {
	const args = encodeValue(FD_ASSOCIATE.args, { dom: DOMAIN, name: "disk", flags: 0 });
	const announced = Buffer.alloc(4);
	announced.writeUInt32BE(count);
	return peer.encode(
		{ procedure: FD_ASSOCIATE.number, serial, type: MESSAGE_TYPES.CALL_WITH_FDS },
		Buffer.concat([announced, args]),
	);
}

/** Sends copies of `fds` as libvirt's clients do: each with a byte of its own. */
function pass(peer: RpcPeer, fds: readonly number[], together = false): void {
	const socket = socketDescriptor(peer.socket as Socket);
	for (const some of together ? [fds] : fds.map((fd) => [fd])) sendFds(socket, Buffer.from([0]), some);
}

const ask = (peer: RpcPeer) => peer.call("CONNECT_SUPPORTS_FEATURE", { feature: FEATURE_FD_PASSING });

function contentsOf(fd: number): string {
	const buffer = Buffer.alloc(100);
	return buffer.toString("utf8", 0, readSync(fd, buffer, 0, buffer.length, 0));
}

const TYPE: Handlers = { CONNECT_GET_TYPE: () => ({ type: "QEMU" }) };

/** Waits until the only descriptor of the file is the test's own. */
const untilClosed = (served: Served): Promise<void> => until(() => served.opened() === 1, "descriptors are closed");

test("a call's descriptors reach its handler open and in order, and are closed once it is answered", async () => {
	const seen: string[][] = [];
	await using served = await serve({
		...TYPE,
		DOMAIN_FD_ASSOCIATE: async ({ descriptors }) => {
			await new Promise((resolve) => setImmediate(resolve));
			seen.push(descriptors.map(contentsOf));
		},
	});
	const peer = await served.open();
	assert.deepEqual(await ask(peer), { supported: 1 });
	for (const count of [1, 2, 32]) {
		peer.sendBytes(announcing(peer, count, count));
		pass(peer, Array<number>(count).fill(served.fd));
		const { serial, status } = await peer.receive();
		assert.deepEqual([serial, status], [count, 0]);
		assert.deepEqual(seen.pop(), Array(count).fill("contents"));
		assert.equal(served.opened(), 1);
	}
	assert.deepEqual(await peer.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
});

test("calls written in one go with a call that passes descriptors are answered in order, however late the descriptors come", async () => {
	await using served = await serve({ ...TYPE, DOMAIN_FD_ASSOCIATE: () => undefined });
	const peer = await served.open();
	await ask(peer);
	const plain = peer.encodeCall("CONNECT_GET_TYPE", undefined, 1);
	peer.sendBytes(Buffer.concat([plain, plain, announcing(peer, 1, 2)]));
	await peer.receive();
	await peer.receive();
	pass(peer, [served.fd]);
	peer.sendBytes(plain);
	assert.equal((await peer.receive()).serial, 2);
	assert.equal((await peer.receive()).serial, 1);
});

test("messages that arrive byte by byte are read as well on a connection that may pass descriptors", async () => {
	await using served = await serve({ ...TYPE, DOMAIN_FD_ASSOCIATE: () => undefined });
	const peer = await served.open();
	await ask(peer);
	for (const byte of announcing(peer, 1, 5)) {
		peer.sendBytes(Buffer.from([byte]));
		await new Promise((resolve) => setImmediate(resolve));
	}
	pass(peer, [served.fd]);
	assert.equal((await peer.receive()).serial, 5);
});

test("descriptors that a handler answers with arrive between its reply and what is sent next", async () => {
	let file = -1;
	await using served = await serve({
		...TYPE,
		DOMAIN_OPEN_GRAPHICS_FD: (context) => context.sendDescriptors([duplicateDescriptor(file)]),
	});
	file = served.fd;
	const peer = await served.open();
	await ask(peer);
	// Read by hand from here on: Node would read past the descriptors.
	const socket = peer.socket as Socket;
	socket.pause();
	socket.removeAllListeners("data");
	const call = { dom: DOMAIN, idx: 0, flags: 0 };
	const plain = peer.encodeCall("CONNECT_GET_TYPE", undefined, 9);
	peer.sendBytes(Buffer.concat([peer.encodeCall("DOMAIN_OPEN_GRAPHICS_FD", call, 7), plain]));
	// 28 bytes of reply, 4 that say how many descriptors.
	for (let at = 0; at < 32; at++) await readByte(socket);
	const received = await receive(socket);
	assert.equal(contentsOf(received), "contents");
	closeDescriptor(received);
	const next = Buffer.from([
		await readByte(socket),
		await readByte(socket),
		await readByte(socket),
		await readByte(socket),
	]);
	assert.equal(next.readUInt32BE(), 28 + 8, "the next reply follows");
	await untilClosed(served);
});

async function readByte(socket: Socket): Promise<number> {
	const byte = Buffer.alloc(1);
	for (;;) {
		try {
			assert.equal(readSync(socketDescriptor(socket), byte, 0, 1, null), 1);
			return byte[0] as number;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
			await new Promise((resolve) => setImmediate(resolve));
		}
	}
}

async function receive(socket: Socket): Promise<number> {
	for (;;) {
		const fd = receiveFd(socketDescriptor(socket));
		if (fd !== undefined) return fd;
		await new Promise((resolve) => setImmediate(resolve));
	}
}

test("a handler that asks for a descriptor the client did not send is answered as libvirt does", async () => {
	await using served = await serve({
		DOMAIN_FD_ASSOCIATE: (context: ClientContext) => void fstatSync(context.descriptorAt(1)),
	});
	const peer = await served.open();
	await ask(peer);
	peer.sendBytes(announcing(peer, 1, 3));
	pass(peer, [served.fd]);
	const error = errorOf(await peer.receive());
	assert.deepEqual([error.code, error.domain], ["INTERNAL_ERROR", "RPC"]);
	assert.match(error.message, /No FD available at slot 1/);
	assert.equal(served.opened(), 1);
});

test("descriptors of a call that is refused, or that nobody handles, are closed", async () => {
	await using served = await serve({
		DOMAIN_FD_ASSOCIATE: () => {
			throw new VirtError("OPERATION_FAILED", "no");
		},
	});
	const peer = await served.open();
	await ask(peer);
	for (const procedure of [FD_ASSOCIATE.number, remoteProcedures.DOMAIN_CREATE_WITH_FILES.number, 9999]) {
		const bytes = announcing(peer, 2, 1);
		bytes.writeInt32BE(procedure, 12);
		peer.sendBytes(bytes);
		pass(peer, [served.fd, served.fd]);
		assert.equal((await peer.receive()).status, 1);
		assert.equal(served.opened(), 1);
	}
});

interface Attack {
	readonly what: string;
	/** Whether it has asked if descriptors may be passed. */
	readonly asks: boolean;
	/** What it sends. */
	readonly bytes?: (peer: RpcPeer) => Uint8Array;
	/** How many descriptors it sends after that. */
	readonly passes?: number;
	readonly together?: boolean;
	readonly hangsUp?: boolean;
}

/** What costs a client its connection. */
const HOSTILE: readonly Attack[] = [
	{ what: "passes descriptors without having asked", asks: false, bytes: (peer) => announcing(peer, 1, 1), passes: 1 },
	{ what: "passes descriptors that no message announces", asks: true, passes: 40 },
	{ what: "announces 33 descriptors", asks: true, bytes: (peer) => announcing(peer, 33, 1) },
	{ what: "announces four billion", asks: true, bytes: (peer) => announcing(peer, 0xffff_ffff, 1) },
	{ what: "sends two at once", asks: true, bytes: (peer) => announcing(peer, 2, 1), passes: 2, together: true },
	{ what: "sends more than it announces", asks: true, bytes: (peer) => announcing(peer, 1, 1), passes: 41 },
	{
		what: "sends bytes instead of descriptors",
		asks: true,
		bytes: (peer) => Buffer.concat([announcing(peer, 1, 1), Buffer.alloc(8)]),
	},
	{
		what: "announces without a payload",
		asks: true,
		bytes: (peer) => peer.encode({ type: MESSAGE_TYPES.CALL_WITH_FDS }),
	},
	{
		what: "hangs up before it has sent all",
		asks: true,
		bytes: (peer) => announcing(peer, 2, 1),
		passes: 1,
		hangsUp: true,
	},
];

for (const { what, asks, bytes, passes = 0, together, hangsUp } of HOSTILE) {
	test(`a client that ${what} is disconnected, and no descriptor stays open`, async () => {
		await using served = await serve({ ...TYPE, DOMAIN_FD_ASSOCIATE: () => undefined });
		const other = await served.open();
		await other.call("CONNECT_GET_TYPE", undefined);
		const peer = await served.open();
		if (asks) await ask(peer);
		if (bytes) peer.sendBytes(bytes(peer));
		pass(peer, Array<number>(passes).fill(served.fd), together);
		if (hangsUp) (peer.socket as Socket).end();
		await peer.closed;
		await untilClosed(served);
		assert.deepEqual(await other.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
	});
}

test("a client that goes while its descriptors wait to be taken leaves none open", async () => {
	const { promise: stuck, resolve: release } = Promise.withResolvers<void>();
	await using served = await serve({ ...TYPE, DOMAIN_FD_ASSOCIATE: () => stuck });
	const peer = await served.open();
	await ask(peer);
	for (let serial = 1; serial <= 8; serial++) {
		peer.sendBytes(announcing(peer, 1, serial));
		pass(peer, [served.fd]);
	}
	peer.socket.destroy();
	await once(peer.socket, "close");
	release();
	await untilClosed(served);
});
