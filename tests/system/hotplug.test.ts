// A Linux guest sees its disk and its network card come and go, and lets go of them itself.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { connect } from "@virtkit/client/sdk/connection";
import { startDaemon } from "@virtkit/testing/daemon";
import { demoDomainXml, prepareDemoGuest, READY_LINE } from "@virtkit/testing/demo-guest";
import { until } from "@virtkit/testing/qemu-driver";

const DEADLINE_MS = 120_000;

async function readUntil(terminal: Duplex, wanted: string): Promise<void> {
	let text = "";
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	const onData = (data: Buffer): void => {
		text += data.toString("latin1");
		if (text.includes(wanted)) resolve();
	};
	const timer = setTimeout(() => reject(new Error(`no ${wanted} in:\n${text}`)), DEADLINE_MS);
	terminal.on("data", onData);
	try {
		await promise;
	} finally {
		clearTimeout(timer);
		terminal.off("data", onData);
	}
}

/** Free ports to plug into. */
const PORTS = Array.from(
	{ length: 9 },
	(_, index) => `<controller type='pci' index='${index}' model='${index === 0 ? "pcie-root" : "pcie-root-port"}'/>`,
).join("");

test("a Linux guest sees a disk and a network card come and go", async () => {
	await using daemon = await startDaemon();
	await using connection = await connect(daemon.uri);
	const demo = prepareDemoGuest(daemon.file("demo"));
	const xml = demoDomainXml(demo, { name: "plug", type: "qemu", network: false, devices: PORTS });
	const guest = await connection.domains.define(xml);
	await guest.start();
	const terminal = await guest.openConsole(null, { force: true });
	// It ends with the guest.
	terminal.on("error", () => undefined);
	await readUntil(terminal, READY_LINE);
	const guestSees = async (path: string, there: boolean): Promise<void> => {
		const mark = `${there ? "sees" : "lost"}=${path}=`;
		terminal.write(
			`${there ? "until" : "while"} [ -e ${path} ]; do sleep 1; done; echo ${mark.slice(0, 4)}""${mark.slice(4)}\n`,
		);
		await readUntil(terminal, mark);
	};
	const image = daemon.file("disk.qcow2");
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", image, "8M"]);
	const before = await guest.xml();
	await daemon.virsh("attach-disk", "plug", image, "vda", "--subdriver", "qcow2", "--live");
	await guestSees("/sys/block/vda", true);
	const card = daemon.file("card.xml");
	writeFileSync(card, "<interface type='user'><mac address='52:54:00:00:00:07'/><model type='virtio'/></interface>");
	await daemon.virsh("attach-device", "plug", card, "--live");
	await guestSees("/sys/class/net/eth0/device", true);
	// An emulated guest may take longer than the five seconds that are waited for.
	await daemon.virsh("detach-disk", "plug", "vda", "--live");
	await guestSees("/sys/block/vda", false);
	await daemon.virsh("detach-interface", "plug", "user", "--mac", "52:54:00:00:00:07", "--live");
	await guestSees("/sys/class/net/eth0/device", false);
	await until(async () => (await guest.xml()) === before, "the definition to be as before");
	assert.equal(await guest.xml(), before);
	await guest.destroy();
});
