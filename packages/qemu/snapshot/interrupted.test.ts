// The daemon is killed while a snapshot is taken, gone back to or deleted: no data is lost, the tree is whole, no file is left over.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { KillableDriver } from "@virtkit/testing/killable-driver";
import { CAPABILITIES_CACHE, killProcesses, tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { CREATE, REVERT } from "./flags.ts";

const PAUSED = 1;

/** A guest with a megabyte of 1s, and snapshots `one` and `two` of its disk, each followed by a megabyte of the next number. */
async function prepare(driver: KillableDriver, root: string): Promise<void> {
	const image = join(root, "disk.img");
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", image, "8M"]);
	const disk = `<disk type='file'><driver name='qemu' type='qcow2'/><source file='${image}'/><target dev='vda' bus='virtio'/></disk>`;
	await driver.run({ do: "define", xml: tinyGuest("guest", { devices: disk }) });
	const write = (path: string, at: number) =>
		execFileSync("qemu-io", ["-c", `write -P ${at + 1} ${at}M 1M`, path], { stdio: "ignore" });
	write(image, 0);
	for (const [index, name] of ["one", "two"].entries()) {
		await driver.run({ do: "createSnapshot", name: "guest", flags: CREATE.diskOnly, text: named(name) });
		write(join(root, `disk.${name}`), index + 1);
	}
}

const named = (name: string, inner = "") => `<domainsnapshot><name>${name}</name>${inner}</domainsnapshot>`;

/** What the domain is when a later daemon looks at it. */
async function look(driver: KillableDriver, root: string) {
	const xml = String(await driver.run({ do: "xml", name: "guest" }));
	const names = (await driver.run({ do: "snapshots", name: "guest" })) as string[];
	return { top: /<source file='([^']+)'/.exec(xml)?.[1] ?? "", names: names.sort(), root };
}

/** The megabytes that the guest's disk has now; each holds its own number. */
function megabytes(path: string): number {
	let found = 0;
	for (const at of [0, 1, 2]) {
		const read = spawnSync("qemu-io", ["-U", "-r", "-c", `read -P ${at + 1} ${at}M 1M`, path], { encoding: "utf8" });
		assert.match(read.stdout, /read 1048576/, read.stderr);
		if (!read.stdout.includes("Pattern verification failed")) found++;
	}
	return found;
}

/** Every image belongs to the chain that the guest is on, or to a snapshot; and every snapshot has its images. */
function assertFiles(root: string, top: string, names: readonly string[]): void {
	const chain = JSON.parse(
		execFileSync("qemu-img", ["info", "-U", "--backing-chain", "--output=json", top], { encoding: "utf8" }),
	) as {
		filename: string;
	}[];
	const known = new Set(chain.map(({ filename }) => filename));
	for (const name of names) {
		const text = readFileSync(join(root, `lib/qemu/snapshot/guest/${name}.xml`), "utf8");
		for (const [, file = ""] of text.matchAll(/ file='([^']+)'/g)) known.add(file);
		const own = /<domain [\s\S]*?<source file='([^']+)'/.exec(text)?.[1] ?? "";
		assert.ok(existsSync(own), `${name} was taken of ${own}`);
	}
	for (const file of readdirSync(root).filter((one) => one.startsWith("disk.") || one === "memory"))
		assert.ok(known.has(join(root, file)), `${file} belongs to nothing`);
}

interface Work {
	readonly what: string;
	/** Flags of a start before it; the guest stays stopped where absent. */
	readonly start?: number;
	readonly command: { readonly do: "createSnapshot" | "revertToSnapshot" | "deleteSnapshot"; readonly flags: number };
	readonly text: (root: string) => string;
	/** Megabytes afterwards, whether it came to be or not. */
	readonly data: readonly number[];
}

const WORK: readonly Work[] = [
	{
		what: "an external snapshot of a running guest",
		start: 0,
		command: { do: "createSnapshot", flags: CREATE.diskOnly },
		text: () => named("new"),
		data: [3],
	},
	{
		what: "a snapshot with memory",
		start: 0,
		command: { do: "createSnapshot", flags: 0 },
		text: (root) => named("new", `<memory file='${join(root, "memory")}'/>`),
		data: [3],
	},
	{
		what: "an internal snapshot of a running guest",
		start: 0,
		command: { do: "createSnapshot", flags: 0 },
		text: () => named("new"),
		data: [3],
	},
	{
		what: "an external snapshot of a stopped guest",
		command: { do: "createSnapshot", flags: CREATE.diskOnly },
		text: () => named("new"),
		data: [3],
	},
	{
		what: "a merge while the guest runs",
		start: PAUSED,
		command: { do: "deleteSnapshot", flags: 0 },
		text: () => "two",
		data: [3],
	},
	{
		what: "a merge while the guest is off",
		command: { do: "deleteSnapshot", flags: 0 },
		text: () => "one",
		data: [3],
	},
	{
		what: "going back to an external snapshot",
		start: PAUSED,
		command: { do: "revertToSnapshot", flags: REVERT.paused },
		text: () => "one",
		data: [1, 3],
	},
];

for (const { what, start, command, text, data } of WORK)
	test(`${what} is whole or not there, whenever the daemon is killed`, async () => {
		for (const wait of [0, 30, 70]) {
			using folder = temporaryFolder("virtkit-snapshot-kill-");
			const root = folder.path;
			using _guests = { [Symbol.dispose]: () => killProcesses(join(root, "lib/qemu/domain-")) };
			{
				await using driver = await KillableDriver.start(root, CAPABILITIES_CACHE);
				await prepare(driver, root);
				if (start !== undefined) await driver.run({ do: "start", name: "guest", flags: start });
				driver.run({ ...command, name: "guest", text: text(root) }).catch(() => undefined);
				await delay(wait);
				await driver.kill();
			}
			await using driver = await KillableDriver.start(root, CAPABILITIES_CACHE);
			const place = join(root, "lib/qemu/snapshot/guest");
			await until(
				() => !existsSync(place) || !readdirSync(place).some((name) => name === ".pending" || name === ".deleting"),
				`what was under way to be at an end: ${driver.logs.join("; ")}`,
			);
			const { top, names } = await look(driver, root);
			assert.ok(data.includes(megabytes(top)), `${wait} ms: ${megabytes(top)} MiB in ${top}`);
			assertFiles(root, top, names);
			if (start === 0)
				await until(async () => (await driver.list())[0]?.state === "running", `the guest goes on (${wait} ms)`);
			// And all goes on from here.
			await driver.run({ do: "createSnapshot", name: "guest", flags: CREATE.diskOnly, text: named("after") });
			assert.ok(data.includes(megabytes((await look(driver, root)).top)));
			if ((await driver.list())[0]?.state !== "shutoff") await driver.run({ do: "destroy", name: "guest" });
		}
	});
