// A real Linux guest sees its CPUs come and go, as real virsh asks for them.

import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { connect } from "@virtkit/client/sdk/connection";
import { startDaemon } from "@virtkit/testing/daemon";
import { demoDomainXml, prepareDemoGuest, READY_LINE } from "@virtkit/testing/demo-guest";

const DEADLINE_MS = 120_000;

async function readUntil(console: Duplex, wanted: string): Promise<string> {
	let text = "";
	const { promise, resolve, reject } = Promise.withResolvers<string>();
	const onData = (data: Buffer): void => {
		text += data.toString("latin1");
		if (text.includes(wanted)) resolve(text);
	};
	const timer = setTimeout(() => reject(new Error(`no ${wanted} in:\n${text}`)), DEADLINE_MS);
	console.on("data", onData);
	try {
		return await promise;
	} finally {
		clearTimeout(timer);
		console.off("data", onData);
	}
}

test("a Linux guest sees its CPUs come and go", async () => {
	await using daemon = await startDaemon();
	await using connection = await connect(daemon.uri);
	const demo = prepareDemoGuest(daemon.file("demo"));
	const xml = demoDomainXml(demo, { name: "cpus", type: "qemu" }).replace(
		/<vcpu.*<\/vcpu>/,
		"<vcpu current='1'>3</vcpu>",
	);
	const guest = await connection.domains.define(xml);
	await guest.start();
	const terminal = await guest.openConsole(null, { force: true });
	await readUntil(terminal, READY_LINE);
	const cpusAre = async (list: string): Promise<void> => {
		globalThis.console.error("want", list);
		const mark = `cpus=${list}=`;
		const loop = `until [ "$(cat /sys/devices/system/cpu/online)" = "${list}" ]; do sleep 1; done`;
		terminal.write(`${loop}; echo cpus""=${list}=\n`);
		await readUntil(terminal, mark);
	};
	await cpusAre("0");
	await daemon.virsh("setvcpus", "cpus", "3", "--live");
	await cpusAre("0-2");
	await daemon.virsh("setvcpu", "cpus", "1", "--disable", "--live");
	await cpusAre("0,2");
	assert.deepEqual(
		(await guest.vcpus()).map(({ number }) => number),
		[0, 2],
	);
	await daemon.virsh("setvcpus", "cpus", "1", "--live");
	await cpusAre("0");
	assert.equal(await guest.vcpuCount({ live: true }), 1);
	await guest.destroy();
});
