// A guest on a bridge of the host, driven by real virsh: its tap device comes and goes with it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
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

test("what a guest's interface may carry is limited from its start on, changed by virsh, and known to the next daemon", async () => {
	const bridge = `vkbl${process.pid}`;
	const tap = `vkl${process.pid}`;
	execFileSync("ip", ["link", "add", bridge, "type", "bridge"]);
	try {
		await using daemon = await startDaemon();
		const devices = `
<interface type='bridge'><mac address='52:54:00:01:02:04'/><source bridge='${bridge}'/><target dev='${tap}'/><model type='virtio'/>
<bandwidth><inbound average='100' peak='200' burst='64'/></bandwidth><port isolated='yes'/></interface>`;
		const guest = prepareDemoGuest(daemon.file("guest"));
		const xml = demoDomainXml(guest, { name: "limited", type: "qemu", network: false, devices });
		await daemon.virshWith(xml, "create", "--paused");
		const limit = () => execFileSync("tc", ["class", "show", "dev", tap], { encoding: "utf8" });
		assert.match(limit(), /rate 800Kbit ceil 1600Kbit/, daemon.logs());
		assert.equal(readFileSync(`/sys/class/net/${tap}/brport/isolated`, "utf8").trim(), "1");
		assert.match(await daemon.virsh("domiftune", "limited", tap), /inbound.average *: 100\n.*inbound.peak *: 200/);
		await daemon.virsh("domiftune", "limited", tap, "--inbound", "50", "--live");
		assert.match(limit(), /rate 400Kbit ceil 400Kbit/);
		await daemon.stop("SIGKILL");
		await daemon.start();
		assert.match(await daemon.virsh("domiftune", "limited", "52:54:00:01:02:04"), /inbound.average *: 50\n/);
		await daemon.virsh("domiftune", "limited", tap, "--inbound", "0", "--live");
		assert.equal(limit(), "");
		await daemon.virsh("domif-setlink", "limited", tap, "down");
		assert.match(await daemon.virsh("domif-getlink", "limited", tap), /down/);
		await daemon.virsh("destroy", "limited");
	} finally {
		execFileSync("ip", ["link", "delete", bridge]);
	}
});

test("a script connects a guest's interface and another disconnects it, at start and end and when it is plugged", async () => {
	await using daemon = await startDaemon();
	const said = daemon.file("said");
	const script = (name: string): string => {
		const path = daemon.file(name);
		writeFileSync(path, `#!/bin/sh\necho ${name} $1 >> ${said}\n`);
		chmodSync(path, 0o755);
		return path;
	};
	const [up, down] = [script("up"), script("down")];
	const card = (tap: string) =>
		`<interface type='ethernet'><mac address='52:54:00:01:02:05'/><script path='${up}'/><downscript path='${down}'/><target dev='${tap}'/><model type='virtio'/></interface>`;
	const [first, second] = [`vks${process.pid}`, `vku${process.pid}`];
	const guest = prepareDemoGuest(daemon.file("guest"));
	const ports = Array.from(
		{ length: 9 },
		(_, index) => `<controller type='pci' index='${index}' model='${index ? "pcie-root-port" : "pcie-root"}'/>`,
	).join("");
	const xml = demoDomainXml(guest, { name: "scripted", type: "qemu", network: false, devices: ports + card(first) });
	await daemon.virshWith(xml, "create", "--paused");
	const plugged = daemon.file("card.xml");
	writeFileSync(plugged, card(second).replace("02:05", "02:06"));
	await daemon.virsh("attach-device", "scripted", plugged, "--live");
	await daemon.virsh("destroy", "scripted");
	const lines = readFileSync(said, "utf8").trim().split("\n").sort();
	assert.deepEqual(lines, [`down ${first}`, `down ${second}`, `up ${first}`, `up ${second}`]);
});
