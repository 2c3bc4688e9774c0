// Tests of the facts about a host, on small made-up hosts.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { type TemporaryFolder, temporaryFolder } from "@virtkit/testing/temporary-folder";
import { ALL_CPUS, readCpuStats } from "./cpu-stats.ts";
import { HostFiles } from "./host-files.ts";
import { readKsmParameters, readKsmRun, writeKsmParameters } from "./ksm.ts";
import {
	ALL_CELLS,
	freeMemoryBytes,
	readCellsFreeMemory,
	readFreePages,
	readMemoryStats,
	readPagePools,
	totalMemoryBytes,
} from "./memory.ts";
import { readCpuMap, readNodeInfo } from "./node-info.ts";
import { readSmbios } from "./smbios.ts";

const CPU = "sys/devices/system/cpu";
const NODE = "sys/devices/system/node";

function hostOf(folder: TemporaryFolder, files: Readonly<Record<string, string>>): HostFiles {
	for (const [name, text] of Object.entries(files)) {
		mkdirSync(dirname(folder.file(name)), { recursive: true });
		writeFileSync(folder.file(name), text);
	}
	return new HostFiles(folder.path);
}

/** One CPU's topology files. */
function cpuFiles(cpu: number, socket: number, core: number, siblings: string): Record<string, string> {
	const folder = `${CPU}/cpu${cpu}/topology`;
	return {
		[`${folder}/physical_package_id`]: `${socket}\n`,
		[`${folder}/core_id`]: `${core}\n`,
		[`${folder}/thread_siblings_list`]: `${siblings}\n`,
	};
}

/** Two nodes with one socket each, two cores of two threads. */
const TWO_NODES = {
	[`${CPU}/present`]: "0-7\n",
	[`${CPU}/online`]: "0-7\n",
	"proc/cpuinfo": "processor\t: 0\ncpu MHz\t\t: 2400.123\n\nprocessor\t: 1\ncpu MHz\t\t: 2500.9\n",
	"proc/meminfo": "MemTotal: 3000 kB\nMemFree: 1000 kB\nBuffers: 5 kB\nCached: 700 kB\n",
	...Object.assign(
		{},
		...[0, 1, 2, 3, 4, 5, 6, 7].map((cpu) => {
			const [socket, core] = [cpu >> 2, (cpu >> 1) & 1];
			return { ...cpuFiles(cpu, socket, core, `${cpu & ~1}-${cpu | 1}`), [`${NODE}/node${socket}/cpu${cpu}/x`]: "" };
		}),
	),
	[`${NODE}/node0/meminfo`]: "Node 0 MemTotal: 2000 kB\nNode 0 MemFree: 600 kB\n",
	[`${NODE}/node1/meminfo`]: "Node 1 MemTotal: 1000 kB\nNode 1 MemFree: 300 kB\n",
	[`${NODE}/node0/hugepages/hugepages-64kB/nr_hugepages`]: "10\n",
	[`${NODE}/node0/hugepages/hugepages-64kB/free_hugepages`]: "4\n",
};

test("nodes, sockets, cores and threads are counted per larger unit, memory is that of all nodes", () => {
	using folder = temporaryFolder();
	assert.deepEqual(readNodeInfo(hostOf(folder, TWO_NODES), "x86_64"), {
		model: "x86_64",
		memory: 3000n,
		cpus: 8,
		mhz: 2500,
		nodes: 2,
		sockets: 1,
		cores: 2,
		threads: 2,
	});
});

test("a topology that does not multiply to the number of CPUs is told as single-threaded cores of one socket", () => {
	using folder = temporaryFolder();
	const files = hostOf(folder, {
		[`${CPU}/present`]: "0-2",
		[`${CPU}/online`]: "0,2",
		...cpuFiles(0, 0, 0, "0"),
		...cpuFiles(2, 0, 1, "2"),
	});
	const { cpus, mhz, nodes, sockets, cores, threads } = readNodeInfo(files, "aarch64");
	assert.deepEqual(
		{ cpus, mhz, nodes, sockets, cores, threads },
		{ cpus: 2, mhz: 0, nodes: 1, sockets: 1, cores: 3, threads: 1 },
	);
	assert.deepEqual(readCpuMap(files), { present: 3, online: [0, 2] });
});

test("a host whose kernel shows no CPU is an error", () => {
	using folder = temporaryFolder();
	assert.throws(() => readNodeInfo(new HostFiles(folder.path)), isVirtError("INTERNAL_ERROR", "no CPUs found"));
});

test("CPU time is told in nanoseconds by libvirt's fields, for one CPU or all", () => {
	using folder = temporaryFolder();
	const files = hostOf(folder, { "proc/stat": "cpu  10 1 20 300 4 5 6 0 0 0\ncpu1 1 2 3 4 5 6 7 0 0 0\n" });
	assert.deepEqual(readCpuStats(ALL_CPUS, files), [
		{ field: "kernel", value: 310_000_000n },
		{ field: "user", value: 110_000_000n },
		{ field: "idle", value: 3_000_000_000n },
		{ field: "iowait", value: 40_000_000n },
	]);
	assert.equal(readCpuStats(1, files)[0]?.value, 160_000_000n);
	assert.throws(() => readCpuStats(7, files), isVirtError("INVALID_ARG", "CPU 7"));
});

test("memory is told in total and by cell, and a cell that is not there is refused", () => {
	using folder = temporaryFolder();
	const files = hostOf(folder, TWO_NODES);
	assert.deepEqual(
		readMemoryStats(ALL_CELLS, files).map(({ field, value }) => `${field} ${value}`),
		["total 3000", "free 1000", "buffers 5", "cached 700"],
	);
	assert.deepEqual(
		readMemoryStats(1, files).map(({ field, value }) => `${field} ${value}`),
		["total 1000", "free 300"],
	);
	assert.equal(totalMemoryBytes(files), 3000n * 1024n);
	assert.equal(freeMemoryBytes(files), 900n * 1024n);
	assert.deepEqual(readCellsFreeMemory(0, 100, files), [600n * 1024n, 300n * 1024n]);
	assert.deepEqual(readCellsFreeMemory(1, 1, files), [300n * 1024n]);
	assert.throws(() => readMemoryStats(2, files), isVirtError("INVALID_ARG", "cell 2"));
	assert.throws(
		() => readCellsFreeMemory(2, 1, files),
		isVirtError("INTERNAL_ERROR", "start cell 2 out of range (0-1)"),
	);
});

test("pools of huge pages are told by size, base pages without them", () => {
	using folder = temporaryFolder();
	const files = hostOf(folder, TWO_NODES);
	assert.deepEqual(readPagePools(0, files), [
		{ sizeKib: 4, total: 340n, free: 150n },
		{ sizeKib: 64, total: 10n, free: 4n },
	]);
	assert.deepEqual(readFreePages([64, 4], 0, 1, files), [4n, 150n]);
	assert.throws(
		() => readFreePages([64], 0, 2, files),
		isVirtError("OPERATION_FAILED", "page size 64 is not available on node 1"),
	);
});

test("page merging's figures are read by libvirt's names, and those that only count cannot be set", () => {
	using folder = temporaryFolder();
	const files = hostOf(folder, { "sys/kernel/mm/ksm/run": "1\n", "sys/kernel/mm/ksm/pages_sharing": "42\n" });
	assert.deepEqual(readKsmParameters(files), [{ name: "shm_pages_sharing", type: "ullong", value: 42n }]);
	assert.equal(readKsmRun(files), 1);
	assert.equal(readKsmRun(new HostFiles(folder.file("nowhere"))), undefined);
	assert.throws(() => writeKsmParameters({ shm_full_scans: 1 }), isVirtError("INVALID_ARG", "shm_full_scans"));
});

test("firmware's strings are told by section, and a host without any tells none", () => {
	using folder = temporaryFolder();
	assert.equal(readSmbios(new HostFiles(folder.path)), undefined);
	const files = hostOf(folder, {
		"sys/class/dmi/id/bios_vendor": "ACME\n",
		"sys/class/dmi/id/product_name": "Box 1\n",
		"sys/class/dmi/id/board_asset_tag": "\n",
	});
	assert.deepEqual(readSmbios(files), { bios: { vendor: "ACME" }, system: { product: "Box 1" } });
});
