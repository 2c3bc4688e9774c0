// Short-lived children: their output and end, and that none outlives us.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { QuietChild } from "./quiet-child.ts";

const shell = (script: string) => new QuietChild("/bin/sh", ["-c", script], "pipe", {});

test("both outputs are kept up to a limit, and the end is told", async () => {
	await using child = shell("echo out; echo err >&2; exit 3");
	assert.equal(await child.ended, "exit status 3");
	assert.deepEqual([child.stdout, child.stderr, child.end], ["out\n", "err\n", "exit status 3"]);
	await using flood = shell("yes | head -c 100000");
	await flood.ended;
	assert.ok(flood.stdout.length > 1000 && flood.stdout.length <= 4096);
});

test("a signal and a program that is not there are told as the end", async () => {
	await using killed = shell("kill -TERM $$");
	assert.equal(await killed.ended, "killed by SIGTERM");
	await using missing = new QuietChild("/nonexistent/program", [], "pipe", {});
	assert.match(await missing.ended, /ENOENT|exit status 127/);
});

test("a child is ended together with children of its own that hold its outputs", async () => {
	const child = shell("sleep 60 & echo $!; wait");
	while (child.stdout === "") await sleep(5);
	await child[Symbol.asyncDispose]();
	assert.equal(child.end, "killed by SIGKILL");
	while (existsSync(`/proc/${child.stdout.trim()}`)) await sleep(5);
});

test("a child dies with us, even when we are killed", async () => {
	const module = JSON.stringify(join(import.meta.dirname, "quiet-child.ts"));
	const program = `import { QuietChild } from ${module};
		const child = new QuietChild("/bin/sleep", ["60"], "pipe", {});
		setTimeout(() => console.log(child.pid), 200);`;
	const parent = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	const [line] = await once(parent.stdout, "data");
	assert.ok(existsSync(`/proc/${String(line).trim()}`));
	parent.kill("SIGKILL");
	while (existsSync(`/proc/${String(line).trim()}`)) await sleep(5);
});
