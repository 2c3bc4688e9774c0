// Looks into guests: their memory, their disks, what is odd about them, how fast they change memory, what ends them.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, until } from "@virtkit/testing/qemu-driver";

const [LIVE, CONFIG] = [1, 2];

test("memory and disks of a guest are looked into, and the guest is measured and marked", async () => {
	await using tests = await TestDriver.start();
	const image = tests.path("disk.img");
	writeFileSync(image, Buffer.concat([Buffer.alloc(512), Buffer.from("virtkit looks"), Buffer.alloc(499)]));
	const domain = await tests.define(`<domain type='qemu'><name>seen</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><controller type='usb' model='none'/>
<disk type='file'><driver name='qemu' type='raw'/><source file='${image}'/><target dev='vda' bus='virtio'/></disk></devices></domain>`);
	const peek = async (path: string, offset: bigint, size: number): Promise<Uint8Array> =>
		await tests.run("blockPeek", domain, 0, path, offset, size);
	assert.equal(Buffer.from(await peek("vda", 512n, 13)).toString(), "virtkit looks");
	assert.equal((await peek(image, 0n, 0)).length, 0);
	await assert.rejects(peek("vdb", 0n, 1), isVirtError("INVALID_ARG", "invalid path vdb"));
	await assert.rejects(peek("vda", 1000n, 100), isVirtError("INVALID_ARG", "has only 24 bytes available"));
	assert.deepEqual(await tests.run("messages", domain, 0), []);

	await tests.run("start", domain, 1);
	// The reset vector of the firmware: a far jump, or a near one, at 4 GiB − 16.
	const vector = await tests.run("memoryPeek", domain, 2, 0xffff_fff0n, 16);
	assert.equal(vector.length, 16);
	assert.match(String(vector[0]), /^(?:234|233|144)$/);
	await assert.rejects(
		async () => tests.run("memoryPeek", domain, 0, 0n, 16),
		isVirtError("INVALID_ARG", "VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL"),
	);
	await assert.rejects(
		async () => tests.run("startDirtyRateCalculation", domain, 0, 61),
		isVirtError("CONFIG_UNSUPPORTED", "seconds=61 is invalid"),
	);
	await tests.run("startDirtyRateCalculation", domain, 0, 1);
	const rate = async () =>
		Object.fromEntries((await tests.run("stats", domain, 0, 512)).map(({ field, value }) => [field, value.value]));
	await until(async () => (await rate())["dirtyrate.calc_status"] === 2, "the rate is measured");
	assert.equal((await rate())["dirtyrate.calc_mode"], "page-sampling");

	await tests.run("monitorCommand", domain, 0, '{"execute":"query-status"}', []);
	assert.ok((await tests.run("messages", domain, 2)).includes("tainted: custom monitor control commands issued"));
	await tests.restart();
	const again = tests.driver.domains.byName("seen");
	assert.ok(again);
	assert.ok((await tests.run("messages", again, 0)).includes("tainted: custom monitor control commands issued"));
	await tests.run("destroy", again, 0);
});

test("what becomes of a guest is changed while it runs and for its next start", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(`<domain type='qemu'><name>ends</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><controller type='usb' model='none'/></devices></domain>`);
	await tests.run("start", domain, 1);
	await tests.run("setLifecycleAction", domain, LIVE | CONFIG, 1, 0);
	await tests.run("setLifecycleAction", domain, CONFIG, 2, 3);
	assert.match(await tests.run("xml", domain, 0), /<on_reboot>destroy[\s\S]*<on_crash>destroy</);
	assert.match(await tests.run("xml", domain, 2), /<on_reboot>destroy[\s\S]*<on_crash>preserve</);
	const refused = async (type: number, action: number, message: string): Promise<void> =>
		assert.rejects(
			async () => tests.run("setLifecycleAction", domain, LIVE, type, action),
			isVirtError("CONFIG_UNSUPPORTED", message),
		);
	await refused(0, 4, "Lifecycle event 'poweroff' doesn't support 'coredump-destroy' action");
	await refused(0, 3, "doesn't support the 'preserve' action");
	await refused(0, 1, "'on_reboot' set to 'destroy'");
	// The guest now ends where it would reboot.
	await tests.run("resume", domain, 0);
	await tests.run("reset", domain, 0);
	await until(() => domain.stateName === "shutoff", "the guest ends");
});
