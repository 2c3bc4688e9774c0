// How migrations are tuned: compression, several connections, auto-converge, speed and downtime, set beforehand, meanwhile and put back.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import type { TestDaemon } from "@virtkit/testing/daemon";
import { startDaemonPair } from "@virtkit/testing/daemon-pair";
import { tinyGuest, until } from "@virtkit/testing/qemu-driver";

const [source, target] = await startDaemonPair();

const migrate = (name: string, ...options: string[]): Promise<string> =>
	source.virsh("migrate", name, target.uri, "--live", "--migrateuri", "tcp://127.0.0.1", ...options);

async function startGuest(name: string, memory = 32): Promise<void> {
	const file = source.file(`${name}.xml`);
	writeFileSync(file, tinyGuest(name).replace(">32<", `>${memory}<`));
	await source.virsh("create", file);
}

const ask = async (daemon: TestDaemon, name: string, command: string): Promise<unknown> =>
	JSON.parse(await daemon.virsh("qemu-monitor-command", name, JSON.stringify({ execute: command }))).return;

/** Everything that a migration may change in a QEMU. */
const settingsOf = async (daemon: TestDaemon, name: string): Promise<unknown> => ({
	capabilities: ((await ask(daemon, name, "query-migrate-capabilities")) as { capability: string; state: boolean }[])
		.filter(({ state }) => state)
		.map(({ capability }) => capability)
		.filter((capability) => capability !== "events"),
	parameters: await ask(daemon, name, "query-migrate-parameters"),
});

const WAYS: readonly (readonly string[])[] = [
	["--compressed"],
	["--comp-methods", "mt", "--comp-mt-level", "1", "--comp-mt-threads", "2", "--comp-mt-dthreads", "1"],
	["--comp-methods", "xbzrle", "--comp-xbzrle-cache", "1048576"],
	["--auto-converge", "--auto-converge-initial", "30", "--auto-converge-increment", "15"],
	["--parallel", "--parallel-connections", "3"],
	["--parallel", "--comp-methods", "zlib"],
	["--bandwidth", "500", "--abort-on-error", "--change-protection"],
];

test("each way of tuning a migration moves the guest, and leaves QEMU over there as it was started", async () => {
	await startGuest("plain");
	const fresh = await settingsOf(source, "plain");
	await source.virsh("destroy", "plain");
	for (const options of WAYS) {
		await startGuest("tuned");
		await migrate("tuned", ...options);
		assert.deepEqual(await settingsOf(target, "tuned"), fresh, options.join(" "));
		assert.match(await target.virsh("domstate", "tuned"), /running/);
		await target.virsh("destroy", "tuned");
	}
});

test("a tuned migration that is aborted leaves the guest's QEMU as it was", async () => {
	await startGuest("kept", 1024);
	await source.virsh("migrate-setmaxdowntime", "kept", "77");
	const before = await settingsOf(source, "kept");
	const migration = migrate("kept", "--bandwidth", "1", "--compressed", "--auto-converge").catch(
		(error: unknown) => error,
	);
	await until(async () => (await source.virsh("domjobinfo", "kept")).includes("Outgoing migration"), "the migration");
	await source.virsh("domjobabort", "kept");
	assert.match(String(await migration), /canceled by client/);
	assert.deepEqual(await settingsOf(source, "kept"), before);
	await source.virsh("destroy", "kept");
});

test("parameters that do not go with the flags are refused before anything is begun", async () => {
	await startGuest("refused");
	const refusals: readonly (readonly [RegExp, ...string[]])[] = [
		[/Turn auto convergence on to tune it/, "--auto-converge-initial", "10"],
		[/Turn parallel migration on to tune it/, "--parallel-connections", "2"],
		[/Turn multithread compression on to tune it/, "--comp-mt-level", "2"],
		[/Turn xbzrle compression on to tune it/, "--comp-xbzrle-cache", "65536"],
		[/Unsupported compression method 'rle'/, "--comp-methods", "rle"],
		[/Compression method 'mt' is specified twice/, "--comp-methods", "mt,mt"],
		[/'zstd' is only supported with parallel migration/, "--comp-methods", "zstd"],
		[/zero-copy is only available for parallel migration/, "--zerocopy"],
	];
	for (const [why, ...options] of refusals) await assert.rejects(migrate("refused", ...options), why);
	assert.match(await source.virsh("domstate", "refused"), /running/);
	await source.virsh("destroy", "refused");
});

test("speed and downtime are told, set beforehand, and changed while the guest is sent", async () => {
	await startGuest("limited", 1024);
	assert.equal((await source.virsh("migrate-getspeed", "limited")).trim(), "8796093022207");
	assert.equal((await source.virsh("migrate-getmaxdowntime", "limited")).trim(), "300");
	await assert.rejects(source.virsh("migrate-setspeed", "limited", "8796093022208"), /bandwidth must be less than/);
	await source.virsh("migrate-setspeed", "limited", "1");
	await source.virsh("migrate-setspeed", "limited", "7", "--postcopy");
	assert.equal((await source.virsh("migrate-getspeed", "limited", "--postcopy")).trim(), "7");
	await source.virsh("migrate-compcache", "limited", "--size", "1048576");
	assert.match(await source.virsh("migrate-compcache", "limited"), /1\.000 MiB/);
	const migration = migrate("limited");
	await until(
		async () => (await source.virsh("domjobinfo", "limited")).includes("Outgoing migration"),
		"that it is sent",
	);
	assert.equal((await source.virsh("migrate-getspeed", "limited")).trim(), "1");
	await source.virsh("migrate-setmaxdowntime", "limited", "2000");
	assert.equal((await source.virsh("migrate-getmaxdowntime", "limited")).trim(), "2000");
	await source.virsh("migrate-setspeed", "limited", "4000");
	await migration;
	assert.match(await target.virsh("domstate", "limited"), /running/);
	await target.virsh("destroy", "limited");
});
