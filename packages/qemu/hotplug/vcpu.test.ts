// vCPUs that come and go, of real guests that have only their firmware; one that runs Linux is in tests/system.

import assert from "node:assert/strict";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver } from "@virtkit/testing/qemu-driver";

const CONFIG = 2;
const LIVE = 1;

const guest = (vcpus: string): string => `<domain type='qemu'><name>cpus</name><memory unit='MiB'>64</memory>${vcpus}
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/><apic/></features>
<devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>`;

const vcpusOf = (xml: string): string[] => [...xml.matchAll(/<vcpu id=.*?\/>/g)].map(([line]) => line);

test("vCPUs are plugged into a running guest and its stored definition, and found again after a restart", async () => {
	await using tests = await TestDriver.start();
	const defined = await tests.define(guest("<vcpu current='1'>4</vcpu>"));
	await tests.run("start", defined, 1);
	await tests.run("setVcpus", defined, LIVE | CONFIG, 3);
	assert.equal(await tests.run("vcpuCount", defined, LIVE), 3);
	assert.equal(await tests.run("vcpuCount", defined, CONFIG), 3);
	assert.deepEqual(
		(await tests.run("vcpus", defined, 0)).map(({ number }) => number),
		[0, 1, 2],
	);
	assert.deepEqual(vcpusOf(await tests.run("xml", defined, 0)), [
		"<vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>",
		"<vcpu id='1' enabled='yes' hotpluggable='yes' order='2'/>",
		"<vcpu id='2' enabled='yes' hotpluggable='yes' order='3'/>",
		"<vcpu id='3' enabled='no' hotpluggable='yes'/>",
	]);
	await tests.restart();
	const domain = tests.driver.domains.byName("cpus");
	assert.ok(domain);
	assert.equal(await tests.run("vcpuCount", domain, LIVE), 3);
	await tests.run("setVcpu", domain, LIVE, "3", 1);
	assert.equal(await tests.run("vcpuCount", domain, LIVE), 4);
	await assert.rejects(
		async () => tests.run("setVcpu", domain, LIVE, "3", 1),
		isVirtError("INVALID_ARG", "vcpu '3' is already in requested state"),
	);
	await assert.rejects(
		async () => tests.run("setVcpu", domain, LIVE, "0", 0),
		isVirtError("INVALID_ARG", "vcpu '0' can't be hotunplugged"),
	);
	await tests.run("destroy", domain, 0);
});

test("a guest starts with the vCPUs that can be unplugged, in their order", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.create(
		guest(`<vcpu current='3'>4</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>
<vcpu id='1' enabled='no' hotpluggable='yes'/><vcpu id='2' enabled='yes' hotpluggable='yes' order='3'/>
<vcpu id='3' enabled='yes' hotpluggable='yes' order='2'/></vcpus>`),
	);
	assert.deepEqual(vcpusOf(await tests.run("xml", domain, 0)), [
		"<vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>",
		"<vcpu id='1' enabled='no' hotpluggable='yes'/>",
		"<vcpu id='2' enabled='yes' hotpluggable='yes' order='3'/>",
		"<vcpu id='3' enabled='yes' hotpluggable='yes' order='2'/>",
	]);
	assert.deepEqual(
		(await tests.run("vcpus", domain, 0)).map(({ number }) => number),
		[0, 2, 3],
	);
	await assert.rejects(
		async () => tests.run("setVcpus", domain, LIVE, 5),
		isVirtError("INVALID_ARG", "greater than max allowable vcpus for the live domain: 5 > 4"),
	);
	await tests.run("destroy", domain, 0);
});

test("single vCPUs of a stored definition are switched, but not the first", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(guest("<vcpu current='2'>4</vcpu>"));
	await tests.run("setVcpu", domain, CONFIG, "3", 1);
	assert.deepEqual(vcpusOf(await tests.run("xml", domain, 2)), [
		"<vcpu id='0' enabled='yes' hotpluggable='no'/>",
		"<vcpu id='1' enabled='yes' hotpluggable='no'/>",
		"<vcpu id='2' enabled='no' hotpluggable='yes'/>",
		"<vcpu id='3' enabled='yes' hotpluggable='yes'/>",
	]);
	const refused = async (cpus: string, on: number, message: string): Promise<void> =>
		assert.rejects(async () => tests.run("setVcpu", domain, CONFIG, cpus, on), isVirtError("INVALID_ARG", message));
	await refused("0", 0, "vCPU '0' can't be modified");
	await refused("4", 1, "vcpu 4 is not present in persistent config");
	await refused("1", 2, "unsupported state value");
	await refused("x", 1, "Failed to parse bitmap");
});
