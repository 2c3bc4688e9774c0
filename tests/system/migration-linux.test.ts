// A Linux guest on the move: it writes its disk all the while, counts its longest stall and tells of it itself.

import assert from "node:assert/strict";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import { after, before, test } from "node:test";
import { connect } from "@virtkit/client/sdk/connection";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { demoDomainXml, prepareDemoGuest } from "@virtkit/testing/demo-guest";

/** What a step may take on a machine that emulates the guest's processor and is busy besides. */
const DEADLINE_MS = 120_000;
const SECTOR = 512;

/**
 * Once a second by the hardware clock, which goes by the host's time also while the guest stands still: writes the count to a
 * sector of the disk and tells, in hundredths of a second, the longest gap that its own clock saw between two looks at it,
 * and by how much that clock has fallen behind the hardware's in any one second. The sum bounds its longest stall.
 */
const COUNTER = [
	"rtc=/sys/class/rtc/rtc0/since_epoch n=0 gap=0 lost=0 from=",
	"now() { IFS='. ' read s c _ </proc/uptime; now=$s$c; }",
	"now; last=$now; read was <$rtc",
	"while now; read sec <$rtc",
	"do [ $((now-last)) -gt $gap ] && gap=$((now-last)); last=$now",
	"[ $sec = $was ] && continue",
	"[ $n -gt 0 ] && l=$(((sec-was)*100-now+from)) && [ $l -gt $lost ] && lost=$l",
	"was=$sec from=$now n=$((n+1))",
	"echo $n | dd of=/dev/vda bs=512 seek=$n conv=sync,fsync 2>/dev/null",
	"echo count=$n gap=$gap lost=$lost; now; last=$now",
	"done",
].join("; ");

/** Writes the same 24 MiB of memory over and over, differently each time. */
const WRITER = "while :; do n=$((n+1)); yes $n | head -c 24m >/tmp/memory; done";

let source: TestDaemon;
let target: TestDaemon;
let disk: string;

before(async () => {
	[source, target] = await Promise.all([startDaemon(), startDaemon()]);
	disk = source.file("disk");
	writeFileSync(disk, "");
	truncateSync(disk, 1024 * SECTOR);
});

after(async () => {
	await source[Symbol.asyncDispose]();
	await target[Symbol.asyncDispose]();
});

interface Report {
	readonly count: number;
	/** Hundredths of a second. */
	readonly gap: number;
	readonly lost: number;
}

const LINE = /count=(\d+) gap=(\d+) lost=(-?\d+)\r?\n/g;

/** Reads the guest's console until it has told of itself `lines` times; the last report. */
async function reports(console: Duplex, daemon: TestDaemon, lines: number): Promise<Report> {
	let text = "";
	const { promise, resolve, reject } = Promise.withResolvers<Report>();
	const timer = setTimeout(() => reject(new Error(`no report in:\n${text}\n${daemon.logs()}`)), DEADLINE_MS);
	const onData = (data: Buffer) => {
		text += data.toString("latin1");
		const found = [...text.matchAll(LINE)];
		const [, count, gap, lost] = found.at(-1)?.map(Number) ?? [];
		if (found.length >= lines) resolve({ count: count ?? 0, gap: gap ?? 0, lost: lost ?? 0 });
	};
	console.on("data", onData);
	try {
		return await promise;
	} finally {
		clearTimeout(timer);
		console.off("data", onData);
	}
}

/** Opens the console for as long as `work` reads it. */
async function onConsole<T>(daemon: TestDaemon, work: (console: Duplex) => Promise<T>): Promise<T> {
	await using connection = await connect(daemon.uri);
	const console = await (await connection.domains.get("linux")).openConsole(null, { force: true });
	console.on("error", () => undefined);
	try {
		return await work(console);
	} finally {
		console.destroy();
	}
}

const listen = (daemon: TestDaemon, lines = 1): Promise<Report> =>
	onConsole(daemon, (console) => reports(console, daemon, lines));

/** Moves the guest; how long the command took in hundredths of a second. */
async function move(from: TestDaemon, to: TestDaemon): Promise<number> {
	const began = performance.now();
	await from.virsh("migrate", "linux", to.uri, "--live", "--unsafe", "--migrateuri", "tcp://127.0.0.1");
	return (performance.now() - began) / 10;
}

/** The counts that the disk has, in order. */
function counts(last: number): number[] {
	const bytes = readFileSync(disk);
	return Array.from({ length: last }, (_, index) =>
		Number(bytes.toString("latin1", (index + 1) * SECTOR, (index + 2) * SECTOR).replace(/\0+$/, "")),
	);
}

test("a Linux guest goes on counting at its destination, and lost no more time than the move took", async (t) => {
	const guest = prepareDemoGuest(source.file("demo"));
	const devices = `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>`;
	const options = { name: "linux", type: "qemu", memoryMib: 192, network: false, devices } as const;
	const file = source.file("linux.xml");
	writeFileSync(file, demoDomainXml(guest, { ...options, run: `(${COUNTER}) &` }));
	await source.virsh("create", file);
	const before = await listen(source, 3);
	const took = await move(source, target);
	const after = await listen(target, 2);
	t.diagnostic(
		`longest stall: ${after.gap} by its own clock, ${after.lost} by the hardware's; ${before.gap} before (1/100 s)`,
	);
	assert.ok(after.count > before.count, `${after.count} after ${before.count}`);
	assert.ok(after.lost <= took + after.gap + 200, `${after.lost} in ${took}`);
	const expected = Array.from({ length: after.count }, (_, index) => index + 1);
	assert.deepEqual(counts(after.count), expected);
});

test("one that writes its memory all the while moves back, and its disk is whole", async (t) => {
	await onConsole(target, async (console) => {
		console.write(`(${WRITER}) & \n`);
		await reports(console, target, 2);
	});
	const took = await move(target, source);
	const after = await listen(source, 2);
	t.diagnostic(`longest stall: ${after.gap} by its own clock, ${after.lost} by the hardware's (1/100 s)`);
	assert.ok(after.lost <= took + after.gap + 200, `${after.lost} in ${took}`);
	const info = await source.virsh("domjobinfo", "linux", "--completed").catch(() => "");
	t.diagnostic(info.replaceAll("\n", "; "));
	await source.virsh("destroy", "linux");
	assert.deepEqual(
		counts(after.count),
		Array.from({ length: after.count }, (_, index) => index + 1),
	);
});
