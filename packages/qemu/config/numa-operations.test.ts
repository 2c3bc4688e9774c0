// NUMA nodes that memory of guests comes from, stored and for the threads of running guests on real QEMU.

import assert from "node:assert/strict";
import test from "node:test";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest } from "@virtkit/testing/qemu-driver";

const PAUSED = 1;
const LIVE = 1;
const CONFIG = 2;
const STRICT = 0;
const PREFERRED = 1;
const RESTRICTIVE = 3;

const plain = (params: readonly TypedParam[]) => params.map(({ value }) => value.value);

test("nodes are stored, and bind the threads of a running guest whose mode is restrictive", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(tinyGuest("nodes"));
	const read = async (flags: number) => plain(await tests.run("numaParameters", domain, flags));
	const set = (flags: number, ...params: TypedParam[]) => tests.run("setNumaParameters", domain, flags, params);
	assert.deepEqual(await read(CONFIG), [STRICT, ""]);
	await assert.rejects(
		set(CONFIG, param.int("numa_mode", PREFERRED)),
		isVirtError("CONFIG_UNSUPPORTED", "must be set if 'placement' is 'static'"),
	);
	await set(CONFIG, param.int("numa_mode", RESTRICTIVE), param.string("numa_nodeset", "0"));
	assert.deepEqual(await read(CONFIG), [RESTRICTIVE, "0"]);
	await tests.run("start", domain, PAUSED);
	const { cgroups, process: emulator } = domain.activeRun();
	// A start binds the threads already.
	for (const name of ["vcpu0", "emulator"]) assert.deepEqual(cgroups?.thread(name).getCpuset("mems"), [0]);
	await set(LIVE, param.string("numa_nodeset", "0"));
	assert.deepEqual(cgroups?.thread("vcpu0").getCpuset("mems"), [0]);
	assert.ok(emulator);
	await assert.rejects(
		set(LIVE, param.int("numa_mode", PREFERRED)),
		isVirtError("OPERATION_INVALID", "can't change numatune mode for running domain"),
	);
	await assert.rejects(
		set(LIVE, param.string("numa_nodeset", "999")),
		isVirtError("CONFIG_UNSUPPORTED", "NUMA node 999 is unavailable"),
	);
	assert.deepEqual(await read(LIVE), [RESTRICTIVE, "0"]);
});

test("modes and node sets that there are not are refused", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(tinyGuest("nodes"));
	const refused = (code: Parameters<typeof isVirtError>[0], text: string, one: TypedParam) =>
		assert.rejects(tests.run("setNumaParameters", domain, CONFIG, [one]), isVirtError(code, text));
	await refused("INVALID_ARG", "unsupported numatune mode: '4'", param.int("numa_mode", 4));
	await refused("INVALID_ARG", "Failed to parse bitmap 'x'", param.string("numa_nodeset", "x"));
	await refused("OPERATION_INVALID", "Invalid nodeset of 'numatune'", param.string("numa_nodeset", "0,^0"));
});
