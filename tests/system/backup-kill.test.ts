// The daemon is killed amid backups: the next one goes on with them or has nothing of them left, and checkpoints are what QEMU has.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { KillableDriver } from "@virtkit/testing/killable-driver";
import { CAPABILITIES_CACHE, killProcesses, tinyGuest } from "@virtkit/testing/qemu-driver";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { Random } from "./kill/random.ts";

const KILLS = Number(process.env.VIRTKIT_KILLS ?? 12);
const SEED = Number(process.env.VIRTKIT_SEED ?? Date.now() % 1_000_000);
/** A backup takes about so long to begin, and a push to end. */
const SPAN_MS = 120;

async function ask<T>(driver: KillableDriver, execute: string, args: object = {}): Promise<T> {
	const text = JSON.stringify({ execute, arguments: args });
	const said = String(await driver.run({ do: "monitorCommand", name: "guest", text }));
	return (JSON.parse(said) as { return: T }).return;
}

interface Node {
	readonly "node-name": string;
	readonly "dirty-bitmaps"?: readonly { readonly name: string }[];
}

/** The backup under way; undefined where there is none. */
const backupOf = (driver: KillableDriver): Promise<string | undefined> =>
	driver.run({ do: "backupXml", name: "guest" }).then(String, () => undefined);

/** Waits until no backup is under way; a pull is ended, and can be read until then. */
async function endBackup(driver: KillableDriver): Promise<void> {
	for (let xml = await backupOf(driver); xml !== undefined; xml = await backupOf(driver)) {
		if (xml.includes("mode='pull'")) {
			const exports = await ask<unknown[]>(driver, "query-block-exports");
			if (exports.length > 0) await driver.run({ do: "abortJob", name: "guest" });
			else assert.equal(await backupOf(driver), undefined, "a pull that cannot be read");
		}
		await delay(10);
	}
}

test(`after ${KILLS} kills amid backups, they go on or leave nothing (seed ${SEED})`, async () => {
	using folder = temporaryFolder("virtkit-backup-kill-");
	const marker = join(folder.path, "lib/qemu/domain-");
	using _guests = { [Symbol.dispose]: () => killProcesses(marker) };
	const random = new Random(SEED);
	const place = (name: string): string => join(folder.path, name);
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", place("disk"), "8M"]);
	execFileSync("qemu-io", ["-c", "write -P 1 0 4M", place("disk")]);
	const disk = `<disk type='file'><driver name='qemu' type='qcow2'/><source file='${place("disk")}'/><target dev='vda' bus='virtio'/></disk>`;
	{
		await using driver = await KillableDriver.start(folder.path, CAPABILITIES_CACHE);
		await driver.run({ do: "define", xml: tinyGuest("guest", { devices: disk }) });
		await driver.run({ do: "start", name: "guest", flags: 1 });
	}
	const files = (): string[] => readdirSync(folder.path).filter((name) => !name.startsWith("push"));
	const before = files();
	for (let kill = 0; kill < KILLS; kill++) {
		await using driver = await KillableDriver.start(folder.path, CAPABILITIES_CACHE);
		await endBackup(driver);
		const nodes = await ask<Node[]>(driver, "query-named-block-nodes", { flat: true });
		assert.deepEqual(nodes.map((node) => node["node-name"]).sort(), ["libvirt-1-format", "libvirt-1-storage"]);
		assert.deepEqual(await ask(driver, "query-block-exports"), []);
		assert.deepEqual(await ask(driver, "query-jobs"), []);
		assert.deepEqual(files(), before);
		const bitmaps = nodes.flatMap((node) => node["dirty-bitmaps"] ?? []).map(({ name }) => name);
		const checkpoints = (await driver.run({ do: "checkpoints", name: "guest" })) as string[];
		assert.deepEqual(checkpoints.toSorted(), bitmaps.toSorted());
		const last = place(`push${kill - 1}`);
		if (existsSync(last))
			assert.equal(
				spawnSync("qemu-io", ["-r", "-f", "qcow2", "-c", "read -P 1 0 4M", last]).status,
				0,
				"a push is whole",
			);
		const pull = random.below(2) === 0;
		const text = pull
			? `<domainbackup mode='pull'><server transport='unix' socket='${place("run/nbd")}'/><disks><disk name='vda'><scratch file='${place("scratch")}'/></disk></disks></domainbackup>`
			: `<domainbackup><disks><disk name='vda' type='file'><target file='${place(`push${kill}`)}'/></disk></disks></domainbackup>`;
		const xml = `<domaincheckpoint><name>c${kill}</name></domaincheckpoint>`;
		driver.run({ do: "beginBackup", name: "guest", text, xml }).catch(() => undefined);
		await delay(random.below(SPAN_MS));
		await driver.kill();
	}
});
