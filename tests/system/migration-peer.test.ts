// Peer-to-peer migration: real virsh asks the source's daemon, which leads both sides itself.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import type { CallName } from "@virtkit/protocol/procedure-types";
import { PROGRAMS } from "@virtkit/protocol/programs";
import { guestCount, startDaemonPair, stateOf } from "@virtkit/testing/daemon-pair";
import { tinyGuest, until } from "@virtkit/testing/qemu-driver";

const [source, target] = await startDaemonPair();

/** Where a message has the number of its procedure (after length, program and version). */
const PROCEDURE_OFFSET = 12;
const numberOf = (name: CallName): number => PROGRAMS.remote.procedures[name].number;

const migrate = (name: string, uri: string, ...options: string[]): Promise<string> =>
	source.virsh("migrate", name, uri, "--p2p", "--migrateuri", "tcp://127.0.0.1", ...options);

async function startGuest(name: string, memory = 32): Promise<void> {
	const file = source.file(`${name}.xml`);
	writeFileSync(file, tinyGuest(name).replace(">32<", `>${memory}<`));
	await source.virsh("define", file);
	await source.virsh("start", name);
}

/** A way to the destination's daemon that can be cut, and whose first client hears nothing once it sent a call of `last`. */
async function proxyTo(path: string, last?: CallName) {
	let fallsSilent = last !== undefined;
	const sockets = new Set<Socket>();
	const server = createServer((near) => {
		const far = connect(path);
		for (const [one, other] of [
			[near, far],
			[far, near],
		] as const) {
			sockets.add(one);
			one.on("error", () => undefined).on("close", () => other.destroy());
			one.on("data", (data) => other.write(data));
		}
		near.on("data", (data) => {
			if (!fallsSilent || last === undefined || data.readUInt32BE(PROCEDURE_OFFSET) !== numberOf(last)) return;
			fallsSilent = false;
			far.removeAllListeners("data").resume();
			// The daemon there has answered by then, or not: both are tried, as the machine is quick or slow.
			setTimeout(() => near.destroy(), 50);
		});
	}).listen(0, "127.0.0.1");
	await until(() => server.listening, "that the proxy listens");
	const cut = () => {
		for (const socket of sockets) socket.destroy();
		server.close();
	};
	return {
		uri: `qemu+tcp://127.0.0.1:${(server.address() as AddressInfo).port}/system`,
		cut,
		fellSilent: () => !fallsSilent,
		[Symbol.dispose]: cut,
	};
}

test("virsh migrate --p2p moves a running guest, under a new name, stored there and forgotten here", async () => {
	await startGuest("peer");
	await migrate("peer", target.uri, "--live", "--persistent", "--undefinesource", "--dname", "arrived");
	assert.equal(await stateOf(target, "arrived"), "running (migrated)");
	await assert.rejects(source.virsh("domstate", "peer"), /failed to get domain/);
	assert.deepEqual([guestCount(source), guestCount(target)], [0, 1]);
	await target.virsh("destroy", "arrived");
	await target.virsh("undefine", "arrived");
});

test("a destination that cannot be reached, and one that refuses the guest, leave it running here", async () => {
	await startGuest("stays");
	const nowhere = `qemu+unix:///system?socket=${source.file("no-such-socket")}`;
	await assert.rejects(migrate("stays", nowhere), /no-such-socket/);
	await target.virsh("create", source.file("stays.xml"));
	await assert.rejects(migrate("stays", target.uri), /already exists with uuid/);
	await target.virsh("destroy", "stays");
	assert.equal(await stateOf(source, "stays"), "running (booted)");
	assert.deepEqual([guestCount(source), guestCount(target)], [1, 0]);
	await source.virsh("destroy", "stays");
});

test("a link to the destination's daemon that is cut while the guest is sent ends the migration; the guest runs on here", async () => {
	await startGuest("cut", 1024);
	using proxy = await proxyTo(`${target.root}/run/libvirt-sock`);
	const failed = assert.rejects(migrate("cut", proxy.uri, "--live", "--bandwidth", "1"));
	await until(async () => (await source.virsh("domjobinfo", "cut")).includes("Outgoing migration"), "that it is sent");
	proxy.cut();
	await failed;
	assert.match(await stateOf(source, "cut"), /^running/);
	await until(() => guestCount(target) === 0, "that nothing waits for the guest any more");
	await source.virsh("destroy", "cut");
});

test("a caller that goes away while the source leads changes nothing: the guest arrives", async () => {
	await startGuest("alone", 256);
	const options = ["--p2p", "--migrateuri", "tcp://127.0.0.1", "--live", "--bandwidth", "1"];
	const caller = spawn("virsh", ["-q", "-c", source.uri, "migrate", "alone", target.uri, ...options], {
		stdio: "ignore",
	});
	await until(
		async () => (await source.virsh("domjobinfo", "alone")).includes("Outgoing migration"),
		"that it is sent",
	);
	caller.kill("SIGKILL");
	await until(async () => (await stateOf(source, "alone")) === "shut off (migrated)", "that it has left");
	assert.equal(await stateOf(target, "alone"), "running (migrated)");
	await target.virsh("destroy", "alone");
});

test("a destination that falls silent as it lets the guest run is asked again: the guest runs in one place", async () => {
	await startGuest("silent");
	using proxy = await proxyTo(`${target.root}/run/libvirt-sock`, "DOMAIN_MIGRATE_FINISH3_PARAMS");
	await migrate("silent", proxy.uri, "--live").catch(() => undefined);
	assert.ok(proxy.fellSilent());
	assert.equal(guestCount(source) + guestCount(target), 1);
	const [there, gone] = guestCount(target) === 1 ? [target, source] : [source, target];
	assert.match(await stateOf(there, "silent"), /^running/);
	await there.virsh("destroy", "silent");
	const left = gone.virsh("domstate", "silent").catch(() => "shut off");
	assert.match(await left, /^shut off/);
});
