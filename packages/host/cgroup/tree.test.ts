// The groups of a guest, on the control groups of this machine.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { type ProcessIdentity, readCommandLine, terminateProcess, waitForExit } from "../process.ts";
import { spawnDetached } from "../spawn.ts";
import { listThreads } from "../thread.ts";
import type { Cgroup } from "./group.ts";
import { readCgroupMounts } from "./mounts.ts";
import { CgroupTree } from "./tree.ts";

const ENV = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
const instance = (name: string) => `test-${name}-${process.pid}`;

async function spawnIn(group: Cgroup, script: string): Promise<ProcessIdentity> {
	const beforeExec = { cgroupProcs: group.procsFiles };
	return (await spawnDetached({ path: "/bin/sh", args: ["-c", script], env: ENV, beforeExec })).identity;
}

/** A process that just waits, already past everything that comes before its program. */
async function sleepIn(group: Cgroup): Promise<ProcessIdentity> {
	const identity = await spawnIn(group, "exec sleep 600");
	while (readCommandLine(identity.pid)[0] !== "sleep") assert.equal(await waitForExit(identity, 2), false);
	return identity;
}

/** The kernel's own word on which group a process is in, for each controller of a group. */
function membership(pid: number): string {
	return readFileSync(`/proc/${pid}/cgroup`, "latin1");
}

test("a guest's process starts inside its groups, its knobs hold there, and all goes when the tree goes", async () => {
	const tree = new CgroupTree({ instance: instance("start") });
	assert.equal(tree.usable, true, JSON.stringify(tree.missing));
	const { guest } = tree.create("qemu-1-guest");
	const identity = await sleepIn(guest);
	try {
		assert.match(membership(identity.pid), /machine\/virtkit-test-start-\d+\/qemu-1-guest\.libvirt-qemu/);
		assert.deepEqual(guest.processes(), [identity.pid]);
		guest.set("cpuShares", 512);
		assert.equal(guest.get("cpuShares"), 512);
		guest.set("cpuQuota", 50_000);
		assert.equal(guest.get("cpuQuota"), 50_000);
		guest.set("cpuQuota", undefined);
		assert.equal(guest.get("cpuQuota"), undefined);
		guest.set("memoryHardLimit", 65_536);
		assert.equal(guest.get("memoryHardLimit"), 65_536);
		guest.setCpuset("cpus", [0]);
		assert.deepEqual(guest.getCpuset("cpus"), [0]);
		assert.ok(guest.cpuUsage().usageNs > 0n);
		assert.ok(guest.memoryUsageKib() > 0);
		guest.freeze(true);
		guest.freeze(false);
		assert.deepEqual(tree.open("qemu-1-guest")?.guest.processes(), [identity.pid]);
	} finally {
		await terminateProcess(identity, [{ signal: "SIGKILL", deadlineMs: 10_000 }]);
		await tree.remove();
	}
	assert.ok(guest.folders.every((folder) => !existsSync(folder)));
	assert.equal(tree.open("qemu-1-guest"), undefined);
});

test("a daemon's own folder is there while it has a guest, and only then", async () => {
	const tree = new CgroupTree({ instance: instance("tidy") });
	const { guest } = tree.create("guest");
	const parents = guest.folders.map((folder) => dirname(folder));
	assert.ok(parents.every((folder) => existsSync(folder)));
	const other = tree.create("other").guest;
	await guest.remove();
	assert.ok(parents.every((folder) => existsSync(folder)));
	await other.remove();
	assert.ok(parents.every((folder) => !existsSync(folder)));
	await tree.create("again").guest.remove();
	assert.ok(parents.every((folder) => !existsSync(folder)));
});

test("a process and its threads are moved into groups after the start, each thread into its own", async () => {
	const tree = new CgroupTree({ instance: instance("threads") });
	const groups = tree.create("guest");
	const script = "import threading, time; threading.Thread(target=time.sleep, args=(600,)).start(); time.sleep(600)";
	const { identity } = await spawnDetached({ path: "/usr/bin/python3", args: ["-c", script], env: ENV });
	try {
		await groups.guest.addProcess(identity.pid);
		while (listThreads(identity.pid).length < 2) await waitForExit(identity, 5);
		const second = listThreads(identity.pid)[1]?.tid ?? 0;
		await groups.thread("vcpu0").addThread(second);
		groups.thread("vcpu0").set("cpuQuota", 20_000);
		assert.equal(groups.thread("vcpu0").get("cpuQuota"), 20_000);
		const own = readFileSync(`/proc/${identity.pid}/task/${second}/cgroup`, "latin1");
		assert.match(own, /cpu.*guest\.libvirt-qemu\/vcpu0/);
		assert.doesNotMatch(membership(identity.pid), /vcpu0/);
	} finally {
		await terminateProcess(identity, [{ signal: "SIGKILL", deadlineMs: 10_000 }]);
		await tree.remove();
	}
});

test("a group of the v2 hierarchy holds a process, freezes it, and holds its threads in threaded groups", async () => {
	const { v2 } = readCgroupMounts();
	assert.ok(v2 !== undefined, "the host has no cgroup2 mount");
	using folder = temporaryFolder();
	// Only the v2 mount is shown, so that a host with both versions tries this one too.
	mkdirSync(folder.file("proc/self"), { recursive: true });
	writeFileSync(folder.file("proc/self/mountinfo"), `1 0 0:1 / ${v2.folder} rw - cgroup2 cgroup2 rw\n`);
	const tree = new CgroupTree({ instance: instance("v2"), root: folder.path });
	assert.equal(tree.version, 2);
	const groups = tree.create("guest");
	const identity = await sleepIn(groups.guest);
	try {
		assert.match(membership(identity.pid), /^0::\/machine\/virtkit-test-v2-\d+\/guest\.libvirt-qemu$/m);
		groups.guest.freeze(true);
		assert.equal(readFileSync(join(groups.guest.folders[0] ?? "", "cgroup.freeze"), "latin1"), "1\n");
		groups.guest.freeze(false);
		assert.ok(groups.guest.cpuUsage().usageNs > 0n);
		const emulator = groups.thread("emulator");
		if (emulator.folders.length > 0) {
			await emulator.addThread(identity.pid);
			assert.match(membership(identity.pid), /guest\.libvirt-qemu\/emulator$/m);
		}
	} finally {
		await terminateProcess(identity, [{ signal: "SIGKILL", deadlineMs: 10_000 }]);
		await tree.remove();
	}
	assert.ok(groups.guest.folders.every((path) => !existsSync(path)));
});
