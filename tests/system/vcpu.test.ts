// A real Linux guest sees its CPUs come and go, as real virsh asks for them.

import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { connect } from "@virtkit/client/sdk/connection";
import { startDaemon } from "@virtkit/testing/daemon";
import { demoDomainXml, prepareDemoGuest, READY_LINE } from "@virtkit/testing/demo-guest";
import { until } from "@virtkit/testing/qemu-driver";

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
	// It ends with the guest.
	terminal.on("error", () => undefined);
	await readUntil(terminal, READY_LINE);
	const cpusAre = async (list: string): Promise<void> => {
		const mark = `cpus=${list}=`;
		const loop = `until [ "$(cat /sys/devices/system/cpu/online)" = "${list}" ]; do sleep 1; done`;
		terminal.write(`${loop}; echo cpus""=${list}=\n`);
		await readUntil(terminal, mark);
	};
	await cpusAre("0");
	await daemon.virsh("setvcpus", "cpus", "3", "--live");
	await cpusAre("0-2");
	// An emulated guest may take longer than libvirt waits; what it does later counts all the same.
	const numbersAre = (wanted: readonly number[]): Promise<void> =>
		until(
			async () =>
				isDeepStrictEqual(
					(await guest.vcpus()).map(({ number }) => number),
					wanted,
				),
			"vCPUs are gone",
		);
	await daemon.tryVirsh("setvcpu", "cpus", "1", "--disable", "--live");
	await cpusAre("0,2");
	await numbersAre([0, 2]);
	await daemon.tryVirsh("setvcpus", "cpus", "1", "--live");
	await cpusAre("0");
	await numbersAre([0]);
	assert.equal(await guest.vcpuCount({ live: true }), 1);
	await guest.destroy();
});
