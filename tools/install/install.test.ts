// What counts as installed, and the guard that keeps services from starting.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SYSTEM_PACKAGES, type SystemPackage } from "../packages.ts";
import { missingFor, packageName } from "./missing.ts";
import { denyServiceStarts } from "./service-guard.ts";

function temporary(): Disposable & { readonly path: string } {
	const path = mkdtempSync(join(tmpdir(), "install-"));
	return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

const row = (purpose: SystemPackage["purpose"], present: string): SystemPackage => ({
	purpose,
	name: "x",
	present: [present],
	reason: "a test",
});

test("programs are found in PATH when they may be run, files by pattern", () => {
	using folder = temporary();
	writeFileSync(join(folder.path, "program"), "");
	writeFileSync(join(folder.path, "vmlinuz-6.1"), "");
	const machine = { cpu: "x64", path: `/nonexistent::${folder.path}` };
	const table = ["program", `${folder.path}/vmlinuz-*`, `${folder.path}/initrd-*`].map((sign) => row("up", sign));
	const signs = () => missingFor("up", table, machine).map(({ present }) => present[0]);
	assert.deepEqual(signs(), ["program", `${folder.path}/initrd-*`]);
	chmodSync(join(folder.path, "program"), 0o755);
	assert.deepEqual(signs(), [`${folder.path}/initrd-*`]);
});

test("a purpose needs the packages of those before it, not of those after", () => {
	const table = [row("up", "/nonexistent/1"), row("test", "/nonexistent/2"), row("bench", "/nonexistent/3")];
	const count = (purpose: SystemPackage["purpose"]) => missingFor(purpose, table, { cpu: "x64", path: "" }).length;
	assert.deepEqual([count("up"), count("test"), count("bench")], [1, 2, 3]);
});

test("every package has a name on both processors that Node can be fetched for", () => {
	for (const entry of SYSTEM_PACKAGES) {
		for (const cpu of ["x64", "arm64"]) assert.ok(packageName(entry, { cpu, path: "" }), `${entry.reason} on ${cpu}`);
	}
});

test("while the guard stands services are denied; it goes, and allows all when its process has ended", () => {
	using folder = temporary();
	const file = join(folder.path, "policy-rc.d");
	const ask = () => spawnSync(file).status;
	{
		using _guard = denyServiceStarts(file);
		assert.equal(ask(), 101);
		const stale = readFileSync(file, "utf8").replace(`/proc/${process.pid}`, "/proc/nonexistent");
		writeFileSync(file, stale);
		assert.equal(ask(), 0);
		using _second = denyServiceStarts(file);
		assert.equal(ask(), 101);
	}
	assert.ok(!existsSync(file));
});

test("an administrator's own policy is left as it is", () => {
	using folder = temporary();
	const file = join(folder.path, "policy-rc.d");
	writeFileSync(file, "#!/bin/sh\nexit 0\n");
	{
		using _guard = denyServiceStarts(file);
		assert.equal(readFileSync(file, "utf8"), "#!/bin/sh\nexit 0\n");
	}
	assert.ok(existsSync(file));
});
