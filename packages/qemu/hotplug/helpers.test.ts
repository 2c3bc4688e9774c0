// Devices that come with programs of their own: these start before the device is plugged in and end after it is gone, or was refused.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { type PlugGuest, plugGuest } from "@virtkit/testing/plug-guest";
import { TestDriver, until } from "@virtkit/testing/qemu-driver";
import { findHelpers } from "../helpers/find.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";

const LIVE = 1;

const SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>";

function helpersOf(own: TestDriver): string[] {
	const all = [...findHelpers(own.path("lib/qemu/domain-")).values()].flat();
	return [...new Set(all.map(({ name }) => name))];
}

/** Has the guest let go of the device: firmware does when it is reset. */
async function letGo(own: TestDriver, guest: PlugGuest, alias: string): Promise<void> {
	const gone = own.events.length;
	await own.run("detachDeviceAlias", guest.again(), LIVE, alias);
	await own.run("reset", guest.again());
	await until(() => own.events.indexOf("device-removed", gone) >= 0, `the removal of '${alias}'`);
}

test("a folder's server comes with the folder, is known to the next daemon, and goes with it", async () => {
	await using own = await TestDriver.start();
	mkdirSync(own.path("files"));
	const folder = (more = "") =>
		`<filesystem type='mount'><driver type='virtiofs'/>${more}<source dir='${own.path("files")}'/><target dir='files'/></filesystem>`;
	const guest = await plugGuest(own, { more: SHARED });
	const before = await guest.facts();
	await own.run("attachDevice", guest.domain, LIVE, folder());
	assert.deepEqual(helpersOf(own), ["virtiofsd of fs0"]);
	assert.ok((await guest.facts()).peripherals.includes("fs0"));
	await own.restart();
	await letGo(own, guest, "fs0");
	assert.deepEqual(await guest.facts(), before);
	assert.deepEqual(helpersOf(own), []);
	assert.ok(!existsSync(`${guest.again().activeRun().paths.work}/fs0-fs.sock`));
	// Once more under the same name.
	await own.run("attachDevice", guest.again(), LIVE, folder());
	assert.deepEqual(helpersOf(own), ["virtiofsd of fs0"]);
});

test("a server that was started for a folder that never came is ended by the next daemon", async () => {
	await using own = await TestDriver.start();
	mkdirSync(own.path("files"));
	const guest = await plugGuest(own, { more: SHARED });
	const folder = `<filesystem type='mount'><driver type='virtiofs'/><source dir='${own.path("files")}'/><target dir='files'/></filesystem>`;
	await own.run("attachDevice", guest.domain, LIVE, folder);
	// As if the daemon had been killed before it noted the folder.
	const run = guest.domain.activeRun();
	run.live.def.devices.filesystems = [];
	run.live.changed();
	await saveStatusNow(guest.domain, run);
	await own.restart();
	assert.deepEqual(helpersOf(own), []);
});

test("a folder whose server fails, is none or has nothing to serve leaves nothing", async () => {
	await using own = await TestDriver.start();
	mkdirSync(own.path("files"));
	const guest = await plugGuest(own, { more: SHARED });
	const before = await guest.facts();
	const folder = (path: string, more = "") =>
		`<filesystem type='mount'><driver type='virtiofs'/>${more}<source dir='${path}'/><target dir='files'/></filesystem>`;
	const refused = async (xml: string, check: (error: unknown) => true): Promise<void> => {
		await assert.rejects(own.run("attachDevice", guest.domain, LIVE, xml), check);
		assert.deepEqual(await guest.facts(), before);
		assert.deepEqual(helpersOf(own), []);
	};
	await refused(folder(own.path("nowhere")), isVirtError("INTERNAL_ERROR", "does not exist"));
	writeFileSync(own.path("server"), "#!/bin/sh\necho nothing today >&2\nexit 3\n", { mode: 0o755 });
	const binary = `<binary path='${own.path("server")}'/>`;
	await refused(
		folder(own.path("files"), binary),
		isVirtError("OPERATION_FAILED", "virtiofsd of fs0 died and reported: nothing today"),
	);
	const ninep = folder(own.path("files")).replace("<driver type='virtiofs'/>", "");
	await refused(ninep, isVirtError("OPERATION_UNSUPPORTED", "only virtiofs filesystems can be hotplugged"));
});

/** A server of one image over vhost-user. */
async function serveDisk(own: TestDriver): Promise<{ socket: string; server: ChildProcess }> {
	const [image, socket] = [own.path("image"), own.path("disk.sock")];
	writeFileSync(image, "");
	truncateSync(image, 1 << 20);
	const server = spawn(
		"qemu-storage-daemon",
		[
			...["--blockdev", `driver=file,node-name=image,filename=${image}`],
			...["--export", `type=vhost-user-blk,id=export,addr.type=unix,addr.path=${socket},node-name=image,writable=on`],
		],
		{ stdio: "ignore" },
	);
	await until(() => existsSync(socket), "the server of the disk");
	return { socket, server };
}

test("a disk that another process serves is plugged in and out, and one that nobody serves is not", async () => {
	await using own = await TestDriver.start();
	const { socket, server } = await serveDisk(own);
	try {
		const disk = (path: string) =>
			`<disk type='vhostuser' device='disk'><driver name='qemu' type='raw'/><source type='unix' path='${path}'/><target dev='vda' bus='virtio'/></disk>`;
		const guest = await plugGuest(own, { more: SHARED });
		const before = await guest.facts();
		await assert.rejects(
			own.run("attachDevice", guest.domain, LIVE, disk(own.path("none.sock"))),
			isVirtError("INTERNAL_ERROR", "Failed to connect"),
		);
		assert.deepEqual(await guest.facts(), before);
		await own.run("attachDevice", guest.domain, LIVE, disk(socket));
		assert.ok((await guest.facts()).peripherals.includes("virtio-disk0"));
		await letGo(own, guest, "virtio-disk0");
		assert.deepEqual(await guest.facts(), before);
	} finally {
		server.kill("SIGKILL");
		await once(server, "exit");
	}
});

// passt itself confines itself in ways that not every machine for tests allows: a program that listens stands in for it.
test("a user interface's program comes and goes with the interface", async () => {
	await using own = await TestDriver.start();
	mkdirSync(own.path("bin"));
	const serve = 'require("net").createServer().listen(process.argv[process.argv.indexOf("--socket") + 1])';
	writeFileSync(own.path("bin/passt"), `#!/bin/sh\nexec ${process.execPath} -e '${serve}' -- "$@"\n`, { mode: 0o755 });
	const path = process.env.PATH;
	process.env.PATH = `${own.path("bin")}:${path}`;
	try {
		const guest = await plugGuest(own);
		const before = await guest.facts();
		const net =
			"<interface type='user'><mac address='52:54:00:00:00:01'/><backend type='passt'/><model type='virtio'/></interface>";
		await own.run("attachDevice", guest.domain, LIVE, net);
		assert.deepEqual(helpersOf(own), ["passt of net0"]);
		await letGo(own, guest, "net0");
		assert.deepEqual(helpersOf(own), []);
		assert.deepEqual(await guest.facts(), before);
		writeFileSync(own.path("bin/passt"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
		await assert.rejects(
			own.run("attachDevice", guest.domain, LIVE, net),
			isVirtError("OPERATION_FAILED", "passt of net0 died unexpectedly"),
		);
		assert.deepEqual(await guest.facts(), before);
	} finally {
		process.env.PATH = path;
	}
});

test("a vDPA device that is none is refused, and QEMU keeps no descriptor of it", async () => {
	await using own = await TestDriver.start();
	const guest = await plugGuest(own);
	const before = await guest.facts();
	// QEMU closes descriptors that it is told to forget only while the guest runs.
	await own.run("resume", guest.domain);
	const net = (device: string) =>
		`<interface type='vdpa'><mac address='52:54:00:00:00:01'/><source dev='${device}'/><model type='virtio'/></interface>`;
	await assert.rejects(
		own.run("attachDevice", guest.domain, LIVE, net(own.path("none"))),
		isVirtError("SYSTEM_ERROR", `Unable to open '${own.path("none")}' for vdpa device`),
	);
	await assert.rejects(own.run("attachDevice", guest.domain, LIVE, net("/dev/null")), isVirtError("INTERNAL_ERROR"));
	const sets = await guest.domain.activeRun().monitor.execute("query-fdsets");
	assert.deepEqual(
		sets.filter(({ fds }) => fds.some(({ opaque }) => opaque?.endsWith("vdpa"))),
		[],
	);
	assert.deepEqual(await guest.facts(), before);
});

test("disks that leave their reservations to the daemon share a helper, which goes with the last of them", async () => {
	await using own = await TestDriver.start();
	const guest = await plugGuest(own);
	const before = await guest.facts();
	const disk = (name: string, dev: string, bus = "scsi") => {
		writeFileSync(own.path(name), "");
		truncateSync(own.path(name), 1 << 20);
		return `<disk type='file' device='lun'><driver name='qemu' type='raw'/><source file='${own.path(name)}'><reservations managed='yes'/></source><target dev='${dev}' bus='${bus}'/></disk>`;
	};
	// QEMU passes commands through to real units alone: this far it comes with a file.
	await assert.rejects(own.run("attachDevice", guest.domain, LIVE, disk("a", "sda")));
	assert.deepEqual(helpersOf(own), []);
	assert.deepEqual(await guest.facts(), before);
});
