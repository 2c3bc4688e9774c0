// The system calls that Node lacks, against the kernel: descriptors, credentials, locks, affinity, limits.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { acquireLockFile } from "./lock-file.ts";
import {
	getAffinity,
	getResourceLimit,
	peerCredentials,
	sendFds,
	setAffinity,
	setResourceLimit,
	socketDescriptor,
} from "./native.ts";

const RECEIVER = `
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
data, fds, flags, address = socket.recv_fds(s, 100, 4)
print(data.decode(), [os.read(fd, 100).decode() for fd in fds])
`;

test("descriptors sent over a UNIX socket arrive open in another process, along with the data", async () => {
	using folder = temporaryFolder();
	const socketPath = join(folder.path, "s");
	writeFileSync(join(folder.path, "a"), "first");
	writeFileSync(join(folder.path, "b"), "second");
	const fds = ["a", "b"].map((name) => openSync(join(folder.path, name), "r"));
	const server = createServer().listen(socketPath);
	try {
		await once(server, "listening");
		const child = spawn("/usr/bin/python3", ["-c", RECEIVER, socketPath]);
		const [peer] = (await once(server, "connection")) as [Socket];
		assert.equal(peerCredentials(socketDescriptor(peer)).pid, child.pid);
		assert.equal(sendFds(socketDescriptor(peer), Buffer.from("hello"), fds), 5);
		const [output] = (await once(child.stdout, "data")) as [Buffer];
		assert.equal(output.toString(), "hello ['first', 'second']\n");
		peer.destroy();
	} finally {
		server.close();
	}
});

test("the credentials of a socket's peer are this process's own when it connects to itself", async () => {
	using folder = temporaryFolder();
	const server = createServer().listen(join(folder.path, "s"));
	try {
		await once(server, "listening");
		const client = connect(join(folder.path, "s"));
		const [peer] = (await once(server, "connection")) as [Socket];
		const credentials = peerCredentials(socketDescriptor(peer));
		assert.deepEqual(credentials, {
			pid: process.pid,
			uid: process.getuid?.(),
			gid: process.getgid?.(),
		});
		client.destroy();
		peer.destroy();
	} finally {
		server.close();
	}
});

test("a lock file held by one holder is refused to another, naming the holder, until it is released", async () => {
	using folder = temporaryFolder();
	const path = join(folder.path, "lock");
	const lock = acquireLockFile(path);
	assert.throws(() => acquireLockFile(path), isVirtError("OPERATION_FAILED", `locked by process ${process.pid}`));
	lock.release();
	acquireLockFile(path).release();
});

test("affinity set on a thread is what the kernel then reports, and a CPU that is out of range is refused", () => {
	const before = getAffinity(0);
	const first = before[0] ?? 0;
	try {
		setAffinity(0, [first]);
		assert.deepEqual(getAffinity(0), [first]);
		assert.throws(() => setAffinity(0, [100_000]), isVirtError("INVALID_ARG", "100000"));
		assert.throws(() => setAffinity(999_999_999, [first]), isVirtError("SYSTEM_ERROR", "No such process"));
	} finally {
		setAffinity(0, before);
	}
});

test("a resource limit set on a process is what the kernel then reports", () => {
	const before = getResourceLimit(process.pid, "core");
	setResourceLimit(process.pid, "core", { soft: 0n, hard: before.hard });
	assert.equal(getResourceLimit(process.pid, "core").soft, 0n);
	setResourceLimit(process.pid, "core", before);
	assert.deepEqual(getResourceLimit(process.pid, "core"), before);
});
