// Programs beside real guests: they serve, stay with the guest through the daemon's end, and go with it, also where a start fails.

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { KillableDriver } from "@virtkit/testing/killable-driver";
import { CAPABILITIES_CACHE, killProcesses, TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { findHelpers } from "./find.ts";

/** The state lies in folders that only the test's user can pass through. */
const SETTINGS = { swtpmUser: "root" };

const tpm = (model: string, version: string, more = ""): string =>
	`<tpm model='${model}'><backend type='emulator' version='${version}'>${more}</backend></tpm>`;

/** Names of the helpers that run below `root`. */
function helpersOf(root: string): string[] {
	return [...findHelpers(join(root, "lib/qemu/domain-")).values()].flat().map(({ name }) => name);
}

const groupsOf = (pid: number): string => readFileSync(`/proc/${pid}/cgroup`, "latin1");

function monitor(own: TestDriver, guest: Awaited<ReturnType<TestDriver["create"]>>, line: string): Promise<string> {
	const arguments_ = { "command-line": line };
	return own.run(
		"monitorCommand",
		guest,
		0,
		JSON.stringify({ execute: "human-monitor-command", arguments: arguments_ }),
		[],
	);
}

test("an emulated TPM runs beside its guest, and its state stays until the domain is undefined", async () => {
	await using own = await TestDriver.start(SETTINGS);
	const guest = await own.define(tinyGuest("guest", { devices: tpm("tpm-crb", "2.0") }));
	const state = own.path("lib/swtpm", guest.uuid, "tpm2");
	await own.run("start", guest);
	assert.match(await monitor(own, guest, "info tpm"), /model=tpm-crb.*type=emulator,chardev=chrtpm/);
	assert.deepEqual(helpersOf(own.root), ["swtpm"]);
	assert.deepEqual(
		guest.run?.helpers.filter(({ name }) => name === "swtpm").map(({ process: { pid } }) => groupsOf(pid)),
		own.processes.map(groupsOf),
	);
	assert.ok(readdirSync(state).includes("tpm2-00.permall"));
	assert.match(readFileSync(own.path("log/qemu/guest-swtpm.log"), "utf8"), /Successfully authored TPM state/);
	assert.match(readFileSync(own.path("log/qemu/guest.log"), "utf8"), /starting swtpm: \S*swtpm socket --ctrl/);
	await own.run("destroy", guest);
	assert.deepEqual(helpersOf(own.root), []);
	// What was made once is what every later start finds.
	const made = readFileSync(join(state, "tpm2-00.permall")).subarray(0, 64);
	await own.run("start", guest);
	assert.deepEqual(readFileSync(join(state, "tpm2-00.permall")).subarray(0, 64), made);
	await own.run("destroy", guest);
	await own.run("undefine", guest, 64);
	assert.ok(existsSync(state));
	const xml = tinyGuest("guest", { devices: tpm("tpm-crb", "2.0") });
	const again = await own.define(xml.replace("</name>", `</name><uuid>${guest.uuid}</uuid>`));
	await own.run("undefine", again);
	assert.ok(!existsSync(own.path("lib/swtpm", guest.uuid)));
});

test("version 1.2 has a state of its own, and that of a transient guest goes with it unless it is persistent", async () => {
	await using own = await TestDriver.start(SETTINGS);
	const guest = await own.create(tinyGuest("guest", { devices: tpm("tpm-tis", "1.2") }));
	assert.ok(existsSync(own.path("lib/swtpm", guest.uuid, "tpm1.2")));
	await own.run("destroy", guest);
	assert.deepEqual(readdirSync(own.path("lib/swtpm")), []);
	const kept = tpm("tpm-crb", "2.0").replace("type='emulator'", "type='emulator' persistent_state='yes'");
	const other = await own.create(tinyGuest("other", { devices: kept }));
	await own.run("destroy", other);
	assert.deepEqual(readdirSync(own.path("lib/swtpm")), [other.uuid]);
});

test("the banks of registers are those that the definition names, at each start", async () => {
	await using own = await TestDriver.start(SETTINGS);
	const banks = "<active_pcr_banks><sha1/><sha512/></active_pcr_banks>";
	await own.create(tinyGuest("guest", { devices: tpm("tpm-crb", "2.0", banks) }));
	assert.match(readFileSync(own.path("log/qemu/guest-swtpm.log"), "utf8"), /activated PCR banks sha1,sha512 among/);
});

test("a passphrase that the host does not have is asked for by its UUID, and nothing is started", async () => {
	await using own = await TestDriver.start(SETTINGS);
	const secret = "<encryption secret='7a1e5b6c-0000-4000-8000-3d2b1c0a9f8e'/>";
	await assert.rejects(
		own.create(tinyGuest("guest", { devices: tpm("tpm-crb", "2.0", secret) })),
		isVirtError("NO_SECRET", "no secret with matching uuid '7a1e5b6c-0000-4000-8000-3d2b1c0a9f8e'"),
	);
	assert.deepEqual(own.processes, []);
	assert.ok(!existsSync(own.path("lib/swtpm")) || readdirSync(own.path("lib/swtpm")).length === 0);
});

test("a saved guest goes on with its TPM", async () => {
	await using own = await TestDriver.start(SETTINGS);
	const guest = await own.define(tinyGuest("guest", { devices: tpm("tpm-crb", "2.0") }));
	await own.run("start", guest);
	await own.run("managedSave", guest);
	assert.deepEqual(helpersOf(own.root), []);
	await own.run("start", guest);
	assert.deepEqual(helpersOf(own.root), ["swtpm"]);
	assert.match(await monitor(own, guest, "info tpm"), /model=tpm-crb/);
});

test("a start that fails after its helpers leaves none of them", async () => {
	await using own = await TestDriver.start(SETTINGS);
	const xml = tinyGuest("guest", { devices: tpm("tpm-crb", "2.0") })
		.replace("<domain ", "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' ")
		.replace("</domain>", "<qemu:commandline><qemu:arg value='-nonsense'/></qemu:commandline></domain>");
	await assert.rejects(own.create(xml), isVirtError("INTERNAL_ERROR", "-nonsense: invalid option"));
	assert.deepEqual(own.processes, []);
	assert.deepEqual(helpersOf(own.root), []);
	assert.deepEqual(readdirSync(own.path("lib/swtpm")), []);
});

/** A folder at the head of PATH, with a program of that name in it. */
function fakeProgram(own: TestDriver, name: string, script: string): Disposable {
	const folder = own.path("bin");
	mkdirSync(folder);
	writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
	chmodSync(join(folder, name), 0o755);
	const path = process.env.PATH;
	process.env.PATH = `${folder}:${path}`;
	return { [Symbol.dispose]: () => void (process.env.PATH = path) };
}

test("what a helper says that fails is the error of the start", async () => {
	await using own = await TestDriver.start(SETTINGS);
	using _swtpm = fakeProgram(
		own,
		"swtpm",
		'case "$*" in *--terminate*) echo the state is locked >&2; exit 1;; esac; exec /usr/bin/swtpm "$@"',
	);
	await assert.rejects(
		own.create(tinyGuest("guest", { devices: tpm("tpm-crb", "2.0") })),
		isVirtError("OPERATION_FAILED", "swtpm died and reported: the state is locked"),
	);
	assert.deepEqual(own.processes, []);
});

test("a state that could not be made whole is not there for the next start", async () => {
	await using own = await TestDriver.start(SETTINGS);
	{
		// It answers what it can do as the true one does.
		const script = 'case "$*" in --print*) exec /usr/bin/swtpm_setup "$@";; esac; exit 7';
		using _setup = fakeProgram(own, "swtpm_setup", script);
		await assert.rejects(
			own.create(tinyGuest("guest", { devices: tpm("tpm-crb", "2.0") })),
			isVirtError("INTERNAL_ERROR", "exitstatus: 7"),
		);
	}
	assert.deepEqual(readdirSync(own.path("lib/swtpm")), []);
	assert.deepEqual(helpersOf(own.root), []);
});

test("helpers outlive a daemon that is killed, and end with the guest under the next one", async () => {
	using folder = temporaryFolder("virtkit-helpers-");
	try {
		{
			await using driver = await KillableDriver.start(folder.path, CAPABILITIES_CACHE, SETTINGS);
			await driver.run({ do: "create", xml: tinyGuest("guest", { devices: tpm("tpm-crb", "2.0") }) });
			await driver.run({ do: "create", xml: tinyGuest("gone", { devices: tpm("tpm-crb", "2.0") }) });
			await driver.kill();
		}
		assert.deepEqual(helpersOf(folder.path), ["swtpm", "swtpm"]);
		// One guest ends while no daemon is there to see it; its helper is stopped so that it cannot end by itself.
		const helpers = findHelpers(join(folder.path, "lib/qemu/domain-2-gone")).values();
		const [helper] = [...helpers].flat();
		process.kill(helper?.process.pid ?? 0, "SIGSTOP");
		killProcesses(join(folder.path, "lib/qemu/domain-2-gone/master-key"));
		await using driver = await KillableDriver.start(folder.path, CAPABILITIES_CACHE, SETTINGS);
		await until(async () => (await driver.list()).length === 1, "that the ended guest is forgotten");
		assert.deepEqual(helpersOf(folder.path), ["swtpm"]);
		await driver.run({ do: "destroy", name: "guest" });
		assert.deepEqual(helpersOf(folder.path), []);
	} finally {
		killProcesses(join(folder.path, "lib/qemu/domain-"));
		for (const { process: left } of [...findHelpers(folder.path).values()].flat()) process.kill(left.pid, "SIGKILL");
	}
});
