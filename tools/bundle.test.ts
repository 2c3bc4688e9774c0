// The bundle, run as on a host that has no Node: its launcher, native parts and cache of compiled code.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { packageFolders } from "./bundle/licenses.ts";

const BUNDLER = join(import.meta.dirname, "bundle.ts");
const folder = mkdtempSync(join(tmpdir(), "bundle-"));
const moved = join(folder, "elsewhere");

const run = (command: string, ...args: readonly string[]) =>
	spawnSync(command, args, { encoding: "utf8", cwd: "/", env: { PATH: "/usr/bin:/bin" } });

before(() => {
	const made = run(process.execPath, BUNDLER, join(folder, "made"));
	assert.equal(made.status, 0, made.stderr);
	renameSync(join(folder, "made"), moved);
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("it runs from wherever it was moved to, through links too, without a Node in PATH", () => {
	symlinkSync(join(moved, "virtkit"), join(folder, "link"));
	for (const command of [join(moved, "virtkit"), join(folder, "link")]) {
		const told = run(command, "--version");
		assert.equal(told.stderr, "");
		assert.match(told.stdout, /^\d+\.\d+\.\d+\n$/);
	}
});

test("the daemon starts, listens and stops", { timeout: 60_000 }, async () => {
	const child = spawn(join(moved, "virtkit"), ["daemon", "--root", join(folder, "root")], {
		env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
		stdio: ["ignore", "pipe", "inherit"],
	});
	const ended = new Promise((resolve) => child.once("exit", resolve));
	try {
		let said = "";
		for await (const chunk of child.stdout.setEncoding("utf8")) if ((said += chunk).includes("ready\n")) break;
		assert.ok(existsSync(join(folder, "root/run/libvirt-sock")));
		const socket = `qemu+unix:///system?socket=${join(folder, "root/run/libvirt-sock")}`;
		const list = run(join(moved, "virtkit"), "-c", socket, "list", "--all");
		assert.equal(list.stderr, "");
		assert.match(list.stdout, /Id +Name +State/);
		const document = join(folder, "guest.xml");
		writeFileSync(
			document,
			"<domain type='qemu'><name>g</name><memory>65536</memory><os><type>hvm</type></os></domain>",
		);
		// What needs native code has it, in the command line too: descriptor 0 is passed.
		const passed = run(join(moved, "virtkit"), "-c", socket, `define ${document}; dom-fd-associate g group 0`);
		assert.equal(passed.stderr, "");
	} finally {
		child.kill("SIGTERM");
		await ended;
	}
});

test("compiled code is there from the first start on", () => {
	const [cache] = readdirSync(join(moved, "lib/compile-cache"));
	assert.ok(cache !== undefined && readdirSync(join(moved, "lib/compile-cache", cache)).length > 0);
});

test("it does not overwrite a folder that holds something else", () => {
	const refused = run(process.execPath, BUNDLER, folder);
	assert.equal(refused.status, 1);
	assert.match(refused.stderr, /exists and holds no bundle/);
	assert.ok(existsSync(moved));
});

test("the licences passed on are those of the packages whose files are in it", () => {
	const files = [
		"node_modules/saxes/saxes.js",
		"packages/a.ts",
		"node_modules/@a/b/node_modules/c/x.js",
		"node_modules/@a/b/y.js",
	];
	assert.deepEqual(packageFolders(files), [
		"node_modules/@a/b",
		"node_modules/@a/b/node_modules/c",
		"node_modules/saxes",
	]);
});
