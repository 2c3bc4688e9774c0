// What of the host's devices a guest may open: tried by its own QEMU, on the control groups of this machine.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { domainWith } from "@virtkit/testing/define-context";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest } from "@virtkit/testing/qemu-driver";
import { hostFiles } from "../host-files.ts";
import { deviceNodes } from "./device-list.ts";

const PAUSED = 1;
const LIVE = 1;

/** Whether the guest's QEMU, asked to, can open the device for reading. */
async function canOpen(tests: TestDriver, domain: Awaited<ReturnType<TestDriver["define"]>>, device: string) {
	const command = { driver: "host_device", filename: device, "read-only": true, "node-name": "tried" };
	const say = async (execute: string, args: object) =>
		JSON.parse(await tests.run("monitorCommand", domain, 0, JSON.stringify({ execute, arguments: args }), [])) as {
			error?: { desc: string };
		};
	const { error } = await say("blockdev-add", command);
	if (error === undefined) await say("blockdev-del", { "node-name": "tried" });
	else assert.match(error.desc, /Operation not permitted/);
	return error === undefined;
}

/** A block device of its own; undefined where this host makes none. */
function loopDevice(tests: TestDriver, name: string): (Disposable & { readonly path: string }) | undefined {
	const file = tests.path(name);
	writeFileSync(file, "");
	truncateSync(file, 1 << 20);
	try {
		const path = execFileSync("losetup", ["--find", "--show", file], { encoding: "utf8", stdio: "pipe" }).trim();
		return { path, [Symbol.dispose]: () => void execFileSync("losetup", ["--detach", path]) };
	} catch {
		return undefined;
	}
}

/** One with USB, whose devices go without the guest's help. */
const guest = (devices: string): string =>
	`<domain type='qemu'><name>held</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>${devices}</devices></domain>`;
const disk = (dev: string, path: string, bus: string): string =>
	`<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='${path}'/><target dev='${dev}' bus='${bus}'/></disk>`;

test("a guest opens the devices of its definition, those plugged in while they are, and no others", async (context) => {
	await using tests = await TestDriver.start();
	using own = loopDevice(tests, "own");
	using other = loopDevice(tests, "other");
	if (own === undefined || other === undefined) return context.skip("this host makes no loop devices");
	const domain = await tests.define(guest(disk("vda", own.path, "virtio")));
	await tests.run("start", domain, PAUSED);
	if (!domain.activeRun().cgroups?.guest.has("devices")) return context.skip("this host has no device lists");
	assert.deepEqual([await canOpen(tests, domain, own.path), await canOpen(tests, domain, other.path)], [true, false]);
	const plugged = disk("sdb", other.path, "usb");
	await tests.run("attachDevice", domain, LIVE, plugged);
	assert.equal(await canOpen(tests, domain, other.path), true);
	await tests.run("detachDevice", domain, LIVE, plugged);
	assert.deepEqual([await canOpen(tests, domain, own.path), await canOpen(tests, domain, other.path)], [true, false]);
	const refused = plugged.replace("type='raw'", "type='qcow2'");
	await assert.rejects(tests.run("attachDevice", domain, LIVE, refused), isVirtError("INTERNAL_ERROR", "qcow2"));
	assert.equal(await canOpen(tests, domain, other.path), false);
});

test("a guest whose device is not there does not start, and leaves nothing", async () => {
	await using tests = await TestDriver.start();
	const rng = "<rng model='virtio'><backend model='random'>/dev/there-is-none</backend></rng>";
	const domain = await tests.define(tinyGuest("missing", { devices: rng }));
	await assert.rejects(tests.run("start", domain, PAUSED), isVirtError("SYSTEM_ERROR", "/dev/there-is-none"));
	assert.deepEqual(tests.processes, []);
});

test("the nodes of every kind of device are in the list, read-only images for reading", () => {
	const def =
		domainWith(`<disk type='block' device='disk'><source dev='/dev/a'/><target dev='vda' bus='virtio'/><readonly/></disk>
<disk type='block' device='disk'><driver name='qemu' type='qcow2'/><source dev='/dev/b'/><backingStore type='block'><format type='raw'/><source dev='/dev/c'/></backingStore><target dev='vdb' bus='virtio'/></disk>
<serial type='dev'><source path='/dev/ttyS0'/></serial><input type='evdev'><source dev='/dev/input/event0'/></input>
<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>
<hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>
<rng model='virtio'><backend model='random'>/dev/hwrng</backend></rng>`);
	const nodes = deviceNodes(def, hostFiles).map(({ path, write }) => `${path} ${write ? "rw" : "r"}`);
	assert.deepEqual(nodes.sort(), [
		"/dev/a r",
		"/dev/b rw",
		"/dev/bus/usb/001/002 rw",
		"/dev/c r",
		"/dev/hwrng rw",
		"/dev/input/event0 rw",
		"/dev/tpm0 rw",
		"/dev/ttyS0 rw",
	]);
});
