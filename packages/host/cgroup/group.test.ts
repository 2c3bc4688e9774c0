// The knobs of control groups, on folders that stand in for the kernel's.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { type TemporaryFolder, temporaryFolder } from "@virtkit/testing/temporary-folder";
import { Cgroup } from "./group.ts";
import { CONTROLLERS, parseCgroupMounts } from "./mounts.ts";
import { CgroupTree } from "./tree.ts";

function writeTree(folder: TemporaryFolder, files: Readonly<Record<string, string>>): void {
	for (const [name, text] of Object.entries(files)) {
		mkdirSync(dirname(folder.file(name)), { recursive: true });
		writeFileSync(folder.file(name), text);
	}
}

function groupOf(version: 1 | 2, folder: TemporaryFolder): Cgroup {
	return new Cgroup({ version, folders: new Map(CONTROLLERS.map((name) => [name, folder.path])) });
}

const V2_FILES = {
	"cpu.weight": "100\n",
	"cpu.max": "max 100000\n",
	"memory.max": "max\n",
	"memory.high": "max\n",
	"memory.swap.max": "1073741824\n",
	"memory.current": "4194304\n",
	"memory.stat": "anon 4096\nfile 8192\n",
	"io.weight": "default 100\n8:0 200\n",
	"cpu.stat": "usage_usec 30\nuser_usec 20\nsystem_usec 10\n",
	"cpuset.cpus": "\n",
	"cpuset.cpus.effective": "0-3\n",
	"cgroup.freeze": "0\n",
};

test("every knob of a v2 group is read and written in the kernel's notation", () => {
	using folder = temporaryFolder();
	writeTree(folder, V2_FILES);
	const group = groupOf(2, folder);
	const content = (name: string) => readFileSync(folder.file(name), "latin1");

	assert.equal(group.get("cpuShares"), 100);
	group.set("cpuShares", 500);
	assert.equal(content("cpu.weight"), "500");

	assert.equal(group.get("cpuQuota"), undefined);
	assert.equal(group.get("cpuPeriod"), 100_000);
	group.set("cpuQuota", 50_000);
	group.set("cpuPeriod", 200_000);
	assert.equal(content("cpu.max"), "50000 200000");
	group.set("cpuQuota", undefined);
	assert.equal(content("cpu.max"), "max 200000");

	assert.equal(group.get("memoryHardLimit"), undefined);
	group.set("memoryHardLimit", 1024);
	assert.equal(content("memory.max"), "1048576");
	group.set("memorySoftLimit", 512);
	assert.equal(group.get("memorySoftLimit"), 512);
	assert.equal(group.get("swapHardLimit"), 1_048_576);

	assert.equal(group.get("blkioWeight"), 100);
	group.set("blkioWeight", 300);
	assert.equal(content("io.weight"), "default 300");

	assert.deepEqual(group.cpuUsage(), { usageNs: 30_000n, userNs: 20_000n, systemNs: 10_000n });
	assert.equal(group.memoryUsageKib(), 4096);
	assert.equal(group.memoryStat().get("file"), 8192n);
	assert.deepEqual(group.getCpuset("cpus"), [0, 1, 2, 3]);
	group.setCpuset("cpus", [3, 0, 1]);
	assert.equal(content("cpuset.cpus"), "0-1,3");
	group.freeze(true);
	assert.equal(content("cgroup.freeze"), "1");
});

test("an io.bfq.weight file takes the bare number where there is one", () => {
	using folder = temporaryFolder();
	writeTree(folder, { "io.bfq.weight": "default 100\n", "io.weight": "default 100\n" });
	const group = groupOf(2, folder);
	group.set("blkioWeight", 250);
	assert.equal(readFileSync(folder.file("io.bfq.weight"), "latin1"), "250");
	assert.equal(group.get("blkioWeight"), 250);
});

test("a value out of a knob's range is refused naming value and range, and nothing is written", () => {
	using folder = temporaryFolder();
	writeTree(folder, { ...V2_FILES, "cpu.shares": "1024\n", "cpu.cfs_period_us": "100000\n" });
	const v1 = groupOf(1, folder);
	assert.throws(() => v1.set("cpuShares", 1), isVirtError("INVALID_ARG", "shares '1'", "[2, 262144]"));
	assert.throws(() => v1.set("cpuPeriod", 999), isVirtError("INVALID_ARG", "cfs_period '999'"));
	const v2 = groupOf(2, folder);
	assert.throws(() => v2.set("cpuShares", 20_000), isVirtError("INVALID_ARG", "shares '20000'", "[1, 10000]"));
	assert.throws(() => v2.set("cpuShares", undefined), isVirtError("INVALID_ARG", "shares cannot be unlimited"));
	assert.equal(v2.get("cpuShares"), 100);
});

test("a knob of a controller that is not mounted, or that the kernel lacks, is refused naming it", () => {
	using folder = temporaryFolder();
	const none = new Cgroup({ version: 1, folders: new Map() });
	assert.throws(() => none.get("cpuShares"), isVirtError("OPERATION_INVALID", "cgroup CPU controller is not mounted"));
	assert.throws(
		() => groupOf(1, folder).set("blkioWeight", 100),
		isVirtError("OPERATION_UNSUPPORTED", "blkio.bfq.weight or blkio.weight"),
	);
});

test("v1 says no limit as a huge number of pages and is understood", () => {
	using folder = temporaryFolder();
	writeTree(folder, { "memory.limit_in_bytes": "9223372036854771712\n", "cpu.cfs_quota_us": "-1\n" });
	const group = groupOf(1, folder);
	assert.equal(group.get("memoryHardLimit"), undefined);
	assert.equal(group.get("cpuQuota"), undefined);
	group.set("memoryHardLimit", undefined);
	assert.equal(readFileSync(folder.file("memory.limit_in_bytes"), "latin1"), "-1");
});

const HYBRID_MOUNTINFO = `25 1 0:23 / /sys/fs/cgroup ro - tmpfs tmpfs ro
26 25 0:24 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
27 25 0:25 / /sys/fs/cgroup/with\\040blank rw - cgroup cgroup rw,memory
28 25 0:26 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
29 25 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`;

test("mounts of both versions are found, with controllers that share one and blanks in the path", () => {
	const mounts = parseCgroupMounts(HYBRID_MOUNTINFO, "3:cpu,cpuacct:/a\n2:memory:/b:c\n0::/d\n");
	assert.deepEqual(Object.fromEntries(mounts.v1), {
		cpu: { folder: "/sys/fs/cgroup/cpu,cpuacct", own: "/a" },
		cpuacct: { folder: "/sys/fs/cgroup/cpu,cpuacct", own: "/a" },
		memory: { folder: "/sys/fs/cgroup/with blank", own: "/b:c" },
	});
	assert.deepEqual(mounts.v2, { folder: "/sys/fs/cgroup/unified", own: "/d" });
});

test("a host without control groups gives a guest none, with the reason", async () => {
	using folder = temporaryFolder();
	const tree = new CgroupTree({ instance: "test", root: folder.path });
	assert.equal(tree.usable, false);
	assert.deepEqual(
		tree.missing.map(({ controller }) => controller),
		CONTROLLERS,
	);
	const { guest } = tree.create("guest");
	assert.deepEqual(guest.procsFiles, []);
	await guest.addProcess(process.pid);
	assert.equal(tree.open("guest"), undefined);
	await tree.remove();
});

test("a hierarchy that cannot be written to is reported with the kernel's reason", () => {
	using folder = temporaryFolder();
	const mountinfo = `26 25 0:24 / ${join(folder.path, "nowhere")} rw - cgroup cgroup rw,cpu\n`;
	writeTree(folder, { "proc/self/mountinfo": mountinfo });
	const tree = new CgroupTree({ instance: "test", root: folder.path });
	const cpu = tree.missing.find(({ controller }) => controller === "cpu");
	assert.match(cpu?.reason ?? "", /nowhere.*No such file or directory/);
	const memory = tree.missing.find(({ controller }) => controller === "memory");
	assert.equal(memory?.reason, "the v1 controller is not mounted");
});
