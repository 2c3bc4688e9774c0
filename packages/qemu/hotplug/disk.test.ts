// Disks that come and go while a guest runs, its firmware alone: on every bus that takes them, with real QEMU.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { plugGuest } from "@virtkit/testing/plug-guest";
import { TestDriver, until } from "@virtkit/testing/qemu-driver";

/** VIR_DOMAIN_AFFECT_LIVE and _CONFIG. */
const LIVE = 1;
const CONFIG = 2;

function image(own: TestDriver, name: string): string {
	const path = own.path(`${name}.qcow2`);
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", path, "4M"]);
	return path;
}

const diskXml = (path: string, dev: string, bus: string, more = ""): string =>
	`<disk type='file'><driver name='qemu' type='qcow2'/><source file='${path}'/><target dev='${dev}' bus='${bus}'/>${more}</disk>`;

test("a disk comes and goes on a bus that needs no answer of the guest", async () => {
	await using own = await TestDriver.start();
	const guest = await plugGuest(own);
	const path = image(own, "a");
	for (const [bus, dev] of [
		["usb", "sdb"],
		["scsi", "sdc"],
	] as const) {
		const before = await guest.facts();
		await own.run("attachDevice", guest.domain, LIVE, diskXml(path, dev, bus));
		const during = await guest.facts();
		assert.equal(during.peripherals.length, before.peripherals.length + 1);
		assert.match(during.xml, new RegExp(`<target dev='${dev}' bus='${bus}'/>`));
		await own.run("detachDevice", guest.domain, LIVE, diskXml(path, dev, bus));
		assert.deepEqual(await guest.facts(), before);
	}
	assert.deepEqual(
		own.events.filter((event) => event.startsWith("device")),
		["device-added", "device-removed", "device-added", "device-removed"],
	);
});

test("controllers that a SCSI disk needs are plugged in before it", async () => {
	await using own = await TestDriver.start();
	const guest = await plugGuest(own);
	const place = "<address type='drive' controller='2' bus='0' target='0' unit='1'/>";
	await own.run("attachDevice", guest.domain, LIVE, diskXml(image(own, "a"), "sdz", "scsi", place));
	const { peripherals, xml } = await guest.facts();
	for (const id of ["scsi1", "scsi2", "scsi2-0-0-1"]) assert.ok(peripherals.includes(id), id);
	assert.match(xml, /<controller type='scsi' index='2' model='virtio-scsi'>/);
});

test("a guest that ignores the request keeps its disk until it lets go", async () => {
	await using own = await TestDriver.start();
	const guest = await plugGuest(own);
	const before = await guest.facts();
	const disk = diskXml(image(own, "a"), "vdb", "virtio");
	await own.run("attachDevice", guest.domain, LIVE, disk);
	await own.run("detachDeviceAlias", guest.domain, LIVE, "virtio-disk1");
	assert.match((await guest.facts()).xml, /vdb/);
	assert.ok(!own.events.includes("device-removed"));
	await own.run("reset", guest.domain);
	await until(() => own.events.includes("device-removed"), "the disk to go");
	assert.deepEqual(await guest.facts(), before);
	await assert.rejects(
		own.run("detachDevice", guest.domain, LIVE, disk),
		isVirtError("DEVICE_MISSING", "disk vdb not found"),
	);
});

test("an attachment that fails leaves QEMU, files and definition as they were", async () => {
	await using own = await TestDriver.start();
	const guest = await plugGuest(own);
	const broken = own.path("broken.qcow2");
	writeFileSync(broken, "no image at all", { mode: 0o600 });
	const before = await guest.facts();
	const owner = statSync(broken).uid;
	const attach = (xml: string) => own.run("attachDevice", guest.domain, LIVE, xml);
	await assert.rejects(attach(diskXml(own.path("none"), "vdb", "virtio")), isVirtError("SYSTEM_ERROR", "none"));
	await assert.rejects(
		attach(diskXml(broken, "vdb", "virtio")),
		isVirtError("INTERNAL_ERROR", "unable to execute QEMU command 'blockdev-add'"),
	);
	// The nodes are there already when QEMU refuses the device.
	await assert.rejects(
		attach(diskXml(image(own, "b"), "vdb", "virtio", "<blockio logical_block_size='3'/>")),
		isVirtError("INTERNAL_ERROR", "unable to execute QEMU command 'device_add'"),
	);
	await assert.rejects(
		attach(diskXml(image(own, "c"), "hdb", "ide")),
		isVirtError("INTERNAL_ERROR", "disk bus 'ide' cannot be hotplugged"),
	);
	assert.equal(statSync(broken).uid, owner);
	assert.deepEqual(await guest.facts(), before);
});

test("a topology without a free port refuses the next disk clearly", async () => {
	await using own = await TestDriver.start();
	const guest = await plugGuest(own, { ports: 2 });
	const attach = (dev: string) => own.run("attachDevice", guest.domain, LIVE, diskXml(image(own, dev), dev, "virtio"));
	await attach("vdb");
	const before = await guest.facts();
	await assert.rejects(attach("vdc"), isVirtError("INTERNAL_ERROR", "No more available PCI slots"));
	assert.deepEqual(await guest.facts(), before);
});

test("the stored definition changes alone, or with the guest", async () => {
	await using own = await TestDriver.start();
	const guest = await plugGuest(own);
	const [a, b] = [image(own, "a"), image(own, "b")];
	const stored = () => own.run("xml", guest.domain, 2);
	await own.run("attachDevice", guest.domain, CONFIG, diskXml(a, "vdb", "virtio"));
	assert.match(await stored(), /vdb/);
	assert.doesNotMatch((await guest.facts()).xml, /vdb/);
	await own.run("attachDevice", guest.domain, LIVE | CONFIG, diskXml(b, "sdb", "usb"));
	assert.match(await stored(), /sdb/);
	assert.match((await guest.facts()).xml, /sdb/);
	await assert.rejects(
		own.run("attachDevice", guest.domain, LIVE | CONFIG, diskXml(b, "sdb", "usb")),
		isVirtError("OPERATION_INVALID", "target sdb already exists"),
	);
	await own.run("detachDevice", guest.domain, LIVE | CONFIG, diskXml(b, "sdb", "usb"));
	await own.run("detachDevice", guest.domain, CONFIG, diskXml(a, "vdb", "virtio"));
	assert.doesNotMatch(await stored(), /vdb|sdb/);
});

test("a daemon that comes back knows what came, and what the guest let go of meanwhile", async () => {
	await using own = await TestDriver.start();
	const guest = await plugGuest(own);
	const before = await guest.facts();
	const path = image(own, "a");
	await own.run("attachDevice", guest.domain, LIVE, diskXml(path, "vdb", "virtio"));
	const during = await guest.facts();
	await own.restart();
	assert.deepEqual(await guest.facts(), during);
	await own.run("detachDeviceAlias", guest.again(), LIVE, "virtio-disk1");
	const monitor = guest.again().run?.paths.monitor ?? "";
	await own.driver[Symbol.asyncDispose]();
	await resetBehindItsBack(monitor);
	await own.restart();
	assert.deepEqual(await guest.facts(), before);
});

/** Has QEMU reset its guest, which makes it let go of devices, while no daemon is connected. */
async function resetBehindItsBack(monitor: string): Promise<void> {
	const socket = connect(join(monitor));
	let told = "";
	socket.setEncoding("utf8").on("data", (text: string) => (told += text));
	socket.write('{"execute":"qmp_capabilities"}\n{"execute":"system_reset"}\n');
	await until(() => told.includes("DEVICE_DELETED"), "the device to be deleted");
	socket.destroy();
}
