// The ways by which a guest's state travels: TCP at a named address and port, UNIX sockets, TLS, tunnels; and what is said where there is none.

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { connect } from "@virtkit/client/sdk/connection";
import { findProcesses } from "@virtkit/host/process";
import { makeCertificates } from "@virtkit/testing/certificates";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import type { LibvirtClients } from "@virtkit/testing/libvirt-clients";
import { type Oracle, startLibvirtd } from "@virtkit/testing/oracle";
import { tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";

const certificates = temporaryFolder("vk-tls-");
let source: TestDaemon;
let target: TestDaemon;
let libvirtd: Oracle;

before(async () => {
	chmodSync(certificates.path, 0o755);
	makeCertificates(certificates.file("good"), "IP:127.0.0.1,DNS:over.there");
	[source, target, libvirtd] = await Promise.all([
		startDaemon(),
		startDaemon(),
		startLibvirtd({ qemuConf: [`migrate_tls_x509_cert_dir = "${certificates.file("good")}"`] }),
	]);
});

after(async () => {
	await source[Symbol.asyncDispose]();
	await target[Symbol.asyncDispose]();
	await libvirtd[Symbol.asyncDispose]();
	certificates[Symbol.dispose]();
});

const migrate = (name: string, to: LibvirtClients, ...options: string[]): Promise<string> =>
	source.virsh("migrate", name, to.uri, "--live", ...options);

const startGuest = (name: string, on: LibvirtClients = source): Promise<string> =>
	on.virshWith(tinyGuest(name), "create");

const running = async (host: LibvirtClients, name: string): Promise<boolean> =>
	/^running/.test(await host.virsh("domstate", name).catch(() => "gone"));

/** A path where guests may make sockets, whoever they run as. */
function exchange(name: string): string {
	const folder = target.file("exchange");
	mkdirSync(folder, { recursive: true });
	chmodSync(folder, 0o777);
	return `${folder}/${name}`;
}

/** Settings from the daemons' next start on. */
async function configure(daemons: readonly TestDaemon[], ...lines: string[]): Promise<void> {
	for (const daemon of daemons) {
		await daemon.stop();
		writeFileSync(daemon.file("etc/qemu.conf"), `${lines.join("\n")}\n`);
		await daemon.start();
	}
}

test("a guest travels through a UNIX socket, over one connection or several, and the socket is gone afterwards", async () => {
	const path = exchange("guest.sock");
	for (const options of [[], ["--parallel"]]) {
		await startGuest("local");
		await migrate("local", target, "--migrateuri", `unix://${path}`, ...options);
		assert.ok(await running(target, "local"));
		assert.equal(existsSync(path), false);
		await target.virsh("destroy", "local");
	}
});

test("a URI of another kind, or of none, is refused by its name; the guest runs on", async () => {
	await startGuest("lost");
	const refusals: readonly (readonly [RegExp, string])[] = [
		[/unsupported scheme ftp in migration URI/, "ftp://127.0.0.1"],
		[/unsupported scheme rdma in migration URI/, "rdma://127.0.0.1"],
		[/missing scheme in migration URI: 127\.0\.0\.1/, "127.0.0.1"],
	];
	for (const [why, uri] of refusals) await assert.rejects(migrate("lost", target, "--migrateuri", uri), why);
	assert.ok(await running(source, "lost"));
	await source.virsh("destroy", "lost");
});

test("a guest travels through the connection of the two daemons, to virtkit, to libvirtd and back", async () => {
	const tunnelled = ["--p2p", "--tunnelled"];
	await startGuest("dug");
	await assert.rejects(
		migrate("dug", target, ...tunnelled, "--migrateuri", "tcp://127.0.0.1"),
		/migration URI is not supported by tunnelled migration/,
	);
	await migrate("dug", target, ...tunnelled);
	assert.ok(await running(target, "dug"));
	await assert.rejects(source.virsh("domstate", "dug"));
	await target.virsh("migrate", "dug", libvirtd.uri, "--live", ...tunnelled);
	assert.ok(await running(libvirtd, "dug"));
	await libvirtd.virsh("migrate", "dug", source.uri, "--live", ...tunnelled);
	assert.ok(await running(source, "dug"));
	await source.virsh("destroy", "dug");
});

test("a tunnel whose far end loses its QEMU, and one that is aborted, leave the guest running", async () => {
	await source.virshWith(tinyGuest("buried").replace(">32<", ">512<"), "create");
	const begin = async () => {
		const ended = migrate("buried", target, "--p2p", "--tunnelled", "--bandwidth", "1").catch(
			(error: unknown) => error,
		);
		await until(
			async () => (await source.virsh("domjobinfo", "buried")).includes("Outgoing migration"),
			"the migration",
		);
		return { ended };
	};
	const killed = await begin();
	for (const { pid } of findProcesses(`${target.root}/lib/qemu/domain-`)) process.kill(pid, "SIGKILL");
	assert.ok((await killed.ended) instanceof Error);
	assert.ok(await running(source, "buried"));
	const aborted = await begin();
	await source.virsh("domjobabort", "buried");
	assert.match(String(await aborted.ended), /canceled by client/);
	assert.ok(await running(source, "buried"));
	await until(() => findProcesses(`${target.root}/lib/qemu/domain-`).length === 0, "that nothing waits over there");
	await source.virsh("destroy", "buried");
});

test("a client without typed parameters leads a migration too", async () => {
	await startGuest("plain");
	await using here = await connect(source.uri);
	await using there = await connect(target.uri);
	const domain = await here.domains.get("plain");
	const common = { flags: 1n, dname: "simple", resource: 0n };
	const { cookieOut, xml } = await domain.call("DOMAIN_MIGRATE_BEGIN3", { xmlin: null, ...common });
	const prepared = await there.rpc.call("DOMAIN_MIGRATE_PREPARE3", {
		cookieIn: cookieOut,
		uriIn: "tcp:127.0.0.1",
		domXml: xml,
		...common,
	});
	const uri = prepared.uriOut;
	const performed = await domain.call("DOMAIN_MIGRATE_PERFORM3", {
		xmlin: null,
		cookieIn: prepared.cookieOut,
		dconnuri: null,
		uri,
		...common,
	});
	const cookieIn = performed.cookieOut;
	await there.rpc.call("DOMAIN_MIGRATE_FINISH3", {
		dname: "simple",
		cookieIn,
		dconnuri: null,
		uri,
		flags: 1n,
		cancelled: 0,
	});
	await domain.call("DOMAIN_MIGRATE_CONFIRM3", { cookieIn: new Uint8Array(), flags: 1n, cancelled: 0 });
	assert.ok(await running(target, "simple"));
	await assert.rejects(source.virsh("domstate", "plain"));
	await target.virsh("destroy", "simple");
});

test("QEMU listens where it is told, and a range of ports that are all taken is said to be", async () => {
	const server = createServer().listen(0, "127.0.0.1");
	try {
		await new Promise((resolve) => server.once("listening", resolve));
		const { port } = server.address() as { port: number };
		await configure([target], `migration_port_min = ${port}`, `migration_port_max = ${port}`);
		await startGuest("late");
		// A range of one port is a named one: QEMU says that it is taken, or we do.
		await assert.rejects(
			migrate("late", target, "--listen-address", "127.0.0.1", "--migrateuri", "tcp://127.0.0.1"),
			/unused port|Address already in use/,
		);
		assert.ok(await running(source, "late"));
		server.close();
		await new Promise((resolve) => server.once("close", resolve));
		await migrate("late", target, "--listen-address", "127.0.0.1", "--migrateuri", "tcp://127.0.0.1");
		assert.ok(await running(target, "late"));
		await target.virsh("destroy", "late");
	} finally {
		server.close();
		await configure([target]);
	}
});

test("a guest travels encrypted where both sides have certificates, to virtkit, to libvirtd and back", async () => {
	await configure([source, target], `migrate_tls_x509_cert_dir = "${certificates.file("good")}"`);
	const encrypted = ["--tls", "--migrateuri", "tcp://127.0.0.1"];
	await startGuest("secret");
	await migrate("secret", target, ...encrypted);
	assert.ok(await running(target, "secret"));
	assert.match(
		await target.virsh("qemu-monitor-command", "secret", '{"execute":"query-migrate-parameters"}'),
		/"tls-creds": ?""/,
	);
	await target.virsh("destroy", "secret");
	await startGuest("secret");
	await migrate("secret", libvirtd, ...encrypted);
	assert.ok(await running(libvirtd, "secret"));
	await libvirtd.virsh("migrate", "secret", source.uri, "--live", ...encrypted);
	assert.ok(await running(source, "secret"));
	await migrate("secret", target, ...encrypted, "--parallel", "--tls-destination", "over.there");
	assert.ok(await running(target, "secret"));
	await target.virsh("destroy", "secret");
});

test("where names or certificates do not fit, the guest runs on and nothing stays in QEMU", async () => {
	await startGuest("careful");
	const uri = ["--migrateuri", "tcp://127.0.0.1"];
	await assert.rejects(
		migrate("careful", target, "--tls", "--tls-destination", "elsewhere", ...uri),
		/certificate|TLS/,
	);
	const path = `unix://${exchange("careful.sock")}`;
	await assert.rejects(migrate("careful", target, "--tls", "--migrateuri", path), /Explicit destination hostname/);
	assert.ok(await running(source, "careful"));
	await configure(
		[source, target],
		`migrate_tls_x509_cert_dir = "${certificates.file("none")}"`,
		"migrate_tls_force = 1",
	);
	await assert.rejects(migrate("careful", target, ...uri), /only with VIR_MIGRATE_TLS/);
	await assert.rejects(migrate("careful", target, "--tls", ...uri), /Unable to access credentials/);
	assert.ok(await running(source, "careful"));
	await configure([source, target]);
	await migrate("careful", target, ...uri);
	assert.ok(await running(target, "careful"));
	await target.virsh("destroy", "careful");
});
