// What guests may use of the host's memory and block I/O, stored and in control groups of running guests on real QEMU.

import assert from "node:assert/strict";
import test from "node:test";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest } from "@virtkit/testing/qemu-driver";

const PAUSED = 1;
const LIVE = 1;
const CONFIG = 2;
const BOTH = 3;
const UNLIMITED = 9007199254740991n;

const plain = (params: readonly TypedParam[]) => params.map(({ field, value }) => [field, value.value]);

test("limits of host memory are stored, hold a running guest, and can be taken away", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(tinyGuest("limited"));
	const read = async (flags: number) => plain(await tests.run("memoryParameters", domain, flags));
	const set = (flags: number, ...params: TypedParam[]) => tests.run("setMemoryParameters", domain, flags, params);
	await set(CONFIG, param.ullong("soft_limit", 400_000n));
	await tests.run("start", domain, PAUSED);
	assert.deepEqual(await read(LIVE), [
		["hard_limit", UNLIMITED],
		["soft_limit", 400_000n],
		["swap_hard_limit", UNLIMITED],
	]);
	await set(BOTH, param.ullong("hard_limit", 800_000n));
	const { guest } = domain.activeRun().cgroups ?? {};
	assert.equal(guest?.get("memoryHardLimit"), 800_000);
	assert.match(domain.config.format({ inactive: true }), /<hard_limit unit='KiB'>800000<\/hard_limit>/);
	await set(LIVE, param.ullong("hard_limit", UNLIMITED));
	assert.equal(guest?.get("memoryHardLimit"), undefined);
	assert.deepEqual(await read(CONFIG), [
		["hard_limit", 800_000n],
		["soft_limit", 400_000n],
		["swap_hard_limit", UNLIMITED],
	]);
	await assert.rejects(
		set(LIVE, param.ullong("swap_hard_limit", 1000n)),
		isVirtError("INVALID_ARG", "must be lower than or equal to swap_hard_limit"),
	);
	await assert.rejects(
		set(CONFIG, param.ullong("min_guarantee", 1000n)),
		isVirtError("ARGUMENT_UNSUPPORTED", "min_guarantee"),
	);
});

test("shares of block I/O and limits on devices are stored device by device", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(tinyGuest("shares"));
	const set = (flags: number, ...params: TypedParam[]) => tests.run("setBlkioParameters", domain, flags, params);
	await set(
		CONFIG,
		param.uint("weight", 300),
		param.string("device_read_iops_sec", "/dev/a,100,/dev/b,200"),
		param.string("device_write_bytes_sec", "/dev/b,18446744073709551615"),
	);
	await set(CONFIG, param.string("device_read_iops_sec", "/dev/a,0"));
	assert.deepEqual(plain(await tests.run("blkioParameters", domain, CONFIG)), [
		["weight", 300],
		["device_weight", ""],
		["device_read_iops_sec", "/dev/b,200"],
		["device_write_iops_sec", ""],
		["device_read_bytes_sec", ""],
		["device_write_bytes_sec", "/dev/b,18446744073709551615"],
	]);
	await assert.rejects(
		set(CONFIG, param.string("device_weight", "/dev/a")),
		isVirtError("INVALID_ARG", "unable to parse blkio device 'device_weight' '/dev/a'"),
	);
	await assert.rejects(
		set(CONFIG, param.string("device_weight", "/dev/a,x")),
		isVirtError("INVALID_ARG", "invalid value 'x' for parameter 'device_weight' of device '/dev/a'"),
	);
});

test("a running guest's limits on devices are on devices that there are", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(tinyGuest("devices"));
	await tests.run("start", domain, PAUSED);
	const set = (text: string) =>
		tests.run("setBlkioParameters", domain, BOTH, [param.string("device_read_bytes_sec", text)]);
	await assert.rejects(set("/dev/null,1000"), isVirtError("INVALID_ARG", "must be a block device"));
	assert.equal(domain.activeRun().live.def.blkiotune, undefined);
	assert.equal(domain.config.def.blkiotune, undefined);
});
