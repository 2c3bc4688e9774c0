// Changes of running guests and stored definitions, on real QEMU.

import assert from "node:assert/strict";
import test from "node:test";
import { param } from "@virtkit/core/typed-params";
import { getAffinity } from "@virtkit/host/native";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";
import type { QemuDomain } from "../domain/domain.ts";

const LIVE = 1;
const CONFIG = 2;
const MAXIMUM = 4;
const ELEMENT = 2;
const TITLE = 1;

const BALLOONED = `<domain type='qemu'><name>ballooned</name><memory unit='MiB'>64</memory>
<vcpu current='1'>2</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><controller type='usb' model='none'/></devices></domain>`;

const stored = (domain: QemuDomain): string => domain.config.format({ inactive: true });

test("a title and an element in a namespace are set, read, told of, and removed", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(tinyGuest("notes"));
	await tests.run("setMetadata", domain, 0, { type: TITLE, value: "a <guest>" });
	assert.equal(await tests.run("getMetadata", domain, 0, TITLE, undefined), "a <guest>");
	const uri = "http://example.org/app";
	const value = "<app><user name='x'>1</user></app>";
	await tests.run("setMetadata", domain, 0, { type: ELEMENT, value, key: "my", uri });
	assert.match(
		stored(domain),
		/<metadata>\n {4}<my:app xmlns:my="http:\/\/example.org\/app">\n {6}<my:user name="x">1<\/my:user>\n {4}<\/my:app>\n {2}<\/metadata>/,
	);
	assert.equal(await tests.run("getMetadata", domain, 0, ELEMENT, uri), '<app>\n  <user name="x">1</user>\n</app>');
	await tests.run("setMetadata", domain, 0, { type: ELEMENT, uri });
	assert.deepEqual(
		tests.allEvents.filter(({ kind }) => kind === "metadata-change").map((event) => ("uri" in event ? event.uri : "")),
		[undefined, uri, uri],
	);
	await assert.rejects(
		tests.run("getMetadata", domain, 0, ELEMENT, uri),
		isVirtError("NO_DOMAIN_METADATA", "metadata not found: Requested metadata element is not present"),
	);
});

test("metadata that contradicts its type, or is no XML, is refused", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(tinyGuest("notes"));
	const set = (metadata: Parameters<typeof tests.run<"setMetadata">>[3]) =>
		tests.run("setMetadata", domain, 0, metadata);
	await assert.rejects(set({ type: TITLE, value: "two\nlines" }), isVirtError("INVALID_ARG", "newlines"));
	await assert.rejects(set({ type: ELEMENT, value: "<a/>", uri: "u" }), isVirtError("INVALID_ARG", "key"));
	await assert.rejects(set({ type: ELEMENT, value: "<a/>" }), isVirtError("INVALID_ARG", "uri"));
	await assert.rejects(set({ type: 9, value: "x" }), isVirtError("INVALID_ARG", "unknown metadata type '9'"));
	await assert.rejects(set({ type: ELEMENT, value: "<a>", key: "k", uri: "u" }), isVirtError("XML_DETAIL"));
	await assert.rejects(
		set({ type: ELEMENT, value: "<a/>", key: "1 x", uri: "u" }),
		isVirtError("INTERNAL_ERROR", "prefix"),
	);
	assert.doesNotMatch(stored(domain), /metadata|title/);
});

test("a domain that does not run has no live side, a transient one no stored side", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(tinyGuest("sides"));
	await assert.rejects(
		tests.run("setMemory", domain, LIVE, 1024n),
		isVirtError("OPERATION_INVALID", "domain is not running"),
	);
	const transient = await tests.create(tinyGuest("passing"));
	await assert.rejects(
		tests.run("setMemory", transient, CONFIG, 1024n),
		isVirtError("OPERATION_INVALID", "transient domains do not have any persistent config"),
	);
	await assert.rejects(tests.run("setMemory", transient, 0, 1024n), isVirtError("OPERATION_INVALID", "balloon device"));
});

test("stored memory and virtual CPUs change within their limits", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(BALLOONED);
	await tests.run("setMemory", domain, CONFIG | MAXIMUM, 131072n);
	await tests.run("setMemory", domain, CONFIG, 98304n);
	assert.match(stored(domain), /<memory unit='KiB'>131072<\/memory>\n {2}<currentMemory unit='KiB'>98304</);
	await assert.rejects(
		tests.run("setMemory", domain, CONFIG, 131073n),
		isVirtError("INVALID_ARG", "cannot set memory higher than max memory"),
	);
	await tests.run("setMemory", domain, CONFIG | MAXIMUM, 65536n);
	assert.match(stored(domain), /<currentMemory unit='KiB'>65536</);
	await assert.rejects(
		tests.run("setVcpus", domain, CONFIG, 3),
		isVirtError("INVALID_ARG", "persistent domain: 3 > 2"),
	);
	await tests.run("setVcpus", domain, CONFIG | MAXIMUM, 4);
	assert.match(stored(domain), /<vcpu placement='static' current='1'>4</);
	await tests.run("setVcpus", domain, CONFIG, 3);
	assert.equal(await tests.run("vcpuCount", domain, CONFIG), 3);
	assert.equal(await tests.run("vcpuCount", domain, CONFIG | MAXIMUM), 4);
	await tests.run("setVcpus", domain, CONFIG, 4);
	assert.match(stored(domain), /<vcpu placement='static'>4</);
});

test("a running guest's balloon, period and pins change, and its stored definition does not", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(BALLOONED);
	await tests.run("start", domain);
	const before = stored(domain);
	await tests.run("setMemoryStatsPeriod", domain, LIVE, 5);
	assert.equal(domain.activeRun().live.def.devices.memballoon?.stats?.period, 5);
	await tests.run("setMemory", domain, LIVE, 32768n);
	await tests.run("pinVcpu", domain, LIVE, 0, [1]);
	assert.deepEqual(getAffinity(domain.activeRun().vcpuThreads.get(0) ?? 0), [1]);
	assert.deepEqual((await tests.run("vcpuPins", domain, LIVE))[0], [1]);
	await tests.run("pinEmulator", domain, LIVE, [0]);
	assert.deepEqual(getAffinity(domain.activeRun().process?.pid ?? 0), [0]);
	assert.deepEqual(await tests.run("emulatorPin", domain, LIVE), [0]);
	assert.equal(stored(domain), before);
	const told = tests.allEvents.flatMap((event) => (event.kind === "tunable" ? event.params : []));
	assert.deepEqual(told, [param.string("cputune.vcpupin0", "1"), param.string("cputune.emulatorpin", "0")]);
	await assert.rejects(tests.run("pinVcpu", domain, LIVE, 0, []), isVirtError("INVALID_ARG", "Empty cpu list"));
	await assert.rejects(
		tests.run("pinVcpu", domain, CONFIG, 2, [0]),
		isVirtError("INVALID_ARG", "vcpu 2 is out of range of persistent cpu count 1"),
	);
	await assert.rejects(
		tests.run("setVcpus", domain, LIVE | MAXIMUM, 4),
		isVirtError("OPERATION_UNSUPPORTED", "maximum vcpu count"),
	);
});

test("shares, periods and quotas are stored, and set in the control groups of a running guest", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(BALLOONED);
	const read = async (flags: number) =>
		Object.fromEntries(
			(await tests.run("schedulerParameters", domain, flags)).map(({ field, value }) => [field, value.value]),
		);
	await tests.run("setSchedulerParameters", domain, CONFIG, [
		param.ullong("cpu_shares", 512n),
		param.llong("vcpu_quota", -1n),
	]);
	assert.deepEqual(await read(CONFIG), {
		cpu_shares: 512n,
		vcpu_period: 0n,
		vcpu_quota: -1n,
		emulator_period: 0n,
		emulator_quota: 0n,
		global_period: 0n,
		global_quota: 0n,
		iothread_period: 0n,
		iothread_quota: 0n,
	});
	await tests.run("start", domain);
	const { cgroups, vcpuThreads } = domain.activeRun();
	await tests.run("setSchedulerParameters", domain, LIVE, [
		param.ullong("cpu_shares", 256n),
		param.ullong("vcpu_period", 50_000n),
		param.llong("vcpu_quota", 25_000n),
	]);
	assert.equal(cgroups?.guest.get("cpuShares"), 256);
	assert.equal(cgroups?.thread("vcpu0").get("cpuQuota"), 25_000);
	assert.ok(vcpuThreads.get(0));
	const live = await read(LIVE);
	assert.deepEqual([live["cpu_shares"], live["vcpu_period"], live["vcpu_quota"]], [256n, 50_000n, 25_000n]);
	assert.equal((await read(CONFIG))["cpu_shares"], 512n);
	const told = tests.allEvents.find(({ kind }) => kind === "tunable");
	assert.deepEqual(told && "params" in told ? told.params.map(({ field }) => field) : [], [
		"cputune.cpu_shares",
		"cputune.vcpu_period",
		"cputune.vcpu_quota",
	]);
});

test("scheduler parameters that are unknown, of a wrong type or out of range are refused", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(BALLOONED);
	const set = (...params: ReturnType<typeof param.int>[]) =>
		tests.run("setSchedulerParameters", domain, CONFIG, params);
	await assert.rejects(
		set(param.ullong("weight", 1n)),
		isVirtError("ARGUMENT_UNSUPPORTED", "parameter 'weight' not supported"),
	);
	await assert.rejects(
		set(param.int("cpu_shares", 1)),
		isVirtError("INVALID_ARG", "invalid type 'int' for parameter 'cpu_shares', expected 'ullong'"),
	);
	await assert.rejects(
		set(param.ullong("vcpu_period", 5n)),
		isVirtError("INVALID_ARG", "value of 'vcpu_period' is out of range [1000, 1000000]"),
	);
	await until(() => domain.lock.free, "the job of a refused change ends");
});
