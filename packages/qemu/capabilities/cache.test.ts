// The capability cache: one probe for each emulator and host, files that survive, and what makes them stale.

import assert from "node:assert/strict";
import {
	chmodSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { CapabilityCache, type CapabilityCacheOptions } from "./cache.ts";
import { formatFacts, parseFacts } from "./cached-facts.ts";
import type { EmulatorFacts } from "./emulator.ts";

const FACTS: EmulatorFacts = {
	binary: "/emulator",
	arch: "x86_64",
	version: 7_002_000,
	package: "",
	machines: [
		{
			name: "pc-q35-7.2",
			alias: "q35",
			isDefault: true,
			maxCpus: 288,
			hotplugCpus: true,
			numa: true,
			deprecated: false,
		},
	],
	types: { "virtio-net-pci": ["mac", "netdev"] },
	machineProperties: { "pc-q35-7.2": ["smm"] },
	options: { machine: ["type"] },
	schema: [{ "meta-type": "enum", name: "RunState", values: ["running"] }],
	tcg: { cpus: [] },
	kvm: undefined,
	kvmRefusal: "no /dev/kvm",
};

class Bench implements Disposable {
	readonly folder = mkdtempSync(join(tmpdir(), "capabilities-"));
	readonly emulator = join(this.folder, "emulator");
	readonly directory = join(this.folder, "cache");
	probes = 0;

	constructor() {
		writeFileSync(this.emulator, "#!/bin/sh\n", { mode: 0o755 });
	}

	/** A cache as a new daemon has it. */
	cache(options: Partial<CapabilityCacheOptions> = {}, certain = true): CapabilityCache {
		const probe = async () => {
			this.probes++;
			return { facts: { ...FACTS, binary: this.emulator }, certain };
		};
		return new CapabilityCache({ directory: this.directory, probe, ...options });
	}

	get files(): string[] {
		return readdirSync(this.directory).map((name) => join(this.directory, name));
	}

	[Symbol.dispose](): void {
		rmSync(this.folder, { recursive: true });
	}
}

test("an emulator is probed once, however many ask, and not again by the next daemon", async () => {
	using bench = new Bench();
	const cache = bench.cache();
	assert.equal(cache.known(bench.emulator), undefined);
	const [one, two] = await Promise.all([cache.get(bench.emulator), cache.get(bench.emulator)]);
	assert.equal(one, two);
	assert.equal(cache.known(bench.emulator), one);
	const again = await bench.cache().get(bench.emulator);
	assert.equal(bench.probes, 1);
	assert.ok(again.has("virtio-net-pci", "mac") && !again.has("virtio-net-pci", "x") && !again.has("e1000"));
	assert.equal(again.machine("q35")?.name, "pc-q35-7.2");
	assert.equal(again.accelerator("kvm"), undefined);
	assert.equal(again.facts.kvmRefusal, "no /dev/kvm");
	assert.equal(bench.files.length, 1);
});

test("an emulator that changed on disk is probed again, under the same daemon too", async () => {
	using bench = new Bench();
	const cache = bench.cache();
	await cache.get(bench.emulator);
	utimesSync(bench.emulator, 1, 1);
	assert.equal(cache.known(bench.emulator), undefined);
	await cache.get(bench.emulator);
	assert.equal(bench.probes, 2);
	await bench.cache({ uid: 12345 }).get(bench.emulator);
	assert.equal(bench.probes, 3);
});

test("a cache file that is cut short, garbled or of another format is probed over", async () => {
	using bench = new Bench();
	await bench.cache().get(bench.emulator);
	const [file = ""] = bench.files;
	const whole = readFileSync(file, "utf8");
	const damages = [
		() => truncateSync(file, whole.length - 5),
		() => writeFileSync(file, "\0".repeat(100)),
		() => writeFileSync(file, ""),
	];
	for (const [index, damage] of damages.entries()) {
		damage();
		await bench.cache().get(bench.emulator);
		assert.equal(bench.probes, index + 2);
		assert.equal(readFileSync(file, "utf8"), whole);
	}
});

test("a folder that cannot be written costs the file, not the answer", async () => {
	using bench = new Bench();
	writeFileSync(bench.directory, "in the way");
	const errors: unknown[] = [];
	const found = await bench.cache({ onWriteError: (error) => errors.push(error) }).get(bench.emulator);
	assert.equal(found.arch, "x86_64");
	assert.equal(errors.length, 1);
});

test("a trial of KVM that may end otherwise is not kept for the next daemon", async () => {
	using bench = new Bench();
	mkdirSync(bench.directory);
	const cache = bench.cache({}, false);
	assert.equal(await cache.get(bench.emulator), await cache.get(bench.emulator));
	assert.deepEqual(bench.files, []);
});

test("what cannot be executed is named with the reason, and asked about again later", async () => {
	using bench = new Bench();
	const cache = bench.cache();
	const missing = join(bench.folder, "missing");
	await assert.rejects(cache.get(missing), {
		code: "SYSTEM_ERROR",
		message: `Cannot check QEMU binary ${missing}: No such file or directory`,
	});
	await assert.rejects(cache.get(bench.folder), { message: /not a regular file/ });
	chmodSync(bench.emulator, 0o644);
	await assert.rejects(cache.get(bench.emulator), { message: /Permission denied/ });
	chmodSync(bench.emulator, 0o755);
	await cache.get(bench.emulator);
	assert.equal(bench.probes, 1);
});

test("facts survive their file whole, and show only under their own key", () => {
	const text = formatFacts("key", FACTS);
	const read = parseFacts("key", text);
	for (const name of Object.keys(FACTS) as (keyof EmulatorFacts)[]) assert.deepEqual(read?.[name], FACTS[name], name);
	assert.equal(parseFacts("other", text), undefined);
});
