// Limits of disks of running guests and of stored definitions, on real QEMU.

import assert from "node:assert/strict";
import { truncateSync, writeFileSync } from "node:fs";
import test from "node:test";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver } from "@virtkit/testing/qemu-driver";
import type { QemuDomain } from "../domain/domain.ts";

const LIVE = 1;
const CONFIG = 2;
const BOTH = 3;

function guestWithDisks(tests: TestDriver): string {
	const image = (name: string): string => {
		const path = tests.path(name);
		writeFileSync(path, "");
		truncateSync(path, 1 << 20);
		return path;
	};
	return `<domain type='qemu'><name>throttled</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><controller type='usb' model='none'/>
<disk type='file'><source file='${image("a.img")}'/><target dev='vda' bus='virtio'/></disk>
<disk type='file'><source file='${image("b.img")}'/><target dev='vdb' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk></devices></domain>`;
}

const set = (tests: TestDriver, domain: QemuDomain, disk: string, flags: number, ...params: TypedParam[]) =>
	tests.run("setBlockIoTune", domain, flags, disk, params);

async function limitsOf(tests: TestDriver, domain: QemuDomain, disk: string, flags: number) {
	const all = await tests.run("blockIoTune", domain, flags, disk);
	return Object.fromEntries(all.flatMap(({ field, value }) => (value.value ? [[field, value.value]] : [])));
}

test("limits of a running guest's disk are QEMU's, inherit by family, and are told of", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(guestWithDisks(tests));
	await tests.run("start", domain);
	await set(
		tests,
		domain,
		"vda",
		BOTH,
		param.ullong("read_bytes_sec", 1000n),
		param.ullong("read_bytes_sec_max", 2000n),
	);
	await set(tests, domain, "vda", LIVE, param.ullong("total_iops_sec", 50n));
	assert.deepEqual(await limitsOf(tests, domain, "vda", LIVE), {
		read_bytes_sec: 1000n,
		total_iops_sec: 50n,
		read_bytes_sec_max: 2000n,
		group_name: "/machine/peripheral/virtio-disk0/virtio-backend",
		read_bytes_sec_max_length: 1n,
	});
	assert.deepEqual(await limitsOf(tests, domain, "vda", CONFIG), { read_bytes_sec: 1000n, read_bytes_sec_max: 2000n });
	const told = tests.allEvents.flatMap((event) => (event.kind === "tunable" ? [event.params] : []));
	assert.deepEqual(told[1], [
		param.string("blkdeviotune.disk", "vda"),
		param.ullong("blkdeviotune.total_iops_sec", 50n),
	]);
});

test("disks of a group share limits, and leave it with their last one; a new driver finds them", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(guestWithDisks(tests));
	await tests.run("start", domain);
	const group = param.string("group_name", "slow");
	await set(tests, domain, "vda", LIVE, param.ullong("total_bytes_sec", 5000n), group);
	await set(tests, domain, "vdb", LIVE, group);
	await set(tests, domain, "vdb", LIVE, param.ullong("total_bytes_sec", 6000n));
	for (const disk of ["vda", "vdb"])
		assert.deepEqual((await limitsOf(tests, domain, disk, LIVE))["total_bytes_sec"], 6000n);
	await tests.restart();
	const adopted = tests.driver.domains.byName("throttled") as QemuDomain;
	const { disks } = adopted.activeRun().live.def.devices;
	assert.deepEqual(disks[0]?.iotune, { total_bytes_sec: 6000, group_name: "slow" });
	await set(tests, adopted, "vda", LIVE, param.ullong("total_bytes_sec", 0n));
	assert.deepEqual(await limitsOf(tests, adopted, "vda", LIVE), {});
	assert.equal((await limitsOf(tests, adopted, "vdb", LIVE))["total_bytes_sec"], 6000n);
});

test("an empty drive keeps its limits for its next medium", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(guestWithDisks(tests));
	await tests.run("start", domain);
	await set(tests, domain, "sda", LIVE, param.ullong("total_iops_sec", 7n));
	assert.match(domain.activeRun().live.format(), /<total_iops_sec>7<\/total_iops_sec>/);
});

test("limits that contradict each other are refused, and nothing is changed", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(guestWithDisks(tests));
	await tests.run("start", domain);
	const refused = async (
		code: Parameters<typeof isVirtError>[0],
		text: string,
		disk: string,
		...params: TypedParam[]
	) => assert.rejects(set(tests, domain, disk, BOTH, ...params), isVirtError(code, text));
	const rate = param.ullong("total_bytes_sec", 10n);
	await refused("INVALID_ARG", "disk 'vdz' not found in domain", "vdz", rate);
	await refused(
		"INVALID_ARG",
		"total and read/write of bytes_sec cannot be set at the same time",
		"vda",
		rate,
		param.ullong("write_bytes_sec", 1n),
	);
	await refused("CONFIG_UNSUPPORTED", "cannot reset 'total_iops_sec'", "vda", param.ullong("total_iops_sec_max", 1n));
	await refused("CONFIG_UNSUPPORTED", "smaller than", "vda", rate, param.ullong("total_bytes_sec_max", 5n));
	await refused("CONFIG_UNSUPPORTED", "creating a new group", "vda", param.string("group_name", "none"));
	await refused("ARGUMENT_UNSUPPORTED", "no more than", "vda", param.ullong("total_bytes_sec", 10n ** 15n + 1n));
	await refused("INVALID_ARG", "invalid type 'uint'", "vda", param.uint("total_bytes_sec", 1));
	await refused("ARGUMENT_UNSUPPORTED", "parameter 'speed' not supported", "vda", param.ullong("speed", 1n));
	for (const flags of [LIVE, CONFIG]) assert.deepEqual(await limitsOf(tests, domain, "vda", flags), {});
});
