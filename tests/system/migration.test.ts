// Live migration between two daemons of one machine, led by real virsh: the guest goes on at one of them, never at both.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { RpcClient } from "@virtkit/client/rpc-client";
import { connect } from "@virtkit/client/sdk/connection";
import { openTransport } from "@virtkit/client/transport";
import { parseConnectionUri } from "@virtkit/client/uri";
import { findProcesses } from "@virtkit/host/process";
import type { TestDaemon } from "@virtkit/testing/daemon";
import { guestCount, startDaemonPair, stateOf } from "@virtkit/testing/daemon-pair";
import { tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { outputOf } from "@virtkit/testing/run";

const CLI = fileURLToPath(new URL("../../apps/cli/main.ts", import.meta.url));

const [source, target] = await startDaemonPair();

const migrate = (name: string, ...options: string[]): Promise<string> =>
	source.virsh("migrate", name, target.uri, "--migrateuri", "tcp://127.0.0.1", ...options);

async function startGuest(name: string, memory = 32): Promise<void> {
	const file = source.file(`${name}.xml`);
	writeFileSync(file, tinyGuest(name).replace(">32<", `>${memory}<`));
	await source.virsh("define", file);
	await source.virsh("start", name);
}

test("virsh migrate --live moves a running guest and leaves it shut off where it was", async () => {
	await startGuest("moved");
	await migrate("moved", "--live");
	assert.equal(await stateOf(target, "moved"), "running (migrated)");
	assert.equal(await stateOf(source, "moved"), "shut off (migrated)");
	assert.deepEqual([guestCount(source), guestCount(target)], [0, 1]);
	await target.virsh("destroy", "moved");
	assert.equal(guestCount(target), 0);
});

test("a paused guest arrives paused, under another name, stored there and forgotten here", async () => {
	await startGuest("paused");
	await source.virsh("suspend", "paused");
	await migrate("paused", "--persistent", "--undefinesource", "--dname", "renamed");
	assert.match(await stateOf(target, "renamed"), /^paused/);
	await assert.rejects(source.virsh("domstate", "paused"));
	await target.virsh("destroy", "renamed");
	assert.equal(await stateOf(target, "renamed"), "shut off (destroyed)");
	await target.virsh("undefine", "renamed");
	assert.deepEqual([guestCount(source), guestCount(target)], [0, 0]);
});

test("a guest whose destination refuses it, or whose link is none, runs on; nothing is left over there", async () => {
	await startGuest("stays");
	await assert.rejects(source.virsh("migrate", "stays", target.uri, "--live", "--migrateuri", "tcp://127.0.0.1:1"));
	assert.match(await stateOf(source, "stays"), /^running/);
	await until(() => guestCount(target) === 0, "that nothing waits for the guest any more");
	await assert.rejects(target.virsh("domstate", "stays"));
	await source.virsh("suspend", "stays");
	await source.virsh("resume", "stays");
	await source.virsh("destroy", "stays");
});

test("a daemon killed while it sends keeps the guest: it runs on here when the daemon is back, and is gone over there", async () => {
	// At 1 MiB a second even the marks of that many empty pages take a while.
	await startGuest("kept", 1024);
	const migration = migrate("kept", "--live", "--bandwidth", "1").catch((error: unknown) => error);
	await until(async () => (await source.virsh("domjobinfo", "kept")).includes("Outgoing migration"), "the migration");
	await source.stop("SIGKILL");
	assert.ok((await migration) instanceof Error);
	await source.start();
	await until(async () => (await stateOf(source, "kept")).startsWith("running"), "that the guest runs here");
	await until(() => guestCount(target) === 0, "that nothing is left over there");
	await source.virsh("destroy", "kept");
});

/** The status files of a daemon's guests. */
const statusFiles = ({ root }: TestDaemon): string[] =>
	readdirSync(root, { recursive: true, encoding: "utf8" })
		.filter((path) => /run.*\/qemu\/[^/]+\.xml$/.test(path))
		.map((path) => `${root}/${path}`);

/** Whether the status file of a guest of the daemon says that it runs. */
function toldRunning(daemon: TestDaemon): boolean {
	return statusFiles(daemon).some((path) => {
		try {
			return /state=["']running["']/.test(readFileSync(path, "utf8"));
		} catch {
			return false;
		}
	});
}

test("a destination killed as it lets the guest run leaves exactly one copy running, whoever heard of what", async () => {
	await startGuest("torn");
	const migration = migrate("torn", "--live").catch((error: unknown) => error);
	await until(() => toldRunning(target), "that the guest is let go");
	await target.stop("SIGKILL");
	const moved = !((await migration) instanceof Error);
	await target.start();
	const here = await stateOf(source, "torn");
	let there = await stateOf(target, "torn").catch(() => "gone");
	if (there === "paused (migrating)") {
		// The answer was on its way: nobody over there can know whether it was heard, and it waits for one who does.
		await target.virsh(moved ? "resume" : "destroy", "torn");
		there = await stateOf(target, "torn").catch(() => "gone");
	}
	assert.deepEqual(
		[/^running/.test(here), /^running/.test(there)],
		moved ? [false, true] : [true, false],
		`${here}, ${there}`,
	);
	assert.deepEqual([guestCount(source), guestCount(target)], moved ? [0, 1] : [1, 0]);
	await (moved ? target : source).virsh("destroy", "torn");
});

test("a destination that told nobody that the guest arrived ends it when its daemon is back", async () => {
	await startGuest("unheard");
	await migrate("unheard", "--live");
	const file = statusFiles(target).find((path) => path.endsWith("/unheard.xml")) ?? "";
	await until(() => !readFileSync(file, "utf8").includes("moving="), "that the arrival is settled");
	await target.stop("SIGKILL");
	// As Finish leaves it when its daemon is killed between QEMU's `cont` and the answer.
	writeFileSync(file, readFileSync(file, "utf8").replace("<domstatus ", "<domstatus moving='arriving' "));
	await target.start();
	await assert.rejects(target.virsh("domstate", "unheard"));
	assert.equal(guestCount(target), 0);
});

/** Sends a guest to somebody who only reads, by a client that goes away without telling how it ended. */
async function sendAndLeave(name: string): Promise<void> {
	const reader = createServer((socket) => void socket.resume().on("error", () => undefined)).listen(0, "127.0.0.1");
	await once(reader, "listening");
	const { port } = reader.address() as AddressInfo;
	try {
		await using connection = await connect(source.uri);
		const domain = await connection.domains.get(name);
		const params = [{ field: "migrate_uri", value: { type: 7 as const, value: `tcp:127.0.0.1:${port}` } }];
		const request = { dconnuri: null, params, cookieIn: new Uint8Array(), flags: 1 };
		await domain.call("DOMAIN_MIGRATE_PERFORM3_PARAMS", request);
	} finally {
		reader.close();
	}
}

/** Tells the source how the migration ended, by a client of its own. */
async function confirm(name: string, cancelled: boolean): Promise<void> {
	await using connection = await connect(source.uri);
	const request = { cookieIn: new Uint8Array(), params: [], flags: 1, cancelled: Number(cancelled) };
	await (await connection.domains.get(name)).call("DOMAIN_MIGRATE_CONFIRM3_PARAMS", request);
}

test("a guest that was sent and whose client went away is resumed by nobody until any client confirms", async () => {
	await startGuest("sent");
	await sendAndLeave("sent");
	assert.equal(await stateOf(source, "sent"), "paused (migrating)");
	await assert.rejects(source.virsh("resume", "sent"), /sent to another host and may run there/);
	await source.stop("SIGKILL");
	await source.start();
	await assert.rejects(source.virsh("resume", "sent"), /sent to another host and may run there/);
	assert.equal(await stateOf(source, "sent"), "paused (migrating)");
	const command = (...options: string[]) =>
		outputOf(process.execPath, [CLI, "-c", source.uri, "migrate-confirm", "sent", ...options]);
	await assert.rejects(command(), /one of --arrived and --cancelled is needed/);
	await command("--cancelled");
	assert.match(await stateOf(source, "sent"), /^running/);
	await assert.rejects(confirm("sent", true), /not being migrated/);
	await sendAndLeave("sent");
	await command("--arrived");
	assert.equal(await stateOf(source, "sent"), "shut off (migrated)");
	assert.equal(guestCount(source), 0);
});

test("--persistent stores what the source has stored, which is not what runs, and --persistent-xml what is told", async () => {
	await startGuest("stored");
	await source.virsh("desc", "stored", "--config", "kept for the next start");
	await migrate("stored", "--live", "--persistent", "--undefinesource", "--dname", "stored-there");
	assert.match(await target.virsh("dumpxml", "stored-there", "--inactive"), /kept for the next start/);
	assert.doesNotMatch(await target.virsh("dumpxml", "stored-there"), /kept for the next start/);
	await target.virsh("destroy", "stored-there");
	await target.virsh("undefine", "stored-there");
	await startGuest("told");
	const file = source.file("told-there.xml");
	writeFileSync(file, tinyGuest("told").replace("</name>", "</name><title>as told</title>"));
	await migrate("told", "--live", "--persistent", "--persistent-xml", file, "--undefinesource");
	assert.match(await target.virsh("dumpxml", "told", "--inactive"), /<title>as told</);
	await target.virsh("destroy", "told");
	await target.virsh("undefine", "told");
});

test("a destination whose QEMU dies while the guest is sent tells why; the guest runs on, as fast a send as before", async () => {
	await startGuest("cut", 1024);
	const ask = () => source.virsh("qemu-monitor-command", "cut", '{"execute":"query-migrate-parameters"}');
	const bandwidth = async () => /"max-bandwidth":\s*(\d+)/.exec(await ask())?.[1];
	const before = await bandwidth();
	const migration = migrate("cut", "--live", "--bandwidth", "1").catch((error: unknown) => error);
	await until(async () => (await source.virsh("domjobinfo", "cut")).includes("Outgoing migration"), "the migration");
	for (const { pid } of findProcesses(`${target.root}/lib/qemu/domain-`)) process.kill(pid, "SIGKILL");
	assert.match(String(await migration), /qemu unexpectedly closed the monitor|process exited while/);
	assert.match(await stateOf(source, "cut"), /^running/);
	assert.equal(await bandwidth(), before);
	await assert.rejects(target.virsh("domstate", "cut"));
	await source.virsh("destroy", "cut");
});

test("a guest that is suspended while it is sent runs on where that fails", async () => {
	await startGuest("held", 1024);
	const migration = migrate("held", "--live", "--bandwidth", "1").catch((error: unknown) => error);
	await until(async () => (await source.virsh("domjobinfo", "held")).includes("Outgoing migration"), "the migration");
	await source.virsh("suspend", "held");
	assert.equal(await stateOf(source, "held"), "paused (migrating)");
	await source.virsh("domjobabort", "held");
	assert.ok((await migration) instanceof Error);
	assert.match(await stateOf(source, "held"), /^running/);
	await until(() => guestCount(target) === 0, "that nothing is left over there");
	await source.virsh("destroy", "held");
});

test("a guest of whose arrival its client cannot be told ends where it arrived; what was stored there still is", async () => {
	await startGuest("untold");
	const stored = target.file("untold.xml");
	const titled = await source.virsh("dumpxml", "untold", "--inactive");
	writeFileSync(stored, titled.replace("</name>", "</name><title>as before</title>"));
	await target.virsh("define", stored);
	await using here = await connect(source.uri);
	const socket = await openTransport(parseConnectionUri(target.uri), { readOnly: false });
	const there = new RpcClient(socket);
	await there.call("AUTH_LIST");
	await there.call("CONNECT_OPEN", { name: "qemu:///system", flags: 0 });
	const domain = await here.domains.get("untold");
	const text = (field: string, value: string) => ({ field, value: { type: 7 as const, value } });
	const { cookieOut, xml } = await domain.call("DOMAIN_MIGRATE_BEGIN3_PARAMS", { params: [], flags: 1 });
	const params = [
		text("destination_xml", xml),
		text("destination_name", "untold"),
		text("migrate_uri", "tcp://127.0.0.1"),
	];
	const prepared = await there.call("DOMAIN_MIGRATE_PREPARE3_PARAMS", { params, cookieIn: cookieOut, flags: 1 });
	const sent = await domain.call("DOMAIN_MIGRATE_PERFORM3_PARAMS", {
		dconnuri: null,
		params: [text("migrate_uri", prepared.uriOut ?? "")],
		cookieIn: prepared.cookieOut,
		flags: 1,
	});
	// The daemon sees the call and that its caller is gone in one look.
	process.kill(target.pid, "SIGSTOP");
	const call = { params, cookieIn: sent.cookieOut, flags: 1 | 8, cancelled: 0 };
	const finish = there.call("DOMAIN_MIGRATE_FINISH3_PARAMS", call).catch((error: unknown) => error);
	await setImmediate();
	socket.destroy();
	process.kill(target.pid, "SIGCONT");
	assert.ok((await finish) instanceof Error);
	await until(() => guestCount(target) === 0, "that the guest ends over there");
	await until(
		async () => /as before/.test(await target.virsh("dumpxml", "untold")),
		"that what was stored is put back",
	);
	await target.stop();
	await target.start();
	assert.match(await target.virsh("dumpxml", "untold"), /<title>as before</);
	await target.virsh("undefine", "untold");
	await confirm("untold", true);
	assert.match(await stateOf(source, "untold"), /^running/);
	await source.virsh("destroy", "untold");
});

test("virsh migrate --offline moves a definition, under another name, and forgets it here; nothing runs", async () => {
	const file = source.file("offline.xml");
	writeFileSync(file, tinyGuest("offline"));
	await source.virsh("define", file);
	await assert.rejects(migrate("offline", "--offline"), /offline migration must be specified with the persistent flag/);
	await assert.rejects(migrate("offline", "--live"), /domain is not running/);
	await migrate("offline", "--offline", "--persistent", "--undefinesource", "--dname", "there");
	assert.equal(await stateOf(target, "there"), "shut off (unknown)");
	await assert.rejects(source.virsh("domstate", "offline"), /failed to get domain/);
	await source.virsh("define", file);
	await target.virsh("undefine", "there");
	const peer = ["migrate", "offline", target.uri, "--p2p", "--offline", "--persistent"];
	await source.virsh(...peer);
	assert.equal(await stateOf(target, "offline"), "shut off (unknown)");
	assert.equal(await stateOf(source, "offline"), "shut off (unknown)");
	assert.deepEqual([guestCount(source), guestCount(target)], [0, 0]);
	for (const daemon of [source, target]) await daemon.virsh("undefine", "offline");
});
