// What declared ratios admit, to the last KiB, and how a refusal reads.

import assert from "node:assert/strict";
import test from "node:test";
import { type AdmissionRequest, formatKib, refuseAdmission } from "./admission.ts";

const GIB = 1024 * 1024;
const REQUEST: AdmissionRequest = {
	name: "web",
	asked: { memoryKib: 2 * GIB, vcpus: 2 },
	host: { memoryKib: 8 * GIB, cpus: 4 },
	granted: [
		{ memoryKib: 6 * GIB, vcpus: 3 },
		{ memoryKib: 4 * GIB, vcpus: 3 },
	],
	ratios: { memory: 1.5, cpu: 2 },
};

test("what fits to the last KiB and CPU is admitted, one more is not", () => {
	assert.equal(refuseAdmission(REQUEST), undefined);
	const more = { ...REQUEST, asked: { memoryKib: 2 * GIB + 1, vcpus: 2 } };
	assert.equal(
		refuseAdmission(more),
		"memory for 'web': it asks for 2 GiB, running guests are promised 10 GiB, the host has 8 GiB for guests and may promise 1.5 × that, 12 GiB (memory_overcommit_ratio)",
	);
	const wider = { ...REQUEST, asked: { memoryKib: GIB, vcpus: 3 } };
	assert.equal(
		refuseAdmission(wider),
		"CPUs for 'web': it asks for 3 virtual CPUs, running guests have 6, the host has 4 CPUs and may promise 2 × that, 8 (cpu_overcommit_ratio)",
	);
});

test("what is not declared has no limit", () => {
	const huge = { ...REQUEST, asked: { memoryKib: 1e12, vcpus: 1e4 } };
	assert.equal(refuseAdmission({ ...huge, ratios: {} }), undefined);
	assert.match(refuseAdmission({ ...huge, ratios: { cpu: 1 } }) ?? "", /^CPUs for 'web'/);
});

test("sizes are told in the unit that people would use", () => {
	assert.deepEqual([512, 1536, 300 * 1024, 1.25 * GIB].map(formatKib), ["512 KiB", "1.5 MiB", "300 MiB", "1.3 GiB"]);
});
