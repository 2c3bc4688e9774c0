// What is told of guests: of real ones on QEMU, and of those that do not run.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import test from "node:test";
import type { TypedParam } from "@virtkit/core/typed-params";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver } from "@virtkit/testing/qemu-driver";

const STATE = 1;
const BLOCK = 32;
const BACKING = 1 << 30;
const ENFORCE = 1 << 31;

/** A guest with a qcow2 on a raw image, a limited raw image, and an empty drive. */
function guestWithDisks(tests: TestDriver): string {
	const [base, top, raw] = [tests.path("base.raw"), tests.path("top.qcow2"), tests.path("raw.img")];
	writeFileSync(base, "");
	truncateSync(base, 1 << 20);
	writeFileSync(raw, Buffer.alloc(512, 1));
	truncateSync(raw, 8 << 20);
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", top, "64M"]);
	return `<domain type='qemu'><name>disks</name><memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu><iothreads>1</iothreads>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><controller type='usb' model='none'/>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='${top}'/>
<backingStore type='file'><format type='raw'/><source file='${base}'/><backingStore/></backingStore><target dev='vda' bus='virtio'/></disk>
<disk type='file'><driver name='qemu' type='raw'/><source file='${raw}'/><target dev='sda' bus='sata'/><iotune><read_bytes_sec>1000000</read_bytes_sec></iotune></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
</devices></domain>`;
}

const names = (params: readonly TypedParam[]): string[] => params.map(({ field }) => field);
const values = (params: readonly TypedParam[]) =>
	Object.fromEntries(params.map(({ field, value }) => [field, value.value]));

const COUNTERS = ["rd.reqs", "rd.bytes", "rd.times", "wr.reqs", "wr.bytes", "wr.times", "fl.reqs", "fl.times"];
const ofBlock = (index: number, ...fields: string[]): string[] => fields.map((field) => `block.${index}.${field}`);

test("statistics of a domain that does not run tell its state, size and images, at once", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(guestWithDisks(tests));
	const stats = tests.driver.operations.stats?.(domain, 0, 0, tests.context);
	assert.ok(stats && !(stats instanceof Promise));
	assert.deepEqual(names(stats), [
		"state.state",
		"state.reason",
		"balloon.current",
		"balloon.maximum",
		"vcpu.current",
		"vcpu.maximum",
		"block.count",
		...ofBlock(0, "name", "path", "allocation", "capacity", "physical"),
		...ofBlock(1, "name", "path", "allocation", "capacity", "physical"),
		...ofBlock(2, "name"),
	]);
	const { "block.0.capacity": qcow2, "block.1.capacity": raw, "block.1.physical": physical } = values(stats);
	assert.deepEqual([qcow2, raw, physical], [64n << 20n, 8n << 20n, 8n << 20n]);
	assert.equal(values(stats)["state.state"], 5);
});

test("statistics of a running guest have libvirt's names, types and order", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(guestWithDisks(tests));
	await tests.run("start", domain);
	const stats = await tests.run("stats", domain, 0, 0);
	const figures = ["allocation", "capacity", "physical"];
	assert.deepEqual(names(stats), [
		"state.state",
		"state.reason",
		"cpu.time",
		"cpu.user",
		"cpu.system",
		"cpu.cache.monitor.count",
		"cpu.haltpoll.success.time",
		"cpu.haltpoll.fail.time",
		"balloon.current",
		"balloon.maximum",
		"balloon.last-update",
		"balloon.rss",
		"vcpu.current",
		"vcpu.maximum",
		"vcpu.0.state",
		"vcpu.0.time",
		"vcpu.0.wait",
		"vcpu.0.delay",
		"net.count",
		"block.count",
		...ofBlock(0, "name", "path", "backingIndex", ...COUNTERS, ...figures),
		...ofBlock(1, "name", "path", "backingIndex", ...COUNTERS, ...figures),
		...ofBlock(2, "name", ...COUNTERS),
		"iothread.count",
		"iothread.1.poll-max-ns",
		"iothread.1.poll-grow",
		"iothread.1.poll-shrink",
		"dirtyrate.calc_status",
		"dirtyrate.calc_start_time",
		"dirtyrate.calc_period",
		"dirtyrate.calc_mode",
	]);
	const types = Object.fromEntries(stats.map(({ field, value }) => [field, value.type]));
	assert.deepEqual(
		[types["state.state"], types["cpu.time"], types["vcpu.current"], types["block.0.name"], types["vcpu.0.state"]],
		[1, 4, 2, 7, 1],
	);
	assert.equal(values(stats)["dirtyrate.calc_mode"], "page-sampling");
});

test("images below are told when they are asked for, other groups are left out, unknown ones refused", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(guestWithDisks(tests));
	await tests.run("start", domain);
	const all = values(await tests.run("stats", domain, BACKING, BLOCK | STATE));
	assert.equal(all["block.count"], 4);
	assert.equal(all["block.1.path"], tests.path("base.raw"));
	assert.equal(all["cpu.time"], undefined);
	assert.equal(all["state.state"], 1);
	await assert.rejects(
		tests.run("stats", domain, ENFORCE, 0x4000),
		isVirtError("ARGUMENT_UNSUPPORTED", "Stats types bits 0x4000 are not supported"),
	);
	assert.deepEqual(await tests.run("stats", domain, 0, 0x4000), []);
});

test("disks of a running guest have sizes, counters and limits, by target or by path", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(guestWithDisks(tests));
	const before = await tests.run("blockInfo", domain, 0, "vda");
	await tests.run("start", domain);
	const live = await tests.run("blockInfo", domain, 0, tests.path("top.qcow2"));
	assert.deepEqual(live, before);
	const { capacity, physical } = await tests.run("blockInfo", domain, 0, "sda");
	assert.deepEqual([capacity, physical], [8n << 20n, 8n << 20n]);
	const { readBytes, errors } = await tests.run("blockStats", domain, 0, "sda");
	assert.ok(readBytes >= 0n);
	assert.equal(errors, -1n);
	assert.deepEqual(names(await tests.run("blockStatsParameters", domain, 0, "")), [
		"wr_bytes",
		"wr_operations",
		"rd_bytes",
		"rd_operations",
		"flush_operations",
		"wr_total_times",
		"rd_total_times",
		"flush_total_times",
	]);
	const limits = await tests.run("blockIoTune", domain, 0, "sda");
	assert.equal(limits.length, 20);
	assert.equal(values(limits)["read_bytes_sec"], 1_000_000n);
	assert.equal((await tests.run("blockIoTune", domain, 0, "")).length, 20);
	const {
		disks: [, , drive],
	} = domain.activeRun().live.def.devices;
	assert.deepEqual([drive?.target.dev, drive?.source], ["hdc", undefined]);
	assert.deepEqual(await tests.run("diskErrors", domain), []);
	await assert.rejects(
		tests.run("blockInfo", domain, 0, "vdz"),
		isVirtError("INVALID_ARG", "invalid path vdz not assigned to domain"),
	);
	await assert.rejects(
		tests.run("blockInfo", domain, 0, "hdc"),
		isVirtError("INVALID_ARG", "disk 'hdc' does not currently have a source assigned"),
	);
});

test("vCPUs are Linux threads of QEMU, with CPU time, CPU and affinity", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(guestWithDisks(tests));
	await assert.rejects(
		tests.run("vcpus", domain),
		isVirtError("OPERATION_INVALID", "cannot retrieve vcpu information for inactive domain"),
	);
	await tests.run("start", domain);
	const [vcpu, ...others] = await tests.run("vcpus", domain);
	assert.equal(others.length, 0);
	assert.equal(vcpu?.tid, domain.activeRun().vcpuThreads.get(0));
	assert.equal(vcpu?.state, 1);
	assert.ok((vcpu?.affinity.length ?? 0) > 0);
	const tags = (await tests.run("memoryStats", domain)).map(({ tag }) => tag);
	assert.deepEqual(tags, [6, 9, 7]);
	const [system, owner] = await tests.run("securityLabels", domain);
	assert.equal(system?.label, "");
	assert.match(owner?.label ?? "", /^\+\d+:\+\d+$/);
	const { params } = await tests.run("cpuStats", domain, 0, -1, 1);
	assert.deepEqual(names(params), ["cpu_time", "user_time", "system_time"]);
});

test("an interface is found by the host's name or the address, and counted by the guest's side", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(
		guestWithDisks(tests).replace(
			"</devices>",
			"<interface type='user'><mac address='52:54:00:11:22:33'/></interface></devices>",
		),
	);
	await tests.run("start", domain);
	await assert.rejects(
		tests.run("interfaceStats", domain, 0, "vnet9"),
		isVirtError("INVALID_ARG", "'vnet9' is not a known interface"),
	);
	await assert.rejects(
		tests.run("interfaceStats", domain, 0, "52:54:00:11:22:33"),
		isVirtError("INTERNAL_ERROR", "Interface name not provided"),
	);
});
