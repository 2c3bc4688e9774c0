// A guest on a bridge of the host, driven by real virsh: its tap device comes and goes with it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { listLinks } from "@virtkit/host/net/link";
import { startDaemon } from "@virtkit/testing/daemon";
import { demoDomainXml, prepareDemoGuest } from "@virtkit/testing/demo-guest";

test("a guest's interfaces are taps in the wanted bridge, by name or the next free one, and go with the guest", async () => {
	const bridge = `vkbr${process.pid}`;
	const named = `vkt${process.pid}`;
	execFileSync("ip", ["link", "add", bridge, "type", "bridge"]);
	try {
		await using daemon = await startDaemon();
		const devices = `
<interface type='bridge'><mac address='52:54:00:01:02:03'/><source bridge='${bridge}'/><model type='virtio'/><driver queues='2'/></interface>
<interface type='bridge'><source bridge='${bridge}'/><target dev='${named}'/><model type='e1000'/></interface>`;
		const guest = prepareDemoGuest(daemon.file("guest"));
		const xml = demoDomainXml(guest, { name: "bridged", type: "qemu", network: false, devices });
		await daemon.virshWith(xml, "create", "--paused");
		const [, generated = ""] = /^ (vnet\d+) +bridge/m.exec(await daemon.virsh("domiflist", "bridged")) ?? [];
		const links = await listLinks();
		const mine = links.filter(({ name }) => name === generated || name === named);
		assert.deepEqual(
			mine.map(({ master, up, kind }) => ({ master, up, kind })),
			[0, 1].map(() => ({ master: bridge, up: true, kind: "tun" })),
			daemon.logs(),
		);
		assert.equal(mine.find(({ name }) => name === generated)?.mac, "fe:54:00:01:02:03");
		assert.match(await daemon.virsh("domifstat", "bridged", named), new RegExp(`${named} rx_bytes \\d`));
		await daemon.virsh("destroy", "bridged");
		assert.deepEqual(
			(await listLinks()).filter(({ name }) => name === named || name === generated),
			[],
		);
	} finally {
		execFileSync("ip", ["link", "delete", bridge]);
	}
});

test("a guest on a bridge that is not there does not start, says so as libvirtd does, and leaves nothing", async () => {
	await using daemon = await startDaemon();
	const guest = prepareDemoGuest(daemon.file("guest"));
	const devices = "<interface type='bridge'><source bridge='vk-no-bridge'/><model type='virtio'/></interface>";
	const xml = demoDomainXml(guest, { name: "lost", type: "qemu", network: false, devices });
	await assert.rejects(daemon.virshWith(xml, "create"), /Cannot get interface MTU on 'vk-no-bridge': No such device/);
	assert.equal((await daemon.virsh("list", "--all", "--name")).trim(), "");
});
