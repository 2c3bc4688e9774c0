// Devices that the host's kernel serves: those it has are opened for the guest, those it lacks are told of by name.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest } from "@virtkit/testing/qemu-driver";

const PAUSED = 1;
const LIVE = 1;
const VSOCK = "<vsock model='virtio'><cid auto='yes'/></vsock>";
const chosenCid = /<cid auto='yes' address='(\d+)'\/>/;

if (existsSync("/dev/vhost-vsock")) {
	test("guests get addresses of their own, which are kept while their daemon is away", async () => {
		await using own = await TestDriver.start();
		const guests = [await own.define(tinyGuest("a", { devices: VSOCK })), await own.define(tinyGuest("b"))] as const;
		const [a, b] = guests;
		await own.run("start", a, PAUSED);
		await own.run("start", b, PAUSED);
		await own.run("attachDevice", b, LIVE, VSOCK);
		const cids = async () => {
			const found = [];
			for (const { name } of guests) {
				const domain = [...own.driver.domains.all()].find((each) => each.name === name);
				assert.ok(domain);
				found.push(Number(chosenCid.exec(await own.run("xml", domain))?.[1]));
			}
			return found;
		};
		const before = await cids();
		assert.ok(before.every((cid) => cid >= 3));
		assert.notEqual(before[0], before[1]);
		assert.match(await own.run("xml", a, 2), /<cid auto='yes'\/>/);
		await own.restart();
		assert.deepEqual(await cids(), before);
	});
} else {
	test("without the kernel's server of sockets a guest with a vsock neither starts nor gets one", async () => {
		await using own = await TestDriver.start();
		const refused = isVirtError("SYSTEM_ERROR", "unable to open vhost-vsock device '/dev/vhost-vsock'");
		const guest = await own.define(tinyGuest("guest", { devices: VSOCK }));
		await assert.rejects(own.run("start", guest, PAUSED), refused);
		assert.deepEqual(own.processes, []);
		assert.match(await own.run("xml", guest), /<cid auto='yes'\/>/);
		const other = await own.define(tinyGuest("other"));
		await own.run("start", other, PAUSED);
		const plugged = isVirtError("CONFIG_UNSUPPORTED", "unable to open vhost-vsock device '/dev/vhost-vsock'");
		await assert.rejects(own.run("attachDevice", other, LIVE, VSOCK), plugged);
		assert.doesNotMatch(await own.run("xml", other), /<vsock/);
	});
}

test("a guest has one vsock only, and a definition's goes by model, automatic address and place", async () => {
	await using own = await TestDriver.start();
	const CONFIG = 2;
	const guest = await own.define(tinyGuest("guest", { devices: VSOCK }));
	await assert.rejects(
		own.run("attachDevice", guest, CONFIG, VSOCK),
		isVirtError("OPERATION_INVALID", "domain already has a vsock device"),
	);
	await assert.rejects(
		own.run("detachDevice", guest, CONFIG, "<vsock model='virtio'><cid auto='no' address='4'/></vsock>"),
		isVirtError("OPERATION_FAILED", "matching vsock device not found"),
	);
	await own.run("detachDevice", guest, CONFIG, VSOCK);
	assert.doesNotMatch(await own.run("xml", guest), /<vsock/);
});

test("a vDPA device that the host does not have is named", async () => {
	await using own = await TestDriver.start();
	const devices = "<interface type='vdpa'><source dev='/dev/vhost-vdpa-none'/></interface>";
	const guest = await own.define(tinyGuest("guest", { devices }));
	await assert.rejects(
		own.run("start", guest, PAUSED),
		isVirtError("SYSTEM_ERROR", "Unable to open '/dev/vhost-vdpa-none' for vdpa device"),
	);
	assert.deepEqual(own.processes, []);
});

test("a vDPA device is opened and handed to QEMU, which alone tells what it is good for", async () => {
	await using own = await TestDriver.start();
	const devices = "<interface type='vdpa'><source dev='/dev/null'/></interface>";
	const guest = await own.define(tinyGuest("guest", { devices }));
	await assert.rejects(own.run("start", guest, PAUSED), isVirtError("INTERNAL_ERROR", "Inappropriate ioctl"));
	assert.deepEqual(own.processes, []);
});

test("without the kernel's server of SCSI devices no guest gets one", {
	skip: existsSync("/dev/vhost-scsi"),
}, async () => {
	await using own = await TestDriver.start();
	const adapter = `<hostdev mode='subsystem' type='scsi_host'>
<source protocol='vhost' wwpn='naa.5123456789abcde0'/></hostdev>`;
	const refused = isVirtError("CONFIG_UNSUPPORTED", "vhost-scsi device file '/dev/vhost-scsi' cannot be found");
	const guest = await own.define(tinyGuest("guest"));
	await own.run("start", guest, PAUSED);
	await assert.rejects(own.run("attachDevice", guest, LIVE, adapter), refused);
	await own.run("attachDevice", guest, 2, adapter);
	await own.run("destroy", guest);
	await assert.rejects(own.run("start", guest, PAUSED), refused);
});
