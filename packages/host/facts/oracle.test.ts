// Compares the facts about this host with what libvirt's own daemon says of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startLibvirtd } from "@virtkit/testing/oracle";
import { ALL_CPUS, readCpuStats } from "./cpu-stats.ts";
import { readKsmParameters } from "./ksm.ts";
import { ALL_CELLS, basePageKib, freeMemoryBytes, readFreePages, readMemoryStats } from "./memory.ts";
import { readCpuMap, readNodeInfo } from "./node-info.ts";

const SCRIPT = `
model, memory, cpus, mhz, nodes, sockets, cores, threads = conn.getInfo()
present, online, count = conn.getCPUMap()
print(json.dumps(dict(
    info=dict(model=model, cpus=cpus, mhz=mhz, nodes=nodes, sockets=sockets, cores=cores, threads=threads),
    mib=memory, present=present, online=[i for i, on in enumerate(online) if on],
    cpuStats={k: str(v) for k, v in conn.getCPUStats(-1).items()},
    cpu0={k: str(v) for k, v in conn.getCPUStats(0).items()},
    memory={k: str(v) for k, v in conn.getMemoryStats(-1).items()},
    cell=sorted(conn.getMemoryStats(0)),
    free=str(conn.getFreeMemory()), cells=[str(v) for v in conn.getCellsFreeMemory(0, 1)],
    pages=[str(v) for v in conn.getFreePages([int(sys.argv[2]) if len(sys.argv) > 2 else 4], 0, 1)[0].values()],
    ksm={k: str(v) for k, v in conn.getMemoryParameters().items()},
)))
`;

/** Counters go on between two looks; a tenth of slack and some more tells them from any other figure. */
function near(actual: bigint | undefined, expected: string, what: string): void {
	const wanted = BigInt(expected);
	const slack = wanted / 10n + 200_000_000n;
	assert.ok(
		actual !== undefined && actual >= wanted - slack && actual <= wanted + slack,
		`${what}: ${actual} ${wanted}`,
	);
}

test("the host's figures are the ones that libvirtd reports", async () => {
	await using libvirtd = await startLibvirtd();
	const theirs = JSON.parse(await libvirtd.python(SCRIPT));
	const { memory, ...info } = readNodeInfo();
	const { mhz, ...theirInfo } = theirs.info;
	assert.deepEqual({ ...info, mhz: 0 }, { ...theirInfo, mhz: 0 });
	assert.equal(info.mhz > 0, mhz > 0);
	// A virtual host may give memory to its own host and take it back between two looks.
	near(memory * 1024n, `${BigInt(theirs.mib) * 1024n * 1024n}`, "memory");
	assert.deepEqual(readCpuMap(), { present: theirs.present, online: theirs.online });
	const byField = (list: readonly { field: string; value: bigint }[]) =>
		new Map(list.map((row) => [row.field, row.value]));
	const cpu = byField(readCpuStats(ALL_CPUS));
	assert.deepEqual([...cpu.keys()].sort(), Object.keys(theirs.cpuStats).sort());
	for (const [field, value] of cpu) near(value, theirs.cpuStats[field], `all CPUs' ${field}`);
	for (const [field, value] of byField(readCpuStats(0))) near(value, theirs.cpu0[field], `CPU 0's ${field}`);
	const stats = byField(readMemoryStats(ALL_CELLS));
	assert.deepEqual([...stats.keys()].sort(), Object.keys(theirs.memory).sort());
	near(stats.get("total"), theirs.memory.total, "total memory");
	assert.deepEqual([...byField(readMemoryStats(0)).keys()].sort(), theirs.cell);
	near(freeMemoryBytes(), theirs.free, "free memory");
	near(readFreePages([basePageKib()], 0, 1)[0], theirs.pages[0], "free pages");
	const ksm = Object.fromEntries(readKsmParameters().map(({ name, value }) => [name, `${value}`]));
	assert.deepEqual(Object.keys(ksm).sort(), Object.keys(theirs.ksm).sort());
	assert.equal(ksm.shm_pages_to_scan, theirs.ksm.shm_pages_to_scan);
});
