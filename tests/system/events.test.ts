// Every kind of event that real QEMU can be had to bring: what virsh prints of it here and at libvirtd, and what our command prints.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { bootDisk } from "@virtkit/testing/boot-disk";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { type Oracle, startLibvirtd } from "@virtkit/testing/oracle";
import { type TemporaryFolder, temporaryFolder } from "@virtkit/testing/temporary-folder";
import {
	GUEST_STEPS,
	NOT_PROVOKED,
	SECTOR_GUESTS,
	type SectorGuest,
	type Stage,
	type Step,
	sectorXml,
} from "./event-scenario.ts";

const CLI = fileURLToPath(new URL("../../apps/cli/main.ts", import.meta.url));
const EVENT = ["event", "--all", "--loop", "--timestamp"];
const STAMP = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+0000: /;
/** Tells that everything before it was told: a domain whose description is changed for that alone. */
const FENCE = `<domain type='qemu'><name>fence</name><memory>65536</memory><os><type>hvm</type></os></domain>`;
const FENCED = /^event 'metadata-change' for domain 'fence'/;

const DEADLINE_MS = 120_000;

/** Waits until `holds` does. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
	const deadline = performance.now() + DEADLINE_MS;
	while (!(await holds())) {
		if (performance.now() > deadline) throw new Error("it never came to be");
		await delay(50);
	}
}

/** Someone who prints events of a daemon. */
class Listener {
	readonly #child: ChildProcess;
	#text = "";

	constructor(command: string, args: readonly string[]) {
		this.#child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, LC_ALL: "C" } });
		this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
			this.#text += text;
		});
	}

	/** Events told since the last time, without their time, each with the lines that go on with it. */
	events(): string[] {
		const whole = this.#text.slice(0, this.#text.lastIndexOf("\n") + 1);
		const records = whole.split(/\n(?=\d{4}-)/).map((record) => record.trimEnd());
		return records
			.filter((record) => record !== "")
			.map((record) => {
				assert.match(record, STAMP);
				return record.replace(STAMP, "");
			});
	}

	/** How often the fence was passed. */
	fences(): number {
		return this.events().filter((record) => FENCED.test(record)).length;
	}

	async end(): Promise<void> {
		if (this.#child.exitCode !== null) return;
		const { promise, resolve } = Promise.withResolvers<void>();
		this.#child.once("exit", () => resolve());
		this.#child.kill("SIGKILL");
		await promise;
	}
}

/** A daemon with the clients that listen to it. */
interface Side extends Stage {
	readonly folder: TemporaryFolder;
	readonly listeners: readonly Listener[];
	fences: number;
}

let virtkit: TestDaemon;
let libvirtd: Oracle;
const sides: Side[] = [];
const mounted: string[] = [];

async function sideOf(
	clients: Pick<TestDaemon, "uri" | "virsh" | "virshWith">,
	folder: TemporaryFolder,
): Promise<Side> {
	// Where its output is no terminal virsh would keep it until it ends.
	const listeners = [new Listener("stdbuf", ["-oL", "virsh", "-q", "-c", clients.uri, ...EVENT])];
	if (clients.uri === virtkit.uri)
		listeners.push(new Listener(process.execPath, [CLI, "-q", "-c", clients.uri, ...EVENT]));
	await clients.virshWith(FENCE, "define");
	const side: Side = {
		folder,
		file: folder.file,
		virsh: clients.virsh,
		virshWith: clients.virshWith,
		listeners,
		fences: 0,
	};
	// They listen once they are told of something.
	await until(async () => {
		await clients.virsh("desc", "fence", "--config", "x");
		return listeners.every((listener) => listener.fences() > 0);
	});
	await passFence(side);
	return side;
}

/** Waits until every listener was told of all that was done. */
async function passFence(side: Side): Promise<void> {
	const before = side.listeners.map((listener) => listener.fences());
	await side.virsh("desc", "fence", "--config", "x");
	await until(() => side.listeners.every((listener, index) => listener.fences() > (before[index] ?? 0)));
}

function makeFolder(): TemporaryFolder {
	const folder = temporaryFolder("vk-ev-");
	chmodSync(folder.path, 0o777);
	mkdirSync(folder.file("full"));
	execFileSync("mount", ["-t", "tmpfs", "-o", "size=4k,mode=777", "vk-full", folder.file("full")]);
	mounted.push(folder.file("full"));
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", folder.file("disk.qcow2"), "16M"]);
	for (const name of ["a", "b"]) writeFileSync(folder.file(`${name}.iso`), name.repeat(2048));
	return folder;
}

before(async () => {
	// Made first: libvirtd sees the file systems that were mounted when it started.
	const folders = [makeFolder(), makeFolder()] as const;
	[virtkit, libvirtd] = await Promise.all([startDaemon(), startLibvirtd()]);
	sides.push(...(await Promise.all([sideOf(virtkit, folders[0]), sideOf(libvirtd, folders[1])])));
});

after(async () => {
	await Promise.all(sides.flatMap(({ listeners }) => listeners.map((listener) => listener.end())));
	await virtkit?.[Symbol.asyncDispose]();
	await libvirtd?.[Symbol.asyncDispose]();
	for (const path of mounted) execFileSync("umount", [path]);
	for (const { folder } of sides) folder[Symbol.dispose]();
});

/** What a listener printed, without what differs from run to run: places, and the figures of a job, one of which is told only where it is not 0. */
function settled(side: Side, record: string): string {
	const placed = record.replaceAll(side.folder.path, "DIR");
	// How often QEMU goes over the memory is its own affair.
	if (placed.startsWith("event 'migration-iteration'")) return placed.replace(/\d+/, "N");
	if (!placed.startsWith("event 'job-completed'")) return placed;
	return placed.replace(/: \d+(\.\d+)?$/gm, ": N").replace("\n\tmemory_bps: N", "");
}

/**
 * What is a matter of the instant: when QEMU is ended on purpose, what it still tells and whether the end of its monitor is an
 * error; firmware that finds nothing to boot resets the machine now and then.
 */
function isChance(record: string, { brings }: Step): boolean {
	if (record.startsWith("event 'reboot'")) return !brings.includes("reboot");
	return /Shutdown Finished after host request|^event 'control-error'/.test(record);
}

function hasTold(records: readonly string[], told: string): boolean {
	const [kind, word = ""] = told.split(" ");
	return records.some((record) => record.startsWith(`event '${kind}'`) && record.includes(word));
}

async function perform(side: Side, step: Step): Promise<string[][]> {
	const from = side.listeners.map((listener) => listener.events().length);
	const since = (index: number): string[] => side.listeners[index]?.events().slice(from[index]) ?? [];
	await step.run(side);
	const missing = (): string[] =>
		step.brings.filter((told) => !side.listeners.every((_, index) => hasTold(since(index), told)));
	await until(() => missing().length === 0).catch((cause) => {
		throw new Error(`${step.does}: no ${missing().join(", ")}; there was:\n${since(0).join("\n")}`, { cause });
	});
	await passFence(side);
	return side.listeners.map((_, index) => {
		const own = since(index).filter((record) => !FENCED.test(record) && !isChance(record, step));
		const told = own.map((record) => settled(side, record)).sort();
		return told.filter((record, at) => !record.includes("migration-iteration") || told[at - 1] !== record);
	});
}

/** Does a step at both daemons; all who listen must have printed the same. */
async function same(step: Step): Promise<string[]> {
	const [ours, theirs] = await Promise.all(sides.map((side) => perform(side, step)));
	assert.deepEqual(ours?.[0], theirs?.[0], `${step.does}: virsh at virtkit, and at libvirtd`);
	assert.deepEqual(ours?.[1], ours?.[0], `${step.does}: virtkit event, and virsh`);
	return ours?.[0] ?? [];
}

const seen = new Set<string>();
const note = (records: readonly string[]): void => {
	for (const record of records) seen.add(/^event '([^']+)'/.exec(record)?.[1] ?? record);
};

test("a guest's life without an operating system: each step is told as libvirtd tells it", async () => {
	for (const step of GUEST_STEPS) note(await same(step));
});

function stepsOf({
	does,
	end,
	elements = "",
	devices = "",
	full,
	brings,
	after: then = [],
	ends,
}: SectorGuest): Step[] {
	const create = async (stage: Stage): Promise<unknown> => {
		const disk = stage.file(full ? "full/disk" : "sector");
		const image = bootDisk("sector", end);
		writeFileSync(disk, full ? image.subarray(0, 512) : image);
		if (full) execFileSync("truncate", ["-s", String(image.length), disk]);
		return await stage.virshWith(sectorXml(disk, elements, devices), "create");
	};
	const destroy: Step = { does: "destroy", brings: ["lifecycle"], run: (stage) => stage.virsh("destroy", "sector") };
	const gone: Step = {
		does: "is gone",
		brings: [],
		run: (stage) => until(async () => !(await stage.virsh("list", "--all", "--name")).includes("sector")),
	};
	return [{ does, brings, run: create }, ...then, ends ? gone : destroy];
}

for (const guest of SECTOR_GUESTS)
	test(`a guest that ${guest.does} is told of as libvirtd tells of it`, async () => {
		// What comes with the start and what comes of the guest itself may be told in one step or in two.
		const told: string[][][] = await Promise.all(
			sides.map(async (side) => {
				const all: string[][] = side.listeners.map(() => []);
				for (const step of stepsOf(guest))
					for (const [index, records] of (await perform(side, step)).entries()) all[index]?.push(...records);
				return all.map((records) => {
					const certain = records.filter((one) => !guest.chance?.test(one));
					return [...new Set(certain.map((one) => one.replace(/(rtc-change.*: )-?\d+$/, "$1N")))].sort();
				});
			}),
		);
		const [ours, theirs] = told;
		assert.deepEqual(ours?.[0], theirs?.[0], "virsh at virtkit, and at libvirtd");
		assert.deepEqual(ours?.[1], ours?.[0], "virtkit event, and virsh");
		note(ours?.[0] ?? []);
	});

test("every kind of event was provoked, or has its reason not to be", async (context) => {
	const all = (await virtkit.virsh("event", "--list")).trim().split(/\s+/);
	const provoked = all.filter((kind) => seen.has(kind));
	context.diagnostic(`the same at both: ${provoked.join(", ")}`);
	assert.deepEqual(
		all.filter((kind) => !seen.has(kind)),
		all.filter((kind) => kind in NOT_PROVOKED),
	);
});
