// Starting a process that outlives us: its session, environment, descriptors, user and limits.

import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isVirtError } from "@virtkit/testing/expect-error";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { listenOnUnixSocket } from "./listening-socket.ts";
import {
	findProcesses,
	identifyProcess,
	isAlive,
	readCommandLine,
	signalProcess,
	terminateProcess,
	waitForExit,
} from "./process.ts";
import { type SpawnOptions, spawnDetached } from "./spawn.ts";
import { listThreads } from "./thread.ts";

const ENV = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

/** Runs a shell script detached and returns what it printed. */
async function outputOf(script: string, options: Partial<SpawnOptions> = {}): Promise<string> {
	using folder = temporaryFolder();
	const stdout = openSync(folder.file("out"), "w");
	try {
		const child = await spawnDetached({
			path: "/bin/sh",
			args: ["-c", script],
			env: ENV,
			stdout,
			...options,
		});
		assert.equal(await waitForExit(child.identity, 10_000), true);
		return readFileSync(folder.file("out"), "utf8");
	} finally {
		closeSync(stdout);
	}
}

test("a spawned program leads its own session, sees only the given environment and the given descriptors", async () => {
	using folder = temporaryFolder();
	writeFileSync(folder.file("in"), "from descriptor three");
	const inherited = openSync(folder.file("in"), "r");
	const script = "echo $MARK $(( $(ps -o sid= -p $$) == $$ )); cat <&3";
	const output = await outputOf(script, {
		env: { ...ENV, MARK: "yes" },
		inherit: [inherited],
	});
	closeSync(inherited);
	assert.equal(output, "yes 1\nfrom descriptor three");
});

test("user, groups, umask, limits and out-of-memory score hold before the program begins", async () => {
	const output = await outputOf("id -u; id -g; id -G; umask; ulimit -n; ulimit -l; cat /proc/self/oom_score_adj", {
		uid: 65534,
		gid: 65534,
		beforeExec: {
			umask: 0o27,
			limits: { nofile: 300, memlock: 1 << 20 },
			oomScoreAdj: 321,
			supplementaryGroups: [7],
		},
	});
	assert.deepEqual(output.trim().split("\n"), ["65534", "65534", "65534 7", "0027", "300", "1024", "321"]);
});

test("user and group are dropped, with all other groups, also without any shell in between", async () => {
	assert.equal(await outputOf("id -u; id -G", { uid: 65534, gid: 65534 }), "65534\n65534\n");
});

test("a program that cannot be executed is an error that names it", async () => {
	using folder = temporaryFolder();
	writeFileSync(folder.file("text"), "not a program", { mode: 0o644 });
	mkdirSync(folder.file("folder"));
	const attempts = {
		missing: "No such file",
		text: "Permission denied",
		folder: "Is a directory",
		garbage: "",
	};
	for (const [name, reason] of Object.entries(attempts)) {
		const path = folder.file(name);
		await assert.rejects(
			spawnDetached({ path, args: [], env: ENV }),
			isVirtError("SYSTEM_ERROR", `cannot execute binary ${path}`, reason),
		);
	}
	await assert.rejects(
		spawnDetached({
			path: "/bin/true",
			args: [],
			env: ENV,
			cwd: folder.file("nowhere"),
		}),
		isVirtError("SYSTEM_ERROR", folder.file("nowhere")),
	);
});

test("the exit code or the signal that ended a child is reported", async () => {
	const keepAlive = setInterval(() => undefined, 1000);
	try {
		const failing = await spawnDetached({
			path: "/bin/sh",
			args: ["-c", "exit 7"],
			env: ENV,
		});
		assert.deepEqual(await failing.exited, { code: 7, signal: null });
		const killed = await spawnDetached({
			path: "/bin/sleep",
			args: ["600"],
			env: ENV,
		});
		assert.equal(signalProcess(killed.identity, "SIGKILL"), true);
		assert.deepEqual(await killed.exited, { code: null, signal: "SIGKILL" });
		assert.equal(signalProcess(killed.identity, "SIGKILL"), false);
	} finally {
		clearInterval(keepAlive);
	}
});

test("a process that ignores SIGTERM is ended by SIGKILL, and one that is gone needs nothing", async () => {
	const script = "trap '' TERM; while :; do sleep 0.05; done";
	const { identity } = await spawnDetached({
		path: "/bin/sh",
		args: ["-c", script],
		env: ENV,
	});
	while (!readFileSync(`/proc/${identity.pid}/status`, "latin1").includes("SigIgn:\t0000000000004000")) await delay(5);
	const steps = [
		{ signal: "SIGTERM", deadlineMs: 100 },
		{ signal: "SIGKILL", deadlineMs: 10_000 },
	] as const;
	assert.equal(await terminateProcess(identity, steps), "SIGKILL");
	assert.equal(isAlive(identity), false);
	assert.equal(await terminateProcess(identity, steps), undefined);
});

test("a process with the same number but another start time is neither alive nor signalled", async () => {
	const { identity } = await spawnDetached({
		path: "/bin/sleep",
		args: ["600"],
		env: ENV,
	});
	const impostor = { ...identity, startTime: identity.startTime + 1 };
	assert.equal(isAlive(impostor), false);
	assert.equal(signalProcess(impostor, "SIGKILL"), false);
	assert.equal(isAlive(identity), true);
	await terminateProcess(identity);
});

test("a process is found by a marker in its arguments", async () => {
	const marker = `virtkit-marker-${process.pid}`;
	// A shell would not do: what it runs has, for a moment, the shell's own arguments.
	const args = ["-e", "setInterval(() => undefined, 1e6)", marker];
	const { identity } = await spawnDetached({ path: process.execPath, args, env: ENV });
	assert.deepEqual(readCommandLine(identity.pid), [process.execPath, ...args]);
	assert.deepEqual(findProcesses(marker), [identity]);
	await terminateProcess(identity);
	assert.deepEqual(findProcesses(marker), []);
	assert.equal(identifyProcess(identity.pid), undefined);
});

test("the threads of a process are listed with their names, times and affinity", () => {
	const threads = listThreads(process.pid);
	const [main] = threads;
	assert.ok(main !== undefined && threads.length > 1);
	assert.equal(main.tid, process.pid);
	assert.ok(main.cpuNs > 0n);
	assert.ok(main.affinity.includes(main.lastCpu));
	assert.deepEqual(listThreads(999_999_999), []);
});

const ACCEPTOR = "import socket; c, _ = socket.socket(fileno=3).accept(); c.sendall(b'hello')";

test("a socket made before the spawn is answered by the child after our copy is closed", async () => {
	using folder = temporaryFolder();
	using socket = listenOnUnixSocket(folder.file("monitor.sock"), {
		mode: 0o660,
	});
	const child = await spawnDetached({
		path: "/usr/bin/python3",
		args: ["-c", ACCEPTOR],
		env: ENV,
		inherit: [socket.fd],
	});
	socket.close();
	const client = connect(socket.path);
	const [data] = (await once(client, "data")) as [Buffer];
	assert.equal(data.toString(), "hello");
	client.destroy();
	assert.equal(await waitForExit(child.identity, 10_000), true);
});

test("a listening socket takes the place of a stale one and goes with its scope unless closed before", () => {
	using folder = temporaryFolder();
	const path = folder.file("s");
	const stale = listenOnUnixSocket(path);
	stale.close();
	const second = listenOnUnixSocket(path);
	second[Symbol.dispose]();
	assert.throws(() => readFileSync(path), { code: "ENOENT" });
});

test("a socket path that is too long or in no folder is an error that names it", () => {
	using folder = temporaryFolder();
	const long = folder.file("x".repeat(120));
	assert.throws(() => listenOnUnixSocket(long), isVirtError("INTERNAL_ERROR", long, "too long"));
	const nowhere = folder.file("missing/s");
	assert.throws(() => listenOnUnixSocket(nowhere), isVirtError("SYSTEM_ERROR", nowhere, "No such file"));
});
