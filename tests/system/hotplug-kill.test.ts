// The daemon is killed while it plugs a device in or out: the next one's definition is what QEMU has, and nothing is left behind.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { KillableDriver } from "@virtkit/testing/killable-driver";
import { plugGuestXml } from "@virtkit/testing/plug-guest";
import { CAPABILITIES_CACHE, killProcesses } from "@virtkit/testing/qemu-driver";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { Random } from "./kill/random.ts";

const KILLS = Number(process.env.VIRTKIT_KILLS ?? 24);
const SEED = Number(process.env.VIRTKIT_SEED ?? Date.now() % 1_000_000);
/** An attachment takes about so long. */
const SPAN_MS = 50;

interface Seen {
	/** Aliases of disks in the definition. */
	readonly defined: readonly string[];
	/** Disks that QEMU has. */
	readonly plugged: readonly string[];
	readonly nodes: readonly string[];
}

async function ask(driver: KillableDriver, execute: string, args: object): Promise<string> {
	const text = JSON.stringify({ execute, arguments: args });
	return String(await driver.run({ do: "monitorCommand", name: "guest", text }));
}

async function look(driver: KillableDriver): Promise<Seen> {
	const xml = String(await driver.run({ do: "xml", name: "guest" }));
	const peripherals = await ask(driver, "qom-list", { path: "/machine/peripheral" });
	const nodes = await ask(driver, "query-named-block-nodes", { flat: true });
	return {
		defined: [...xml.matchAll(/<alias name='(usb-disk\d+)'/g)].map((match) => match[1] ?? "").sort(),
		plugged: [...peripherals.matchAll(/"name": "(usb-disk\d+)"/g)].map((match) => match[1] ?? "").sort(),
		nodes: [...nodes.matchAll(/"node-name": "(libvirt-\d+-format)"/g)].map((match) => match[1] ?? ""),
	};
}

test(`after ${KILLS} kills amid attachments and detachments, definition and QEMU always agree (seed ${SEED})`, async () => {
	using folder = temporaryFolder("virtkit-plug-kill-");
	const marker = join(folder.path, "lib/qemu/domain-");
	using _guests = { [Symbol.dispose]: () => killProcesses(marker) };
	const random = new Random(SEED);
	const path = join(folder.path, "a.qcow2");
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", path, "4M"]);
	const xml = `<disk type='file'><driver name='qemu' type='qcow2'/><source file='${path}'/><target dev='sdb' bus='usb'/></disk>`;
	{
		await using driver = await KillableDriver.start(folder.path, CAPABILITIES_CACHE);
		await driver.run({ do: "define", xml: plugGuestXml() });
		await driver.run({ do: "start", name: "guest", flags: 1 });
	}
	for (let kill = 0; kill < KILLS; kill++) {
		await using driver = await KillableDriver.start(folder.path, CAPABILITIES_CACHE);
		const { defined, plugged, nodes } = await look(driver);
		assert.deepEqual(defined, plugged);
		assert.equal(nodes.length, plugged.length);
		const action = plugged.length === 0 ? "attachDevice" : "detachDevice";
		const done = driver.run({ do: action, name: "guest", flags: 1, text: xml });
		done.catch(() => undefined);
		await delay(random.below(SPAN_MS));
		await driver.kill();
	}
});
