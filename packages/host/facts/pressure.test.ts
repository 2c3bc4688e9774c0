// The host's shortness of memory, and a process's share of it, from the kernel's texts.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import test from "node:test";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { parseProcessMemory } from "../process-memory.ts";
import { HostFiles } from "./host-files.ts";
import { readMemoryPressure } from "./pressure.ts";

test("what is available, swapped, in pools and waited for is read; pressure may be missing", () => {
	using folder = temporaryFolder();
	mkdirSync(folder.file("proc/pressure"), { recursive: true });
	writeFileSync(
		folder.file("proc/meminfo"),
		"MemTotal: 8000 kB\nMemFree: 100 kB\nMemAvailable: 3000 kB\nSwapTotal: 500 kB\nSwapFree: 400 kB\nHugetlb: 2048 kB\n",
	);
	const sizes = { totalKib: 8000, availableKib: 3000, swapTotalKib: 500, swapFreeKib: 400, hugePagesKib: 2048 };
	assert.deepEqual(readMemoryPressure(new HostFiles(folder.path)), { ...sizes, some10: undefined });
	writeFileSync(
		folder.file("proc/pressure/memory"),
		"some avg10=12.34 avg60=1.00 avg300=0.00 total=1\nfull avg10=5.00 avg60=0.00 avg300=0.00 total=1\n",
	);
	assert.deepEqual(readMemoryPressure(new HostFiles(folder.path)), { ...sizes, some10: 12.34 });
});

test("a process's memory comes from its mappings, or less exactly from its status", () => {
	const rollup = "Rss: 900 kB\nPss: 500 kB\nShared_Clean: 200 kB\nShared_Dirty: 30 kB\nSwap: 40 kB\nSwapPss: 40 kB\n";
	const status = "VmRSS:\t 901 kB\nRssAnon:\t 600 kB\nRssFile:\t 250 kB\nRssShmem:\t 51 kB\nVmSwap:\t 41 kB\n";
	assert.deepEqual(parseProcessMemory(rollup, status), { residentKib: 900, sharedKib: 230, swappedKib: 40 });
	assert.deepEqual(parseProcessMemory("", status), { residentKib: 901, sharedKib: 301, swappedKib: 41 });
	assert.deepEqual(parseProcessMemory("", ""), { residentKib: 0, sharedKib: 0, swappedKib: 0 });
});
