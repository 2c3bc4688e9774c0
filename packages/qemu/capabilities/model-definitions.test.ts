// What CPU models mean, and which of them is like a given CPU.

import assert from "node:assert/strict";
import test from "node:test";
import type { CpuModelFeatures } from "./emulator.ts";
import { describeCpu } from "./host-model.ts";
import { isSameProduct, modelDefinitions } from "./model-definitions.ts";

const amd = (family: number, model: number, features: string): CpuModelFeatures => ({
	vendor: "AuthenticAMD",
	family,
	model,
	stepping: 0,
	features: features.split(" "),
});
const intel = (model: number, features: string): CpuModelFeatures => ({
	...amd(6, model, features),
	vendor: "GenuineIntel",
});

const FACTS = {
	cpuModels: {
		qemu64: amd(15, 107, "fpu lahf-lm"),
		EPYC: amd(23, 1, "fpu monitor topoext npt"),
		"EPYC-Milan": amd(25, 1, "fpu monitor topoext pcid npt"),
		Denverton: intel(95, "fpu"),
		"Skylake-Client": intel(94, "fpu aes"),
		"Skylake-Server": intel(85, "fpu aes pku clflushopt"),
		"Cascadelake-Server": intel(85, "fpu aes pku avx512vnni"),
		"Skylake-Client-noTSX-IBRS": intel(94, "fpu aes spec-ctrl"),
	},
	tcg: {
		cpus: [{ name: "EPYC", type: "EPYC-x86_64-cpu", usable: false, blockers: ["rdseed"], deprecated: false }],
	},
};

const definitionOf = (name: string) => {
	const found = modelDefinitions(FACTS).find((model) => model.name === name);
	assert.ok(found, name);
	return found;
};

test("a model has the features that libvirt counts, whatever the accelerator withholds", () => {
	assert.deepEqual(new Set(definitionOf("EPYC").features), new Set(["fpu", "rdseed", "vme"]));
	assert.deepEqual(new Set(definitionOf("EPYC-Milan").features), new Set(["fpu", "pcid", "npt", "vme"]));
	assert.deepEqual(new Set(definitionOf("Skylake-Server").features), new Set(["fpu", "aes", "vme", "mpx"]));
	assert.deepEqual(definitionOf("qemu64").features, ["fpu"]);
});

test("newer models come first, and those that libvirt does not know not at all", () => {
	const names = modelDefinitions(FACTS).map(({ name }) => name);
	assert.ok(!names.includes("Denverton"));
	assert.ok(names.indexOf("EPYC-Milan") < names.indexOf("EPYC"));
	assert.ok(names.indexOf("EPYC") < names.indexOf("qemu64"));
});

test("steppings tell products of one model number apart", () => {
	const processor = { family: 6, model: 85, stepping: 4 };
	assert.ok(isSameProduct(definitionOf("Skylake-Server"), processor));
	assert.ok(!isSameProduct(definitionOf("Cascadelake-Server"), processor));
	assert.ok(isSameProduct(definitionOf("Cascadelake-Server"), { ...processor, stepping: 7 }));
	assert.ok(isSameProduct(definitionOf("Skylake-Client"), { family: 6, model: 158 }));
	assert.ok(!isSameProduct(definitionOf("qemu64"), { family: 15, model: 107 }));
});

test("a guest gets no model that describes hosts alone", () => {
	const cpu = {
		vendor: "GenuineIntel",
		family: 6,
		model: 94,
		features: new Set(["fpu", "aes", "spec-ctrl", "vme", "mpx"]),
	};
	const models = modelDefinitions(FACTS);
	assert.equal(describeCpu(cpu, models, { of: "host" })?.model, "Skylake-Client-noTSX-IBRS");
	assert.deepEqual(describeCpu(cpu, models, { of: "guest" }), {
		model: "Skylake-Client",
		vendor: "Intel",
		features: [{ name: "spec-ctrl", policy: "require" }],
	});
});

test("features to disable weigh more than features to add", () => {
	const models = modelDefinitions({
		cpuModels: {
			"SandyBridge-IBRS": intel(42, "fpu a"),
			Haswell: intel(42, "fpu x y"),
		},
		tcg: undefined,
	});
	const cpu = { vendor: "GenuineIntel", family: 6, model: 1, features: new Set(["fpu", "a", "b", "c"]) };
	assert.equal(describeCpu(cpu, models, { of: "guest" })?.model, "SandyBridge-IBRS");
	const blocked = describeCpu(cpu, models, {
		of: "guest",
		blockers: (name) => (name === "Haswell" ? [] : ["p", "q", "r", "s", "t"]),
	});
	assert.equal(blocked?.model, "Haswell");
});
