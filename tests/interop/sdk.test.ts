// The SDK against a real daemon with real QEMU guests: every way to connect, definitions as objects, events, streams, errors, loss.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import { type Connection, connect } from "@virtkit/client/sdk/connection";
import type { DomainLiteral } from "@virtkit/client/sdk/definition";
import type { Domain } from "@virtkit/client/sdk/domain";
import type { Event } from "@virtkit/client/sdk/events";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { isVirtError } from "@virtkit/testing/expect-error";
import { until } from "@virtkit/testing/qemu-driver";
import { type TemporaryFolder, temporaryFolder } from "@virtkit/testing/temporary-folder";

const run = promisify(execFile);
let daemon: TestDaemon;
let folder: TemporaryFolder;
let names = 0;

before(async () => {
	folder = temporaryFolder();
	daemon = await startDaemon({ args: ["--tcp", "127.0.0.1:0"] });
});

after(async () => {
	await daemon[Symbol.asyncDispose]();
	folder[Symbol.dispose]();
});

/** A guest that is firmware only, as a TypeScript developer writes it. */
function guest(more: Partial<DomainLiteral> = {}): DomainLiteral {
	return {
		type: "qemu",
		name: `sdk-${++names}`,
		memory: { size: 65536 },
		os: { type: { type: "hvm", machine: "q35" } },
		devices: { serials: [{ type: "pty" }] },
		...more,
	};
}

const open = (options = {}): Promise<Connection> => connect(daemon.uri, options);

/** Ends the guest and forgets it, whatever became of it. */
async function remove(domain: Domain): Promise<void> {
	await domain.destroy().catch(() => undefined);
	await domain.undefine({ nvram: true }).catch(() => undefined);
}

/** What is told until a guest has stopped; that QEMU shuts down at a signal may be told before it. */
async function lifeOf(events: AsyncIterable<Event>): Promise<string[][]> {
	const told: string[][] = [];
	for await (const event of events) {
		if (event.kind !== "lifecycle" || event.event === "shutdown") continue;
		told.push([event.domain.name, event.event, event.detail]);
		if (event.event === "stopped") break;
	}
	return told;
}

/** A program that carries its standard input and output to the daemon's socket. */
function pipeProgram(name: string): string {
	const path = folder.file(name);
	const script = `const s=require("net").connect(${JSON.stringify(daemon.socket)});process.stdin.pipe(s).pipe(process.stdout)`;
	writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' -e '${script}'\n`);
	chmodSync(path, 0o755);
	return path;
}

async function hostnameThrough(uri: string): Promise<string> {
	await using connection = await connect(uri);
	return connection.host.hostname();
}

/** The same in a process of its own, where surroundings can be chosen. */
async function hostnameElsewhere(uri: string, shell: string, env: Readonly<Record<string, string>> = {}) {
	const module = fileURLToPath(new URL("../../packages/client/sdk/connection.ts", import.meta.url));
	const script = `const { connect } = await import(${JSON.stringify(module)});
		const connection = await connect(${JSON.stringify(uri)});
		process.stdout.write(await connection.host.hostname());
		await connection.close();`;
	writeFileSync(folder.file("elsewhere.mjs"), script);
	const words = ["--mount", "sh", "-c", `${shell}; exec '${process.execPath}' '${folder.file("elsewhere.mjs")}'`];
	return (await run("unshare", words, { env: { ...process.env, ...env } })).stdout;
}

const port = (): string => /127\.0\.0\.1:(\d+)/.exec(daemon.log())?.[1] ?? "";

test("every form of URI leads to the daemon", async () => {
	const expected = await hostnameThrough(daemon.uri);
	const pipe = pipeProgram("pipe");
	assert.equal(await hostnameThrough(`qemu+tcp://127.0.0.1:${port()}/system`), expected);
	assert.equal(await hostnameThrough(`qemu+ext:///system?command=${pipe}`), expected);
	assert.equal(await hostnameThrough(`qemu:///system?socket=${daemon.socket}-ro&mode=legacy`), expected);
	const bin = folder.file("bin");
	mkdirSync(bin);
	symlinkSync(pipe, `${bin}/virt-ssh-helper`);
	writeFileSync(folder.file("ssh"), `#!/bin/sh\nfor last; do :; done\nPATH='${bin}':$PATH exec sh -c "$last"\n`);
	chmodSync(folder.file("ssh"), 0o755);
	assert.equal(await hostnameThrough(`qemu+ssh://me@example.org/system?command=${folder.file("ssh")}`), expected);
});

test("qemu:///system and qemu:///session lead to where libvirt's daemons listen", async () => {
	const expected = await hostnameThrough(daemon.uri);
	const runtime = folder.file("runtime");
	mkdirSync(`${runtime}/libvirt`, { recursive: true });
	symlinkSync(daemon.socket, `${runtime}/libvirt/libvirt-sock`);
	const system = `mount -t tmpfs none /run && ln -s '${daemon.root}/run' /run/libvirt`;
	assert.equal(await hostnameElsewhere("qemu:///system", system), expected);
	assert.equal(await hostnameElsewhere("qemu:///session", "true", { XDG_RUNTIME_DIR: runtime }), expected);
});

test("no daemon, a wrong URI and a transport that is not there are typed errors", async () => {
	await assert.rejects(
		connect("qemu+unix:///system?socket=/nonexistent/sock"),
		isVirtError("SYSTEM_ERROR", "/nonexistent/sock"),
	);
	await assert.rejects(connect("not a uri"), isVirtError("INVALID_ARG", "not a uri"));
	await assert.rejects(connect("qemu+tls://example.org/system"), isVirtError("CONFIG_UNSUPPORTED", "tls"));
	await assert.rejects(connect(daemon.uri, { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
});

test("a definition written as an object is completed by the daemon and read back as an object", async () => {
	await using connection = await open();
	const domain = await connection.domains.define(
		guest({
			vcpu: { count: 2 },
			devices: {
				disks: [{ device: "cdrom", target: { dev: "sda", bus: "sata" } }],
				interfaces: [{ type: "user", model: { type: "virtio" } }],
				graphics: [{ type: "vnc", passwd: "secret" }],
			},
		}),
	);
	const { uuid, memory, currentMemory, os, devices } = await domain.definition({ inactive: true, secure: true });
	assert.equal(uuid, domain.uuid);
	assert.deepEqual([memory?.size, currentMemory], [65536, 65536]);
	assert.match(os.type.machine ?? "", /^pc-q35-/);
	assert.equal(devices.disks[0]?.address?.type, "drive");
	assert.match(devices.interfaces[0]?.mac?.address ?? "", /^52:54:00:/);
	assert.ok(devices.controllers.some(({ type, model }) => type === "pci" && model === "pcie-root"));
	assert.equal(devices.memballoon?.model, "virtio");
	const [vnc] = devices.graphics;
	assert.equal(vnc?.type === "vnc" && vnc.passwd, "secret");
	// What came back is itself a definition, which changes nothing.
	const before = await domain.xml({ inactive: true });
	await connection.domains.define(await domain.definition({ inactive: true, secure: true }));
	assert.equal(await domain.xml({ inactive: true }), before);
	await remove(domain);
});

test("words that a definition does not know do not compile, and what the daemon refuses is a typed error", async () => {
	await using connection = await open();
	// @ts-expect-error There is no such bus.
	const wrong = guest({ devices: { disks: [{ target: { dev: "vda", bus: "warp" } }] } });
	await assert.rejects(connection.domains.define(wrong), isVirtError("XML_ERROR", "warp"));
	await assert.rejects(connection.domains.define(guest({ os: {} })), VirtError);
	await assert.rejects(connection.domains.define("<domain"), isVirtError("XML_DETAIL"));
	await assert.rejects(connection.domains.get("nobody"), isVirtError("NO_DOMAIN", "nobody"));
	const domain = await connection.domains.define(guest());
	await assert.rejects(domain.suspend(), isVirtError("OPERATION_INVALID", "not running"));
	await assert.rejects(connection.domains.define(guest({ name: domain.name })), isVirtError("OPERATION_FAILED"));
	await remove(domain);
});

test("a read-only connection looks and does not touch", async () => {
	await using connection = await open({ readOnly: true });
	assert.ok(Array.isArray(await connection.domains.list()));
	await assert.rejects(connection.domains.define(guest()), isVirtError("OPERATION_DENIED"));
});

test("a guest's life is told as events, in order, to whoever listens to all or to it", async () => {
	await using connection = await open();
	const domain = await connection.domains.define(guest());
	await using all = await connection.openEvents({ kinds: ["lifecycle"] });
	await using own = await connection.openEvents({ kinds: ["lifecycle"], domain });
	const other = await connection.domains.define(guest());
	await domain.start({ paused: true });
	await domain.resume();
	await domain.suspend();
	await domain.destroy();
	const life = [
		["started", "booted"],
		["suspended", "paused"],
		["resumed", "unpaused"],
		["suspended", "paused"],
		["stopped", "destroyed"],
	].map((words) => [domain.name, ...words]);
	assert.deepEqual(await lifeOf(own), life);
	assert.deepEqual(await lifeOf(all), [[other.name, "defined", "added"], ...life]);
	await remove(domain);
	await remove(other);
});

test("events() ends with its loop, and deregisters", async () => {
	await using connection = await open();
	const heard: Event[] = [];
	const loop = (async () => {
		for await (const event of connection.events({ kinds: ["lifecycle"] })) {
			heard.push(event);
			if (event.kind === "lifecycle" && event.event === "undefined") break;
		}
	})();
	// The loop has registered once another call, made after it, is answered.
	await connection.domains.list();
	await remove(await connection.domains.define(guest()));
	await loop;
	assert.deepEqual(
		heard.map((event) => event.kind === "lifecycle" && event.event),
		["defined", "undefined"],
	);
});

test("a console is a duplex stream, a screenshot a readable one", async () => {
	await using connection = await open();
	const domain = await connection.domains.create(
		guest({ devices: { serials: [{ type: "pty" }], videos: [{ model: { type: "vga" } }] } }),
		{ autodestroy: true },
	);
	const console = await domain.openConsole(null, { force: true });
	await assert.rejects(domain.openConsole(), isVirtError("OPERATION_FAILED"));
	console.end();
	console.destroy();
	const { mime, image } = await domain.screenshot();
	const parts: Buffer[] = [];
	for await (const part of image) parts.push(part as Buffer);
	const picture = Buffer.concat(parts);
	assert.match(mime, /^image\//);
	assert.ok(picture.length > 1000, `${picture.length} bytes`);
	await domain.destroy();
});

test("a guest started with autodestroy ends with its connection", async () => {
	const domain = await (async () => {
		await using connection = await open();
		return await connection.domains.create(guest(), { paused: true, autodestroy: true });
	})();
	await using connection = await open();
	const isThere = () =>
		connection.domains.get(domain.uuid).then(
			() => true,
			(error: VirtError) => error.code !== "NO_DOMAIN",
		);
	await until(async () => !(await isThere()), "the guest to be gone");
});

test("a disk is copied with its progress, and the guest goes on with the copy", async () => {
	await using connection = await open();
	const image = folder.file("disk.raw");
	// Guests run as another user.
	chmodSync(folder.path, 0o755);
	writeFileSync(image, Buffer.alloc(1 << 20, 7));
	const disks = [
		{ type: "file", source: { file: image }, driver: { type: "raw" }, target: { dev: "vda", bus: "virtio" } },
	] as const;
	const domain = await connection.domains.create(guest({ devices: { disks } }), { paused: true });
	const disk = domain.disk("vda");
	assert.equal(await disk.job(), undefined);
	const copy = folder.file("copy.raw");
	await disk.copy(`<disk type='file'><driver type='raw'/><source file='${copy}'/></disk>`, { bandwidth: 1n << 30n });
	let last: unknown;
	for await (const { type, cur, end } of disk.progress()) last = { type, done: cur === end };
	assert.deepEqual(last, { type: "copy", done: true });
	await assert.rejects(disk.pull(), isVirtError("BLOCK_COPY_ACTIVE"));
	await disk.pivot();
	assert.equal((await domain.definition()).devices.disks[0]?.source?.file, copy);
	await assert.rejects(disk.commit({ active: true }), isVirtError("INVALID_ARG"));
	await disk.resize(2n << 20n);
	await domain.destroy();
	assert.ok(
		readFileSync(copy)
			.subarray(0, 1 << 20)
			.equals(readFileSync(image)),
	);
});

test("a disk is backed up, all of it and what changed since", async () => {
	await using connection = await open();
	chmodSync(folder.path, 0o755);
	const image = folder.file("backed-up.qcow2");
	await run("qemu-img", ["create", "-q", "-f", "qcow2", image, "1M"]);
	const disk = {
		type: "file" as const,
		driver: { type: "qcow2" as const },
		source: { file: image },
		target: { dev: "vda", bus: "virtio" as const },
	};
	const domain = await connection.domains.define(guest({ devices: { disks: [disk] } }));
	await domain.start({ paused: true });
	await using events = await connection.openEvents({ kinds: ["job-completed"] });
	const target = (name: string) =>
		`<disks><disk name='vda' type='file'><target file='${folder.file(name)}'/></disk></disks>`;
	const checkpoint = "<domaincheckpoint><name>one</name></domaincheckpoint>";
	await domain.beginBackup(`<domainbackup>${target("full")}</domainbackup>`, { checkpoint });
	const ended = (await events.next()).value as { parameters: Record<string, unknown> } | undefined;
	assert.equal(ended?.parameters.success, true);
	const two = await domain.checkpoints.create("<domaincheckpoint><name>two</name></domaincheckpoint>");
	assert.equal((await two.parent()).name, "one");
	const one = await domain.checkpoints.byName("one");
	assert.deepEqual(
		[(await one.children()).map(({ name }) => name), (await domain.checkpoints.list()).length],
		[["two"], 2],
	);
	assert.match(await one.xml({ size: true, noDomain: true }), /bitmap='one' size='0'/);
	await domain.beginBackup(`<domainbackup><incremental>one</incremental>${target("since")}</domainbackup>`);
	await events.next();
	await assert.rejects(domain.backupXml(), isVirtError("NO_DOMAIN_BACKUP"));
	await one.delete({ children: true });
	assert.deepEqual(await domain.checkpoints.list(), []);
	await remove(domain);
});

test("fifty connections work at once", async () => {
	await using first = await open();
	const domain = await first.domains.define(guest());
	const answers = await Promise.all(
		Array.from({ length: 50 }, async () => {
			await using connection = await open();
			const found = await connection.domains.get(domain.name);
			return (await Promise.all(Array.from({ length: 10 }, () => found.state()))).map(({ state }) => state);
		}),
	);
	assert.deepEqual([...new Set(answers.flat())], ["shutoff"]);
	await remove(domain);
});

test("when the daemon dies, calls and loops fail with a typed error, and a new connection finds the guest", async () => {
	const connection = await open();
	const domain = await connection.domains.define(guest());
	await domain.start({ paused: true });
	const events = await connection.openEvents({ kinds: ["lifecycle"] });
	const lost = assert.rejects(events.next(), isVirtError("RPC"));
	await daemon.stop("SIGKILL");
	await lost;
	await assert.rejects(domain.state(), isVirtError("RPC", "connection"));
	await connection.close();
	await daemon.start();
	await using again = await open();
	const found = await again.domains.get(domain.uuid);
	assert.deepEqual(await found.state(), { state: "paused", reason: "user" });
	await remove(found);
});
