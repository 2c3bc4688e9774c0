// ./virtkit in a small repository of its own: which Node it takes, when it installs, what it runs.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
	chmodSync,
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	rmSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { missingPackages } from "./installed.ts";

const ROOT = join(import.meta.dirname, "../..");

interface Repository extends Disposable {
	readonly root: string;
	/** Runs its ./virtkit with a PATH in which npm only notes that it was called. */
	run(args: readonly string[], environment?: NodeJS.ProcessEnv): { status: number | null; out: string; err: string };
	readonly environment: NodeJS.ProcessEnv;
}

const lock = (version: string) => JSON.stringify({ packages: { "": {}, "node_modules/a": { version } } });

function repository(): Repository {
	const root = mkdtempSync(join(tmpdir(), "repo-"));
	for (const folder of ["apps/cli", "apps/daemon", "tools", "bench", "node_modules/a", "bin"]) {
		mkdirSync(join(root, folder), { recursive: true });
	}
	cpSync(join(ROOT, "virtkit"), join(root, "virtkit"));
	cpSync(join(ROOT, "tools/bootstrap"), join(root, "tools/bootstrap"), { recursive: true });
	for (const file of [
		"apps/cli/main",
		"apps/daemon/main",
		"tools/check",
		"tools/test",
		"tools/install",
		"bench/main",
	]) {
		writeFileSync(join(root, `${file}.ts`), `console.log("${file}", ...process.argv.slice(2));\n`);
	}
	writeFileSync(join(root, "node_modules/a/package.json"), "{}");
	writeFileSync(join(root, "package-lock.json"), lock("1.0.0"));
	writeFileSync(join(root, "node_modules/.package-lock.json"), lock("1.0.0"));
	writeFileSync(join(root, "bin/npm"), `#!/bin/sh\nsleep 0.2; echo "$@" >>${root}/npm-calls\n`);
	chmodSync(join(root, "bin/npm"), 0o755);
	symlinkSync(process.execPath, join(root, "bin/node"));
	const environment = { PATH: `${join(root, "bin")}:/usr/bin:/bin` };
	return {
		root,
		environment,
		run(args, more = {}) {
			const run = spawnSync(join(root, "virtkit"), args, { encoding: "utf8", env: { ...environment, ...more } });
			return { status: run.status, out: run.stdout.trim(), err: run.stderr.trim() };
		},
		[Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
	};
}

test("each word goes to its program, and all others to the command line", () => {
	using repo = repository();
	assert.equal(repo.run(["list", "--all"]).out, "apps/cli/main list --all");
	assert.equal(repo.run([]).out, "apps/cli/main");
	assert.equal(repo.run(["daemon", "--root", "a b"]).out, "apps/daemon/main --root a b");
	assert.equal(repo.run(["check", "--fix"]).out, "tools/check --fix");
	assert.equal(repo.run(["test", "x"]).out, "tools/test x");
	assert.equal(repo.run(["bench"]).out, "tools/install bench\nbench/main");
	assert.equal(repo.run(["up", "--vnc"]).out, "tools/install up\napps/cli/main up --vnc");
});

test("it finds its folder through a link, from elsewhere and from PATH", () => {
	using repo = repository();
	symlinkSync(join(repo.root, "virtkit"), join(repo.root, "bin/vk"));
	const env = { ...repo.environment, PATH: `${repo.environment["PATH"]}:${repo.root}` };
	const words = (command: string, cwd: string) =>
		spawnSync("sh", ["-c", command], { cwd, env, encoding: "utf8" }).stdout;
	assert.equal(words("vk x", "/"), "apps/cli/main x\n");
	assert.equal(words("virtkit x", "/"), "apps/cli/main x\n");
	assert.equal(words("../virtkit x", join(repo.root, "bin")), "apps/cli/main x\n");
});

test("npm is called when what is installed is not what the lock file asks for, not when only its date changed", () => {
	using repo = repository();
	const soon = new Date(Date.now() + 60_000);
	utimesSync(join(repo.root, "package-lock.json"), soon, soon);
	assert.equal(repo.run(["x"]).status, 0);
	assert.ok(!existsSync(join(repo.root, "npm-calls")));
	writeFileSync(join(repo.root, "package-lock.json"), lock("2.0.0"));
	utimesSync(join(repo.root, "package-lock.json"), soon, soon);
	assert.equal(repo.run(["x"]).err, "virtkit: installing npm packages");
	assert.ok(existsSync(join(repo.root, "npm-calls")));
});

test("of several first runs at once one installs", async () => {
	using repo = repository();
	rmSync(join(repo.root, "node_modules"), { recursive: true });
	// What npm would leave behind.
	writeFileSync(
		join(repo.root, "bin/npm"),
		`#!/bin/sh\nsleep 0.3; echo >>${repo.root}/npm-calls; mkdir node_modules; echo >node_modules/.package-lock.json\n`,
	);
	const runs = [1, 2, 3].map((word) =>
		text(spawn(join(repo.root, "virtkit"), [String(word)], { env: repo.environment }).stdout),
	);
	assert.deepEqual(
		await Promise.all(runs),
		[1, 2, 3].map((word) => `apps/cli/main ${word}\n`),
	);
	assert.equal(spawnSync("cat", [join(repo.root, "npm-calls")], { encoding: "utf8" }).stdout, "\n");
});

test("VIRTKIT_NODE is taken, and refused when it is too old", () => {
	using repo = repository();
	assert.equal(repo.run(["x"]).status, 0);
	assert.equal(repo.run(["x"], { VIRTKIT_NODE: process.execPath }).out, "apps/cli/main x");
	writeFileSync(join(repo.root, "bin/old"), "#!/bin/sh\nexit 1\n");
	chmodSync(join(repo.root, "bin/old"), 0o755);
	const refused = repo.run(["x"], { VIRTKIT_NODE: join(repo.root, "bin/old") });
	assert.equal(refused.status, 1);
	assert.match(refused.err, /VIRTKIT_NODE is .*bin\/old, which is no Node 24 or newer/);
});

test("an archive that is not the pinned one is refused, and nothing of it stays", () => {
	using repo = repository();
	rmSync(join(repo.root, "bin/node"));
	writeFileSync(join(repo.root, "bin/node"), "#!/bin/sh\nexit 1\n");
	chmodSync(join(repo.root, "bin/node"), 0o755);
	writeFileSync(join(repo.root, "bin/npm"), "#!/bin/sh\necho no archive >node.tgz\n");
	const refused = repo.run(["x"]);
	assert.equal(refused.status, 1);
	assert.match(refused.err, /is not the archive that tools\/bootstrap\/node-release pins/);
	assert.deepEqual(spawnSync("ls", [join(repo.root, ".virtkit")], { encoding: "utf8" }).stdout, "lock\n");
});

test("where there is no npm and no apt, the remedy is told", () => {
	using repo = repository();
	rmSync(join(repo.root, "bin"), { recursive: true });
	mkdirSync(join(repo.root, "bin"));
	for (const name of ["mkdir", "flock", "uname"]) symlinkSync(join("/usr/bin", name), join(repo.root, "bin", name));
	const refused = repo.run(["x"], { PATH: join(repo.root, "bin") });
	assert.equal(refused.status, 1);
	assert.match(refused.err, /install npm, or set VIRTKIT_NODE/);
});

test("packages for other processors may be missing, others not", () => {
	using repo = repository();
	const packages = {
		"node_modules/a": { version: "1.0.0" },
		"node_modules/other-cpu": { version: "1.0.0", optional: true },
		"node_modules/gone": { version: "1.0.0" },
		"packages/own": {},
	};
	writeFileSync(join(repo.root, "package-lock.json"), JSON.stringify({ packages }));
	assert.deepEqual(missingPackages(repo.root), ["node_modules/gone"]);
});
