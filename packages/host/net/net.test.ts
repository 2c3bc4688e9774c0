// Tests of the host's network interfaces, on a bridge and tap devices made for them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync } from "node:fs";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { openBridgeTap } from "./bridge-tap.ts";
import { changeLink, deleteLink, listLinks, readLinkStatistics, readMtu } from "./link.ts";
import { openTap, setPersistent } from "./tap.ts";

const find = async (name: string) => (await listLinks()).find((link) => link.name === name);

test("a guest's tap device is up in its bridge with the bridge's MTU and goes when its descriptors are closed", async () => {
	const bridge = `vkbr${process.pid}`;
	execFileSync("ip", ["link", "add", bridge, "mtu", "1400", "type", "bridge"]);
	try {
		const tap = await openBridgeTap({
			bridge,
			guestMac: "52:54:00:AA:BB:CC",
			name: `vk${process.pid % 1e6}t%d`,
			queues: 2,
		});
		assert.equal(tap.fds.length, 2);
		const link = await find(tap.name);
		assert.equal(link?.mac, "fe:54:00:aa:bb:cc");
		assert.equal(link?.master, bridge);
		assert.equal(link?.kind, "tun");
		assert.equal(link?.up, true);
		assert.equal(readMtu(tap.name), 1400);
		assert.equal(readLinkStatistics(tap.name)?.rxErrors, 0n);
		await changeLink(tap.name, { master: null, up: false });
		const changed = await find(tap.name);
		assert.equal(changed?.master, undefined);
		assert.equal(changed?.up, false);
		for (const fd of tap.fds) closeSync(fd);
		assert.equal(await find(tap.name), undefined);
		assert.equal(readLinkStatistics(tap.name), undefined);
	} finally {
		await deleteLink(bridge);
	}
	assert.equal(await find(bridge), undefined);
});

test("a persistent tap device outlives its descriptor and can be opened again", async () => {
	const name = `vk${process.pid % 1e6}p`;
	const first = openTap({ name, persistent: true });
	for (const fd of first.fds) closeSync(fd);
	assert.equal((await find(name))?.kind, "tun");
	const [fd = -1] = openTap({ name }).fds;
	setPersistent(fd, name, false);
	closeSync(fd);
	assert.equal(await find(name), undefined);
});

test("a bridge that is not there, a bad name and an interface that is no tap are refused naming them", async () => {
	const options = { bridge: "vk-no-bridge", guestMac: "52:54:00:00:00:01" };
	await assert.rejects(
		openBridgeTap(options),
		isVirtError("SYSTEM_ERROR", "Cannot get interface MTU on 'vk-no-bridge': No such device"),
	);
	assert.throws(() => openTap({ name: "much-too-long-a-name" }), isVirtError("INVALID_ARG", "much-too-long-a-name"));
	assert.throws(() => openTap({ name: "lo" }), isVirtError("SYSTEM_ERROR", "lo", "Invalid argument"));
	await assert.rejects(deleteLink("vk-no-link"), isVirtError("SYSTEM_ERROR", "vk-no-link", "Cannot find device"));
});

test("a bridge that refuses a port leaves no tap device behind", async () => {
	const name = `vk${process.pid % 1e6}r`;
	await assert.rejects(
		openBridgeTap({ bridge: "lo", guestMac: "52:54:00:00:00:01", name }),
		isVirtError("SYSTEM_ERROR", name),
	);
	assert.equal(await find(name), undefined);
});
