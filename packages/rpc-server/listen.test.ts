// Sockets that a server listens on: modes, leftovers, strangers.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { RpcPeer } from "@virtkit/testing/rpc-peer";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { listenTcp, listenUnix } from "./listen.ts";
import { RpcServer } from "./server.ts";

function typeServer(): RpcServer {
	return new RpcServer({ handlers: { remote: { CONNECT_GET_TYPE: () => ({ type: "QEMU" }) } } });
}

test("a UNIX socket is there with its mode once it is listened on, and gone when that ends", async () => {
	using folder = temporaryFolder();
	const listener = await listenUnix(typeServer(), { path: folder.file("sock"), mode: 0o770 });
	assert.equal(listener.address, folder.file("sock"));
	assert.equal(lstatSync(listener.address).mode & 0o777, 0o770);
	assert.deepEqual(readdirSync(folder.path), ["sock"]);
	await listener.close();
	assert.deepEqual(readdirSync(folder.path), []);
});

test("anyone may connect to a UNIX socket unless told otherwise, as with libvirt's", async () => {
	using folder = temporaryFolder();
	await using listener = await listenUnix(typeServer(), { path: folder.file("sock") });
	assert.equal(lstatSync(listener.address).mode & 0o777, 0o777);
});

test("a socket that a killed process left behind is replaced", async () => {
	using folder = temporaryFolder();
	const path = folder.file("sock");
	const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log("ready"))`;
	const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
	await once(child.stdout, "data");
	child.kill("SIGKILL");
	await once(child, "exit");
	assert.ok(existsSync(path));
	await using listener = await listenUnix(typeServer(), { path });
	using peer = await RpcPeer.open(listener.address);
	assert.deepEqual(await peer.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
});

test("a socket that another process listens on is left alone", async () => {
	using folder = temporaryFolder();
	const path = folder.file("sock");
	await using first = await listenUnix(typeServer(), { path });
	await assert.rejects(
		() => listenUnix(typeServer(), { path }),
		isVirtError("OPERATION_INVALID", path, "listens there"),
	);
	using peer = await RpcPeer.open(first.address);
	assert.deepEqual(await peer.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
});

test("a file that is no socket is left alone", async () => {
	using folder = temporaryFolder();
	const path = folder.file("precious");
	writeFileSync(path, "data");
	await assert.rejects(() => listenUnix(typeServer(), { path }), isVirtError("OPERATION_INVALID", path, "no socket"));
	assert.ok(lstatSync(path).isFile());
});

test("closing removes no socket that has taken the place of ours", async () => {
	using folder = temporaryFolder();
	const path = folder.file("sock");
	const first = await listenUnix(typeServer(), { path });
	// What happens when somebody removes the file of a daemon that still runs, and starts another.
	const { unlinkSync } = await import("node:fs");
	unlinkSync(path);
	await using second = await listenUnix(typeServer(), { path });
	await first.close();
	using peer = await RpcPeer.open(second.address);
	assert.deepEqual(await peer.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
});

test("a folder that does not exist is named", async () => {
	using folder = temporaryFolder();
	const path = folder.file("missing/sock");
	await assert.rejects(() => listenUnix(typeServer(), { path }), isVirtError("OPERATION_INVALID", path));
	mkdirSync(folder.file("missing"));
	await using listener = await listenUnix(typeServer(), { path });
	assert.equal(listener.address, path);
});

test("clients of a read-only socket are read-only, and what is known of the peer is told", async () => {
	using folder = temporaryFolder();
	const seen: unknown[] = [];
	const server = new RpcServer({
		handlers: { remote: {} },
		onConnect: ({ readOnly, identity }) => seen.push([readOnly, identity.transport, identity.uid]),
	});
	const path = folder.file("sock-ro");
	await using listener = await listenUnix(server, { path, readOnly: true, identify: () => ({ uid: 1000 }) });
	using peer = await RpcPeer.open(listener.address);
	await peer.call("AUTH_LIST", undefined);
	assert.deepEqual(seen, [[true, "unix", 1000]]);
});

test("TCP takes a free port on the loopback interface and says which", async () => {
	await using listener = await listenTcp(typeServer(), { port: 0 });
	assert.match(listener.address, /^127\.0\.0\.1:[1-9][0-9]*$/);
	const socket = connect(listener.port as number, "127.0.0.1");
	using peer = new RpcPeer(socket);
	assert.deepEqual(await peer.call("CONNECT_GET_TYPE", undefined), { type: "QEMU" });
});

test("a TCP port that is taken is an error that names it", async () => {
	await using first = await listenTcp(typeServer(), { port: 0 });
	await assert.rejects(
		() => listenTcp(typeServer(), { port: first.port as number }),
		isVirtError("OPERATION_INVALID", first.address),
	);
});
