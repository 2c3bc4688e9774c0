// Overcommit on real guests: starts that the declared ratios refuse, balloons that the balancer moves, and the reports of both.

import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connect } from "@virtkit/client/sdk/connection";
import { readMemoryPressure } from "@virtkit/host/facts/pressure";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { demoDomainXml, prepareDemoGuest } from "@virtkit/testing/demo-guest";
import { run } from "@virtkit/testing/run";

const CLI = fileURLToPath(new URL("../../apps/cli/main.ts", import.meta.url));
const DEADLINE_MS = 120_000;

async function configure(daemon: TestDaemon, lines: readonly string[]): Promise<void> {
	await daemon.stop();
	writeFileSync(daemon.file("etc/qemu.conf"), `${lines.join("\n")}\n`);
	await daemon.start();
}

async function until<T>(what: string, ask: () => Promise<T | undefined>, daemon: TestDaemon): Promise<T> {
	for (const end = performance.now() + DEADLINE_MS; performance.now() < end; await delay(200)) {
		const answer = await ask();
		if (answer !== undefined) return answer;
	}
	throw new Error(`${what} did not come\n${daemon.logs()}`);
}

const firmwareGuest = (name: string, mib: number, vcpus = 1): string =>
	`<domain type='qemu'><name>${name}</name><memory unit='MiB'>${mib}</memory><vcpu>${vcpus}</vcpu><os><type machine='q35'>hvm</type></os></domain>`;

test("a start beyond the declared ratios is refused with all figures, and told as an event and in the journal", async () => {
	await using daemon = await startDaemon();
	const { totalKib, hugePagesKib } = readMemoryPressure();
	// Room for 1536 MiB and three virtual CPUs, whatever the host has.
	const memory = (1536 * 1024) / (totalKib - hugePagesKib);
	const { cpus } = await withConnection(daemon, (connection) => connection.host.nodeInfo());
	await configure(daemon, [`memory_overcommit_ratio = "${memory}"`, `cpu_overcommit_ratio = "${3 / cpus}"`]);
	await using connection = await connect(daemon.uri);
	const events = await connection.openEvents({ kinds: ["tunable"] });
	const first = await connection.domains.create(firmwareGuest("first", 1024), { paused: true });
	const second = await connection.domains.define(firmwareGuest("second", 1024));
	const refused = {
		code: "RESOURCE_BUSY",
		message:
			/^resource busy: memory for 'second': it asks for 1 GiB, running guests are promised 1 GiB, the host has .* for guests and may promise 0\.\d+ × that, 1\.5 GiB \(memory_overcommit_ratio\)$/,
	};
	await assert.rejects(second.start({ paused: true }), refused);
	assert.deepEqual(await second.state(), { state: "shutoff", reason: "unknown" });
	const { value: event } = await events.next();
	assert.match(
		String(event.kind === "tunable" && event.parameters["virtkit.admission.reason"]),
		/^memory for 'second'/,
	);
	await assert.rejects(connection.domains.create(firmwareGuest("wide", 64, 3), { paused: true }), {
		code: "RESOURCE_BUSY",
		message: /CPUs for 'wide': it asks for 3 virtual CPUs, running guests have 1, the host has \d+ CPUs/,
	});
	const { host, guests, decisions } = await connection.host.memoryReport(10);
	assert.equal(host.committed, 1024n * 1024n);
	assert.deepEqual(
		guests.map(({ domain, maximum, resident }) => [domain.name, maximum, resident > 1024n]),
		[["first", 1024n * 1024n, true]],
	);
	assert.deepEqual(
		decisions.map(({ number, kind, domain }) => [number, kind, domain.name]),
		[
			[1n, "admission", "second"],
			[2n, "admission", "wide"],
		],
	);
	// What ends is no longer promised.
	await first.destroy();
	await second.start({ paused: true });
	await second.destroy();
});

async function withConnection<T>(
	daemon: TestDaemon,
	ask: (connection: Awaited<ReturnType<typeof connect>>) => Promise<T>,
): Promise<T> {
	await using connection = await connect(daemon.uri);
	return await ask(connection);
}

/** virDomainMemoryStatTags. */
const ACTUAL = 6;

test("a host in need has a running guest's balloon give, down to its floor, and gives back to what its user wants", async () => {
	await using daemon = await startDaemon();
	// A host that never has enough: less than all of its memory is available.
	await configure(daemon, [
		"memory_balancer = 1",
		"memory_balancer_interval = 1",
		"memory_balancer_low = 100",
		"memory_balancer_high = 101",
		"memory_floor_percent = 75",
	]);
	const demo = prepareDemoGuest(daemon.file("demo"));
	const WANTED = 512 * 1024;
	await withConnection(daemon, async (connection) => {
		const events = await connection.openEvents({ kinds: ["tunable", "balloon-change"] });
		const guest = await connection.domains.create(
			demoDomainXml(demo, { name: "giver", type: "qemu", memoryMib: 512, network: false }),
		);
		const seen = { "balloon-change": false, tunable: "" };
		while (!seen["balloon-change"] || seen.tunable === "") {
			const { value: event } = await events.next();
			if (event.kind === "tunable") seen.tunable = String(event.parameters["virtkit.balloon.reason"]);
			else if (event.kind === "balloon-change") seen["balloon-change"] = true;
		}
		assert.match(seen.tunable, /^the host has [\d.]+ % of its memory available, less than 100 %: it gives [\d.]+ MiB$/);
		const atFloor = async (): Promise<bigint | undefined> => {
			const actual = (await guest.memoryStats()).get(ACTUAL) ?? 0n;
			assert.ok(actual >= BigInt(WANTED * 0.75), `${actual} KiB is below the floor`);
			return actual < BigInt(WANTED * 0.75 + 20 * 1024) ? actual : undefined;
		};
		await until("the floor", atFloor, daemon);
		const { guests } = await connection.host.memoryReport();
		assert.deepEqual(
			guests.map(({ wanted, floor }) => [wanted, floor]),
			[[BigInt(WANTED), BigInt(WANTED * 0.75)]],
		);
	});
	const shown = await run(process.execPath, [CLI, "-c", daemon.uri, "host", "memory"]);
	assert.match(shown.stdout, /^Balancer: +on$/m);
	assert.match(shown.stdout, /giver +512 MiB +512 MiB +\d+(?:\.\d)? MiB +384 MiB/);
	const journal = await run(process.execPath, [CLI, "-c", daemon.uri, "host", "memory", "--decisions"]);
	assert.match(journal.stdout, /^\S+Z balloon 'giver' [\d.]+ MiB -> [\d.]+ MiB: the host has/m);
	// The next daemon knows what is wanted, though the definition shows what the guest has.
	await configure(daemon, [
		"memory_balancer = 1",
		"memory_balancer_interval = 1",
		"memory_balancer_low = 0",
		"memory_balancer_high = 1",
	]);
	await withConnection(daemon, async (connection) => {
		const guest = await connection.domains.get("giver");
		const back = async () => ((await guest.memoryStats()).get(ACTUAL) === BigInt(WANTED) ? true : undefined);
		await until("what is wanted", back, daemon);
		await guest.destroy();
	});
});

test("a guest's memory in a file has a folder of the daemon's own, which goes with the guest", async () => {
	await using daemon = await startDaemon();
	await using connection = await connect(daemon.uri);
	const backed = "<memoryBacking><source type='file'/></memoryBacking>";
	const xml = firmwareGuest("filed", 64).replace("<os>", `${backed}<os>`);
	const guest = await connection.domains.create(xml, { paused: true });
	assert.deepEqual(readdirSync(daemon.file("lib/qemu/ram/1-filed")), ["pc.ram"]);
	await daemon.stop("SIGKILL");
	await daemon.start();
	await using again = await connect(daemon.uri);
	await (await again.domains.get(guest.name)).destroy();
	assert.deepEqual(readdirSync(daemon.file("lib/qemu/ram")), []);
});

test("pools of huge pages are answered for as libvirt does, and refused for what is none", async () => {
	await using daemon = await startDaemon();
	const ask = (call: string) =>
		daemon.python(`
try: print(${call})
except libvirt.libvirtError as error: print(error.get_error_code(), error.get_error_message())`);
	// The host's pools are everybody's: nothing is added to them here.
	assert.equal((await ask("conn.allocPages({2048: 0}, 0, 1, 0)")).trim(), "1");
	assert.match(await ask("conn.allocPages({4: 1}, 0, 1, 0)"), /^84 .*system pages pool can't be modified/);
	assert.match(await ask("conn.allocPages({1234: 1}, 0, 1, 0)"), /^9 .*page size 1234 is not available on node 0/);
	assert.match(await ask("conn.allocPages({2048: 1}, 70, 1, 0)"), /^1 .*start cell 70 out of range/);
});
