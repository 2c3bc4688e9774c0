// CPU time and schedulers that a definition gives to the threads of its guest, on real QEMU.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { getScheduler } from "@virtkit/host/scheduler";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest } from "@virtkit/testing/qemu-driver";
import { emulatorThreads } from "../config/pin-operations.ts";

const PAUSED = 1;
const LIVE = 1;
const groupOf = (tid: number): string => readFileSync(`/proc/${tid}/cgroup`, "latin1");

const tuned = (cputune: string): string =>
	tinyGuest("tuned", {
		more: `<vcpu current='1'>2</vcpu><iothreads>1</iothreads><cputune>${cputune}</cputune>`,
	});

test("the emulator's period and quota hold its own threads, and neither vCPUs nor one plugged later", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(
		tuned("<emulator_period>50000</emulator_period><emulator_quota>40000</emulator_quota>"),
	);
	await tests.run("start", domain, PAUSED);
	const run = domain.activeRun();
	const group = run.cgroups?.thread("emulator");
	assert.deepEqual([group?.get("cpuPeriod"), group?.get("cpuQuota")], [50_000, 40_000]);
	const own = emulatorThreads(run);
	assert.ok(own.includes(run.process?.pid ?? 0));
	for (const tid of own) assert.match(groupOf(tid), /tuned\.libvirt-qemu\/emulator$/m);
	assert.match(groupOf(run.iothreadThreads.get(1) ?? 0), /tuned\.libvirt-qemu\/iothread1$/m);
	await tests.run("setVcpus", domain, LIVE, 2);
	for (const number of [0, 1])
		assert.match(groupOf(run.vcpuThreads.get(number) ?? 0), new RegExp(`tuned\\.libvirt-qemu/vcpu${number}$`, "m"));
	assert.equal(run.cgroups?.thread("vcpu1").get("cpuQuota"), undefined);
});

test("vCPUs, I/O threads and QEMU's main thread get the schedulers that the definition names", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(
		tuned(`<emulatorsched scheduler='batch'/><vcpusched vcpus='0' scheduler='idle'/>
<iothreadsched iothreads='1' scheduler='batch'/>`),
	);
	await tests.run("start", domain, PAUSED);
	const run = domain.activeRun();
	const policies = () =>
		[run.process?.pid, run.iothreadThreads.get(1), ...run.vcpuThreads.values()].map((tid) => getScheduler(tid ?? 0));
	assert.deepEqual(policies(), ["batch", "batch", "idle"]);
	// The thread of a plugged vCPU is made by the main thread, whose scheduler is not for it.
	await tests.run("setVcpus", domain, LIVE, 2);
	assert.deepEqual(policies(), ["batch", "batch", "idle", "other"]);
});

test("a guest whose scheduler cannot be had does not start, and leaves nothing", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(tuned("<vcpusched vcpus='0' scheduler='rr' priority='100'/>"));
	await assert.rejects(tests.run("start", domain, PAUSED), isVirtError("CONFIG_UNSUPPORTED", "100 out of range"));
	assert.equal(domain.run, undefined);
	assert.deepEqual(tests.processes, []);
});

test("a real-time vCPU gets its policy, or the start tells what the host lacks for it", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(tuned("<vcpusched vcpus='0' scheduler='fifo' priority='1'/>"));
	try {
		await tests.run("start", domain, PAUSED);
	} catch (error) {
		assert.ok(isVirtError("SYSTEM_ERROR", "'fifo' (it takes CAP_SYS_NICE")(error));
		assert.deepEqual(tests.processes, []);
		return;
	}
	assert.equal(getScheduler(domain.activeRun().vcpuThreads.get(0) ?? 0), "fifo");
});
