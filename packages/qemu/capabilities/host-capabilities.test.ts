// The answer about the host: facts read from a made-up /proc and /sys, and the document made of them.

import assert from "node:assert/strict";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { childNamed, elementsOf, textOf, type XmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { hostArch } from "./arch.ts";
import { CapabilityCache } from "./cache.ts";
import { EmulatorCapabilities, type EmulatorFacts } from "./emulator.ts";
import { defaultEmulator } from "./emulators.ts";
import { describeHostCpu, formatHostCapabilities } from "./host-capabilities.ts";
import { describeCpu } from "./host-model.ts";
import { parseList, readHostFacts } from "./host-reader.ts";
import { installedGuests } from "./installed-guests.ts";
import { readKvmDevice } from "./kvm-device.ts";
import { modelDefinitions } from "./model-definitions.ts";

/** Two sockets of two cores with two threads, a node each. */
function machineFiles(): Record<string, string> {
	const files: Record<string, string> = {
		"proc/cpuinfo": [
			"processor\t: 0",
			"vendor_id\t: GenuineIntel",
			"cpu family\t: 6",
			"model\t\t: 85",
			"model name\t: Some: Xeon",
			"stepping\t: 4",
			"microcode\t: 0x2000065",
			"flags\t\t: fpu sse4_1 lahf_lm constant_tsc nonstop_tsc ibrs pni",
			"address sizes\t: 46 bits physical, 48 bits virtual",
			"",
			"processor\t: 1",
		].join("\n"),
		"etc/machine-id": "0123456789abcdef0123456789abcdef\n",
		"sys/devices/system/cpu/online": "0-7\n",
		"sys/kernel/iommu_groups/0/type": "DMA\n",
		"dev/vfio/vfio": "",
		"run/systemd/system/.keep": "",
		"sys/power/state": "freeze mem disk\n",
		"sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "8\n",
	};
	for (let node = 0; node < 2; node++) {
		const folder = `sys/devices/system/node/node${node}`;
		files[`${folder}/meminfo`] = `Node ${node} MemTotal:       1048576 kB\n`;
		files[`${folder}/distance`] = node === 0 ? "10 21\n" : "21 10\n";
		files[`${folder}/cpulist`] = node === 0 ? "0-1,4-5\n" : "2-3,6-7\n";
		files[`${folder}/hugepages/hugepages-2048kB/nr_hugepages`] = "4\n";
	}
	for (let cpu = 0; cpu < 8; cpu++) {
		const folder = `sys/devices/system/cpu/cpu${cpu}`;
		const socket = Math.floor((cpu % 4) / 2);
		files[`${folder}/topology/physical_package_id`] = `${socket}\n`;
		files[`${folder}/topology/core_id`] = `${cpu % 2}\n`;
		files[`${folder}/topology/thread_siblings_list`] = `${cpu % 4},${(cpu % 4) + 4}\n`;
		files[`${folder}/cache/index3/level`] = "3\n";
		files[`${folder}/cache/index3/id`] = `${socket}\n`;
		files[`${folder}/cache/index3/size`] = "22528K\n";
		files[`${folder}/cache/index3/type`] = "Unified\n";
		files[`${folder}/cache/index3/shared_cpu_list`] = socket === 0 ? "0-1,4-5\n" : "2-3,6-7\n";
		files[`${folder}/cache/index0/level`] = "1\n";
	}
	return files;
}

function withMachine<T>(files: Readonly<Record<string, string>>, run: (root: string) => T): T {
	const root = mkdtempSync(join(tmpdir(), "host-"));
	try {
		for (const [path, text] of Object.entries(files)) {
			mkdirSync(dirname(join(root, path)), { recursive: true });
			writeFileSync(join(root, path), text);
		}
		return run(root);
	} finally {
		rmSync(root, { recursive: true });
	}
}

const at = (element: XmlElement, ...path: readonly string[]): XmlElement => {
	let here: XmlElement | undefined = element;
	for (const name of path) here = here && childNamed(here, name);
	assert.ok(here, `no ${path.join("/")}`);
	return here;
};

const FACTS: EmulatorFacts = {
	binary: "/emulator",
	arch: "x86_64",
	version: 1,
	package: "",
	machines: [
		{ name: "none", isDefault: false, maxCpus: 1, hotplugCpus: false, numa: false, deprecated: false },
		{ name: "pc-1", isDefault: false, maxCpus: 4, hotplugCpus: false, numa: false, deprecated: true },
		{ name: "pc-2", alias: "pc", isDefault: true, maxCpus: 8, hotplugCpus: false, numa: false, deprecated: false },
	],
	types: {},
	machineProperties: {},
	options: {},
	schema: [],
	tcg: { cpus: [], hostCpu: { model: "max", properties: { invtsc: false, vmx: true }, features: ["aes"] } },
	kvm: { cpus: [] },
	cpuModels: {
		Server: { vendor: "GenuineIntel", family: 6, model: 85, stepping: 1, features: ["fpu", "pni", "hypervisor"] },
		Newer: {
			vendor: "GenuineIntel",
			family: 6,
			model: 85,
			stepping: 1,
			features: ["fpu", "pni", "sse4.1", "avx", "movbe", "aes"],
		},
		Other: { vendor: "AuthenticAMD", family: 25, model: 1, stepping: 1, features: ["fpu", "pni", "sse4.1", "lahf-lm"] },
		qemu64: { vendor: "AuthenticAMD", family: 15, model: 107, stepping: 1, features: ["fpu", "spec-ctrl"] },
	},
};

test("a machine is read from its files", () => {
	const facts = withMachine(machineFiles(), readHostFacts);
	assert.equal(facts.uuid, "01234567-89ab-cdef-0123-456789abcdef");
	assert.deepEqual(facts.topology, { sockets: 2, dies: 1, cores: 2, threads: 2 });
	assert.deepEqual(facts.processor, {
		vendor: "GenuineIntel",
		family: 6,
		model: 85,
		stepping: 4,
		microcode: 0x2000065,
		flags: ["fpu", "sse4_1", "lahf_lm", "constant_tsc", "nonstop_tsc", "ibrs", "pni"],
		physicalAddressBits: 46,
	});
	assert.deepEqual(facts.cells[1]?.cpus[2], { id: 6, socket: 1, die: 0, core: 0, siblings: [2, 6] });
	assert.deepEqual(facts.cells[1]?.distances, [
		{ id: 0, value: 21 },
		{ id: 1, value: 10 },
	]);
	assert.deepEqual(facts.cells[0]?.pages, [
		{ sizeKib: 4, count: 260_096 },
		{ sizeKib: 2048, count: 4 },
	]);
	assert.deepEqual(
		facts.caches.map(({ id, type, cpus }) => [id, type, cpus]),
		[
			[0, "both", "0-1,4-5"],
			[1, "both", "2-3,6-7"],
		],
	);
	assert.deepEqual(facts.suspendTargets, ["suspend_mem", "suspend_disk", "suspend_hybrid"]);
	assert.deepEqual([facts.iommu, facts.vfio], [true, true]);
});

test("a machine without NUMA, caches, identity or suspend is one cell", () => {
	const files = { "proc/meminfo": "MemTotal:        2048 kB\n", "sys/devices/system/cpu/online": "0-1\n" };
	const facts = withMachine(files, readHostFacts);
	assert.equal(facts.uuid, undefined);
	assert.deepEqual(
		facts.cells.map(({ id, memoryKib, cpus }) => [id, memoryKib, cpus.length]),
		[[0, 2048, 2]],
	);
	assert.deepEqual([facts.caches, facts.suspendTargets, facts.iommu, facts.vfio], [[], [], false, false]);
	assert.deepEqual(withMachine({ ...files, "etc/machine-id": "0".repeat(32) }, readHostFacts).uuid, undefined);
});

test("lists of CPUs are written out", () => {
	assert.deepEqual(parseList("0-2,5\n"), [0, 1, 2, 5]);
	assert.deepEqual(parseList("\n"), []);
});

test("the host's CPU is the model wholly within it, of its own maker, with what it has beyond", () => {
	const processor = withMachine(machineFiles(), readHostFacts).processor;
	const described = describeHostCpu(processor, new EmulatorCapabilities(FACTS));
	assert.equal(described?.model, "Server");
	assert.equal(described?.vendor, "Intel");
	assert.deepEqual(
		described?.features.map(({ name }) => name),
		["sse4.1", "spec-ctrl", "lahf_lm", "invtsc"],
	);
});

test("a guest's CPU prefers the same product and says what to disable", () => {
	const cpu = {
		vendor: "GenuineIntel",
		family: 6,
		model: 85,
		features: new Set(["fpu", "pni", "sse4.1", "avx", "movbe", "cmp-legacy"]),
	};
	const described = describeCpu(cpu, modelDefinitions(FACTS), { of: "guest" });
	assert.equal(described?.model, "Newer");
	assert.deepEqual(described?.features, [
		{ name: "cmp_legacy", policy: "require" },
		{ name: "aes", policy: "disable" },
	]);
	const generic = describeCpu({ ...cpu, vendor: "CentaurHauls" }, modelDefinitions(FACTS), { of: "guest" });
	assert.deepEqual([generic?.model, generic?.vendor], ["qemu64", undefined]);
});

test("the document tells the host, its cells and the guests, with KVM only where it runs guests", () => {
	const facts = { ...withMachine(machineFiles(), readHostFacts), arch: "x86_64" };
	const emulator = new EmulatorCapabilities(FACTS);
	const refused = new EmulatorCapabilities({ ...FACTS, kvmRefusal: "broken" });
	const kvm = { maxVcpus: 8, tsc: { frequency: 2_400_000_000, scaling: true } };
	const security = [{ model: "dac", doi: "0", baseLabels: { kvm: "+64055:+64055" } }];
	const guests = [
		{ arch: "i686", emulator: refused },
		{ arch: "x86_64", emulator },
	];
	const text = formatHostCapabilities({ facts, kvm, security, native: emulator, guests });
	const document = parseXml(text);
	const host = at(document, "host");
	assert.equal(textOf(at(host, "cpu", "model")), "Server");
	assert.deepEqual(at(host, "cpu", "topology").attributes, { sockets: "2", dies: "1", cores: "2", threads: "2" });
	assert.deepEqual(at(host, "cpu", "microcode").attributes, { version: "33554533" });
	assert.deepEqual(at(host, "cpu", "counter").attributes, { name: "tsc", frequency: "2400000000", scaling: "yes" });
	assert.equal(at(host, "iommu").attributes["support"], "yes");
	assert.deepEqual(
		elementsOf(at(host, "power_management")).map(({ name }) => name),
		["suspend_mem", "suspend_disk", "suspend_hybrid"],
	);
	assert.equal(textOf(at(host, "secmodel", "baselabel")), "+64055:+64055");
	assert.deepEqual(at(host, "cache", "bank").attributes, {
		id: "0",
		level: "3",
		type: "both",
		size: "22",
		unit: "MiB",
		cpus: "0-1,4-5",
	});
	const [cell] = elementsOf(at(host, "topology", "cells"));
	assert.deepEqual(cell && at(cell, "cpus", "cpu").attributes, {
		id: "0",
		socket_id: "0",
		die_id: "0",
		core_id: "0",
		siblings: "0,4",
	});
	const [first, second] = elementsOf(document).filter(({ name }) => name === "guest");
	const typesOf = (guest?: XmlElement) =>
		(guest ? elementsOf(at(guest, "arch")) : [])
			.filter(({ name }) => name === "domain")
			.map(({ attributes }) => attributes["type"]);
	assert.deepEqual([typesOf(first), typesOf(second)], [["qemu"], ["qemu", "kvm"]]);
	const machines = (second ? elementsOf(at(second, "arch")) : []).filter(({ name }) => name === "machine");
	assert.deepEqual(
		machines.map((machine) => [textOf(machine), machine.attributes]),
		[
			["pc-2", { maxCpus: "8" }],
			["pc", { canonical: "pc-2", maxCpus: "8" }],
			["pc-1", { maxCpus: "4", deprecated: "yes" }],
		],
	);
	assert.deepEqual(first && elementsOf(at(first, "features")).map(({ name }) => name), [
		"pae",
		"nonpae",
		"acpi",
		"apic",
		"cpuselection",
		"deviceboot",
		"disksnapshot",
	]);
});

test("an emulator is found by its architecture, a 32-bit guest's in the 64-bit one where there is no other", () => {
	const folder = mkdtempSync(join(tmpdir(), "path-"));
	try {
		const path = `relative:${folder}`;
		assert.equal(defaultEmulator("riscv64", "riscv64", path), undefined);
		const [wide, narrow] = ["qemu-system-x86_64", "qemu-system-i386"].map((name) => join(folder, name));
		writeFileSync(wide ?? "", "", { mode: 0o755 });
		writeFileSync(narrow ?? "", "", { mode: 0o644 });
		assert.equal(defaultEmulator("x86_64", "i686", path), wide);
		assert.equal(defaultEmulator("riscv64", "i686", path), undefined);
		writeFileSync(join(folder, "qemu-system-arm"), "", { mode: 0o755 });
		assert.equal(defaultEmulator("aarch64", "armv7l", path), join(folder, "qemu-system-arm"));
		writeFileSync(join(folder, "qemu-system-aarch64"), "", { mode: 0o755 });
		assert.equal(defaultEmulator("aarch64", "armv7l", path), join(folder, "qemu-system-aarch64"));
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("KVM is asked for its limits; what is not KVM answers nothing", () => {
	const kvm = readKvmDevice();
	assert.equal(kvm === undefined, !isOpen("/dev/kvm"));
	assert.ok(kvm === undefined || kvm.maxVcpus >= 4);
	assert.equal(readKvmDevice("/dev/null"), undefined);
	assert.equal(readKvmDevice("/nonexistent/kvm"), undefined);
});

function isOpen(path: string): boolean {
	try {
		closeSync(openSync(path, "r+"));
		return true;
	} catch {
		return false;
	}
}

test("emulators that cannot be probed are left out of what is installed, and told of", async () => {
	const folder = mkdtempSync(join(tmpdir(), "installed-"));
	try {
		const failed = new Set<string>();
		const probe = async (binary: string) => {
			if (!binary.endsWith("x86_64")) throw new Error("no QEMU");
			return { facts: { ...FACTS, binary }, certain: true };
		};
		const cache = new CapabilityCache({ directory: folder, probe });
		const guests = await installedGuests(cache, hostArch(), (binary) => failed.add(binary));
		assert.ok(guests.every(({ emulator }) => emulator.binary.endsWith("x86_64")));
		assert.ok(guests.some(({ arch }) => arch === "x86_64") && !failed.has("/usr/bin/qemu-system-x86_64"));
	} finally {
		rmSync(folder, { recursive: true });
	}
});
