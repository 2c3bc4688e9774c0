// Tests of the guests made here, on QEMU alone.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { bootDisk } from "./boot-disk.ts";
import { encodeCpio } from "./cpio.ts";
import { demoDomainXml, prepareDemoGuest, READY_LINE, SHELL_PROMPT } from "./demo-guest.ts";
import { rawQemu } from "./raw-qemu.ts";
import { temporaryFolder } from "./temporary-folder.ts";

test("an archive of ours is read by cpio with names, types, modes and contents", () => {
	using folder = temporaryFolder();
	const archive = encodeCpio([
		{ kind: "folder", path: "bin" },
		{ kind: "file", path: "bin/tool", data: "odd", mode: 0o755 },
		{ kind: "symlink", path: "bin/link", target: "tool" },
		{ kind: "file", path: "empty", data: "" },
		{ kind: "file", path: "tail", data: "12345678" },
	]);
	execFileSync("cpio", ["-idm", "--quiet"], { input: archive, cwd: folder.path });
	const listing = execFileSync("find", [".", "-mindepth", "1", "-printf", "%P %y %m %s %l;\n"], { cwd: folder.path });
	assert.deepEqual(listing.toString().trim().split("\n").sort(), [
		"bin d 755 4096 ;",
		"bin/link l 777 4 tool;",
		"bin/tool f 755 3 ;",
		"empty f 644 0 ;",
		"tail f 644 8 ;",
	]);
});

for (const [machine, bus] of [
	["pc", "ide"],
	["q35", "virtio"],
] as const) {
	test(`a boot disk on ${machine} prints its text and echoes what it is sent`, async () => {
		using folder = temporaryFolder();
		writeFileSync(folder.file("disk"), bootDisk("hello from sector 0", "echo"));
		const drive = `file=${folder.file("disk")},format=raw,if=${bus}`;
		await using qemu = rawQemu(["-machine", `${machine},accel=tcg`, "-m", "32", "-drive", drive]);
		await qemu.until("hello from sector 0\r\n");
		qemu.send("echo this");
		await qemu.until("echo this");
	});
}

test("a boot disk powers its guest off", async () => {
	using folder = temporaryFolder();
	writeFileSync(folder.file("disk"), bootDisk("bye", "poweroff"));
	const drive = `file=${folder.file("disk")},format=raw,if=ide`;
	await using qemu = rawQemu(["-machine", "pc,accel=tcg", "-m", "16", "-drive", drive]);
	await qemu.until("bye");
	await qemu.ended();
});

test("the demo guest reaches its shell, finds its devices, answers the guest agent, and obeys the power button", async () => {
	using folder = temporaryFolder();
	const guest = prepareDemoGuest(folder.path);
	const { mtimeMs } = statSync(guest.initrd);
	assert.deepEqual(prepareDemoGuest(folder.path), guest);
	assert.equal(statSync(guest.initrd).mtimeMs, mtimeMs);
	writeFileSync(folder.file("disk"), Buffer.alloc(1 << 20));
	await using qemu = rawQemu([
		...["-machine", "q35,accel=tcg", "-m", "256", "-smp", "2"],
		...["-kernel", guest.kernel, "-initrd", guest.initrd, "-append", `${guest.cmdline} run="echo started by run"`],
		...["-qmp", `unix:${folder.file("qmp")},server=on,wait=off`],
		...["-chardev", `socket,id=ga,path=${folder.file("ga")},server=on,wait=off`],
		...["-device", "virtio-serial", "-device", "virtserialport,chardev=ga,name=org.qemu.guest_agent.0"],
		...["-drive", `file=${folder.file("disk")},format=raw,if=virtio`],
		...["-netdev", "user,id=net", "-device", "virtio-net,netdev=net"],
		...["-device", "virtio-balloon", "-device", "virtio-rng", "-device", "i6300esb"],
	]);
	await qemu.until(READY_LINE);
	await qemu.until("started by run");
	await qemu.until(SHELL_PROMPT);
	qemu.send("ls -d /sys/bus/virtio/drivers/*/virtio* /dev/vda /dev/watchdog /dev/hwrng; nproc; echo $((40 + 2))\n");
	await qemu.until("\n42");
	for (const driver of ["virtio_blk", "virtio_net", "virtio_console", "virtio_balloon", "virtio_rng"]) {
		assert.match(qemu.output(), new RegExp(`/drivers/${driver}/virtio\\d`));
	}
	assert.match(qemu.output(), /^\/dev\/vda\r?$/m);
	assert.match(qemu.output(), /^\/dev\/watchdog\r?$/m);
	qemu.send("until ip addr show eth0 | grep -o 'inet 10.0.2.*/'; do sleep 0.1; done\n");
	await qemu.until("inet 10.0.2.15/");

	const agent = connect(folder.file("ga"));
	agent.write('{"execute": "guest-sync", "arguments": {"id": 4711}}\n');
	let answer = "";
	for await (const data of agent) {
		answer += String(data);
		if (answer.includes("\n")) break;
	}
	assert.deepEqual(JSON.parse(answer), { return: 4711 });

	const monitor = connect(folder.file("qmp"));
	monitor.write('{"execute": "qmp_capabilities"}\n{"execute": "system_powerdown"}\n');
	await qemu.until("virtkit-guest: power button");
	await Promise.race([qemu.ended(), delay(60_000, undefined, { ref: false })]);
	assert.equal(qemu.child.exitCode, 0);
	monitor.destroy();
});

test("a demo guest's domain document escapes what it is given", () => {
	const guest = { kernel: "/boot/a&b", initrd: "/i", cmdline: "console=ttyS0", kernelVersion: "6" };
	const xml = demoDomainXml(guest, { name: "<x>", type: "qemu", network: false });
	assert.match(xml, /<name>&lt;x&gt;<\/name>/);
	assert.match(xml, /<kernel>\/boot\/a&amp;b<\/kernel>/);
	assert.doesNotMatch(xml, /<interface/);
});
