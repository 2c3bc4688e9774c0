// Tests of the harness that runs libvirt's own daemon.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { findProcesses } from "@virtkit/host/process";
import { demoDomainXml, prepareDemoGuest, READY_LINE } from "./demo-guest.ts";
import { startLibvirtd } from "./oracle.ts";
import { temporaryFolder } from "./temporary-folder.ts";

test("two private libvirtds run side by side, each with its own guest of the same name, and leave nothing", async () => {
	using folder = temporaryFolder("vk-");
	const name = `oracle-${process.pid}`;
	const guest = prepareDemoGuest(folder.path);
	let root: string;
	{
		await using first = await startLibvirtd();
		await using second = await startLibvirtd();
		root = first.root;
		const serial = folder.file("serial");
		const devices = `<serial type='file'><source path='${serial}'/></serial>`;
		const xml = demoDomainXml(guest, { name, type: "qemu", network: false, devices });
		const logged = xml.replace("<serial type='pty'/>\n    <console type='pty'/>", "");
		await first.virshWith(logged, "create");
		await second.virshWith(demoDomainXml(guest, { name, type: "qemu", network: false }), "create", "--paused");
		assert.equal((await first.virsh("domstate", name)).trim(), "running");
		assert.equal((await second.virsh("domstate", name)).trim(), "paused");
		const deadline = performance.now() + 90_000;
		while (!(existsSync(serial) && readFileSync(serial, "latin1").includes(READY_LINE))) {
			assert.ok(performance.now() < deadline, first.log());
			await delay(100);
		}
		assert.match(first.guestLog(name), /qemu-system-x86_64/);
		await first.virsh("destroy", name);
		assert.equal((await first.tryVirsh("domstate", name)).code, 1);
		assert.equal((await first.python("print(conn.getLibVersion() > 0, len(conn.listAllDomains()))")).trim(), "True 0");
	}
	assert.deepEqual(findProcesses(name), []);
	assert.equal(existsSync(root), false);
});
