// Everything that is wrong with what clients and hosts hand in: libvirt's error code, a message that names the thing, and nothing left.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { ErrorCode } from "@virtkit/base/errors";
import { type Connection, connect } from "@virtkit/client/sdk/connection";
import { findProcesses } from "@virtkit/host/process";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { isVirtError } from "@virtkit/testing/expect-error";
import { tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { RpcPeer } from "@virtkit/testing/rpc-peer";

let daemon: TestDaemon;
let connection: Connection;

before(async () => {
	daemon = await startDaemon();
	connection = await connect(daemon.uri);
});

after(async () => {
	await connection.close();
	await daemon[Symbol.asyncDispose]();
});

/** Everything that a refused definition or a failed start could have left. */
function traces(): string[] {
	const list = (folder: string) => (existsSync(daemon.file(folder)) ? readdirSync(daemon.file(folder)) : []);
	return [
		...list("etc/qemu").filter((name) => name !== "autostart"),
		...list("etc/qemu/autostart"),
		...list("run/qemu").filter((name) => name !== "autostarted"),
		...list("lib/qemu").filter((name) => name.startsWith("domain-")),
		...list("lib/qemu/channel/target"),
		...list("lib/qemu/save"),
		...findProcesses(join(daemon.root, "lib/qemu/domain-")).map(({ pid }) => `process ${pid}`),
	];
}

/** The daemon still answers, knows no domain, and nothing is left. */
async function nothingLeft(): Promise<void> {
	assert.deepEqual(
		(await connection.domains.list()).map(({ name }) => name),
		[],
	);
	await until(() => traces().length === 0, `that nothing is left; there is ${traces().join(", ")}`);
}

const guest = (devices = "", name = "bad"): string => tinyGuest(name, { devices });
const entities = (levels: number): string =>
	Array.from({ length: levels }, (_, level) => `<!ENTITY e${level + 1} "${`&e${level};`.repeat(10)}">`).join("");
const repeated = (text: string, bytes: number): string => text.repeat(Math.ceil(bytes / text.length));
const MIB = 1024 * 1024;

interface Refusal {
	readonly what: string;
	readonly xml: string;
	readonly code: ErrorCode;
	/** What the message must say. */
	readonly says: readonly string[];
}

const REFUSED: readonly Refusal[] = [
	{ what: "no document", xml: "", code: "XML_DETAIL", says: [] },
	{ what: "no XML", xml: "hello", code: "XML_DETAIL", says: ["line 1"] },
	{ what: "an element not closed", xml: "<domain>\n<name>x", code: "XML_DETAIL", says: ["line 2"] },
	{
		what: "elements closed crosswise",
		xml: guest().replace("</name>", "</title>"),
		code: "XML_DETAIL",
		says: ["line 1", "close tag"],
	},
	{ what: "an attribute twice", xml: "<domain type='qemu' type='kvm'/>", code: "XML_DETAIL", says: ["type"] },
	{ what: "a control character", xml: guest("", "a\u0001b"), code: "XML_DETAIL", says: [] },
	{
		what: "an entity bomb",
		xml: `<!DOCTYPE domain [<!ENTITY e0 "lol">${entities(9)}]><domain type='qemu'><name>&e9;</name></domain>`,
		code: "XML_DETAIL",
		says: ["document type declaration"],
	},
	{
		what: "an external entity",
		xml: `<!DOCTYPE domain [<!ENTITY x SYSTEM "file:///etc/passwd">]><domain type='qemu'><name>&x;</name></domain>`,
		code: "XML_DETAIL",
		says: ["document type declaration"],
	},
	{ what: "an unknown entity", xml: guest("", "&nothing;"), code: "XML_DETAIL", says: ["line 1", "entity"] },
	{ what: "elements nested for ever", xml: repeated("<a>", MIB), code: "XML_DETAIL", says: [] },
	{ what: "another root", xml: "<network><name>x</name></network>", code: "XML_ERROR", says: ["network"] },
	{ what: "a name with a slash", xml: guest("", "a/b"), code: "XML_ERROR", says: ["a/b", "'/'"] },
	{ what: "a name with a newline", xml: guest("", "a\nb"), code: "XML_DETAIL", says: [] },
	{ what: "an empty name", xml: guest("", ""), code: "NO_NAME", says: ["name"] },
	{
		what: "a UUID that is none",
		xml: guest().replace("<name>", "<uuid>123</uuid><name>"),
		code: "INTERNAL_ERROR",
		says: ["123"],
	},
	{ what: "negative memory", xml: guest().replace(">32<", ">-5<"), code: "XML_ERROR", says: ["-5"] },
	{
		what: "memory beyond all bounds",
		xml: guest().replace(">32<", `>${10n ** 30n}<`),
		code: "XML_ERROR",
		says: ["10000"],
	},
	{ what: "memory that is no number", xml: guest().replace(">32<", ">lots<"), code: "XML_ERROR", says: ["lots"] },
	{
		what: "an unknown machine",
		xml: guest().replace("'pc'", "'toaster'"),
		code: "CONFIG_UNSUPPORTED",
		says: ["toaster"],
	},
	{
		what: "an emulator that is not there",
		xml: guest("<emulator>/nonexistent/qemu</emulator>"),
		code: "SYSTEM_ERROR",
		says: ["/nonexistent/qemu", "No such file"],
	},
];

for (const { what, xml, code, says } of REFUSED)
	test(`${what} is refused when defined and when created`, async () => {
		await assert.rejects(connection.domains.define(xml), isVirtError(code, ...says));
		await assert.rejects(connection.domains.create(xml), isVirtError(code, ...says));
		await nothingLeft();
	});

test("a document of 10 MB costs its client an error or its connection, and others nothing", async () => {
	const large = guest().replace(
		"</domain>",
		`<metadata>${repeated("<x:a xmlns:x='urn:x'>text</x:a>", 10 * MIB)}</metadata></domain>`,
	);
	const other = await connect(daemon.uri);
	await assert.rejects(other.domains.define(large));
	await other.close();
	// A client that does not look at the limit of messages itself.
	using peer = await RpcPeer.open(daemon.socket);
	await peer.call("CONNECT_OPEN", { name: "qemu:///system", flags: 0 });
	const length = Buffer.alloc(4);
	length.writeUInt32BE(64 * MIB);
	peer.sendBytes(length);
	peer.sendBytes(Buffer.alloc(MIB));
	await peer.closed;
	await nothingLeft();
});

test("a large definition within the limits is kept whole", async () => {
	const metadata = `<metadata><x:a xmlns:x='urn:x'>${repeated("<x:b>text</x:b>", 2 * MIB)}</x:a></metadata>`;
	const domain = await connection.domains.define(guest().replace("</domain>", `${metadata}</domain>`));
	assert.ok((await domain.xml()).length > 2 * MIB);
	await domain.undefine();
	await nothingLeft();
});

test("a name or a UUID that another domain has is refused, and the other one is as it was", async () => {
	const domain = await connection.domains.define(guest("", "first"));
	const xml = await domain.xml();
	const sameName = isVirtError("OPERATION_FAILED", "'first' already exists with uuid", domain.uuid);
	await assert.rejects(connection.domains.define(guest("", "first")), sameName);
	const sameUuid = isVirtError("OPERATION_FAILED", "'first' is already defined with uuid", domain.uuid);
	await assert.rejects(connection.domains.define(xml.replace("<name>first<", "<name>second<")), sameUuid);
	assert.equal(await domain.xml(), xml);
	await domain.undefine();
	await nothingLeft();
});

const disk = (path: string) => `<disk type='file'><source file='${path}'/><target dev='hda' bus='ide'/></disk>`;
const boot = (element: string) => guest().replace("</os>", `${element}</os>`);

interface FailingStart {
	readonly what: string;
	readonly xml: () => string;
	readonly code: ErrorCode;
	readonly says: readonly string[];
}

/** A program in the root that stands in for an emulator. */
function program(name: string, script: string): string {
	const path = daemon.file(name);
	writeFileSync(path, `#!/bin/sh\n${script}\n`);
	chmodSync(path, 0o755);
	return `<emulator>${path}</emulator>`;
}

const FAILING: readonly FailingStart[] = [
	{
		what: "a missing disk",
		xml: () => guest(disk("/nonexistent/disk")),
		code: "SYSTEM_ERROR",
		says: ["/nonexistent/disk", "No such file"],
	},
	{
		what: "a missing kernel",
		xml: () => boot("<kernel>/nonexistent/vmlinuz</kernel>"),
		code: "SYSTEM_ERROR",
		says: ["/nonexistent/vmlinuz", "No such file"],
	},
	{
		what: "a missing initial RAM disk",
		xml: () => boot("<kernel>/etc/hostname</kernel><initrd>/nonexistent/initrd</initrd>"),
		code: "SYSTEM_ERROR",
		says: ["/nonexistent/initrd", "No such file"],
	},
	{
		what: "a kernel that is a folder",
		xml: () => boot("<kernel>/etc</kernel>"),
		code: "INTERNAL_ERROR",
		says: ["/etc"],
	},
	{
		what: "a kernel that is none",
		xml: () => boot("<kernel>/etc/hostname</kernel>"),
		code: "INTERNAL_ERROR",
		says: ["kernel"],
	},
	{
		what: "more memory than there is",
		xml: () => guest().replace(">32<", ">900000000<"),
		code: "INTERNAL_ERROR",
		says: ["memory"],
	},
	{
		what: "an emulator that prints garbage",
		xml: () => guest(program("garbage", "head -c 9000 /dev/urandom")),
		code: "SYSTEM_ERROR",
		says: ["garbage", "QMP"],
	},
	{
		what: "an emulator that says nothing and ends",
		xml: () => guest("<emulator>/bin/true</emulator>"),
		code: "SYSTEM_ERROR",
		says: ["/bin/true", "exit status 0"],
	},
];

for (const { what, xml, code, says } of FAILING)
	test(`a start with ${what} fails and leaves nothing`, async () => {
		await assert.rejects(connection.domains.create(xml()), isVirtError(code, ...says));
		await nothingLeft();
		assert.deepEqual(findProcesses(join(daemon.root, "garbage")), []);
	});

test("an emulator that hangs keeps nobody else waiting, and is ended", async () => {
	const xml = guest(program("hangs", "exec sleep 100000"));
	const waiting = connection.domains.create(xml);
	waiting.catch(() => undefined);
	const other = await connection.domains.define(guest("", "other"));
	await (await other.start()).destroy();
	await other.undefine();
	await assert.rejects(waiting, isVirtError("SYSTEM_ERROR", "hangs"));
	await nothingLeft();
});

test("a QEMU that dies at any moment of its start leaves nothing, and the error says that it died", async (t) => {
	const lifetime = daemon.file("lifetime");
	const dying = program(
		"dying",
		`case "$*" in *master-key*) (sleep "$(cat ${lifetime})"; kill -9 $$) & esac\nexec /usr/bin/qemu-system-x86_64 "$@"`,
	);
	const xml = guest(dying);
	for (const ms of [0, 10, 20, 40, 80])
		await t.test(`after ${ms} ms`, async () => {
			writeFileSync(lifetime, `${ms / 1000}\n`);
			try {
				await connection.domains.create(xml);
			} catch (error) {
				isVirtError("INTERNAL_ERROR", "monitor")(error);
			}
			await until(async () => (await connection.domains.list()).length === 0, "the end of the guest");
			await nothingLeft();
		});
});

test("a full disk refuses a definition and leaves the old one whole", async () => {
	await using full = await startDaemon();
	const folder = full.file("etc/qemu");
	execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]);
	try {
		mkdirSync(join(folder, "autostart"));
		await using client = await connect(full.uri);
		const domain = await client.domains.define(guest("", "kept"));
		const xml = await domain.xml();
		const large = xml.replace("</name>", `</name><description>${repeated("long ", 200_000)}</description>`);
		await assert.rejects(
			client.domains.define(large),
			isVirtError("SYSTEM_ERROR", "kept.xml", "No space left on device"),
		);
		await assert.rejects(
			client.domains.define(
				guest("", "new").replace("</name>", `</name><description>${repeated("long ", 200_000)}</description>`),
			),
			isVirtError("SYSTEM_ERROR", "new.xml", "No space left on device"),
		);
		assert.equal(await domain.xml(), xml);
		assert.deepEqual(readdirSync(folder).sort(), ["autostart", "kept.xml"]);
		assert.deepEqual(
			(await client.domains.list()).map(({ name }) => name),
			["kept"],
		);
		await full.stop("SIGKILL");
		await full.start();
		await using again = await connect(full.uri);
		assert.equal(await (await again.domains.get("kept")).xml(), xml);
		await full.stop("SIGKILL");
	} finally {
		execFileSync("umount", [folder]);
	}
});

/** The process of the only guest. */
function guestPid(): number {
	const [process] = findProcesses(join(daemon.root, "lib/qemu/domain-"));
	assert.ok(process);
	return process.pid;
}

test("while QEMU stands still, facts are told and the domain can be destroyed", async () => {
	const domain = await connection.domains.create(guest());
	process.kill(guestPid(), "SIGSTOP");
	assert.equal((await domain.state()).state, "running");
	assert.match(await domain.xml(), /<name>bad</);
	await domain.destroy();
	await nothingLeft();
});

test("a call that waits for a QEMU that stands still is answered once it goes on", async () => {
	const domain = await connection.domains.create(guest());
	const pid = guestPid();
	process.kill(pid, "SIGSTOP");
	const suspending = domain.suspend();
	await delay(200);
	process.kill(pid, "SIGCONT");
	await suspending;
	assert.deepEqual(await domain.state(), { state: "paused", reason: "user" });
	await domain.resume();
	await domain.destroy();
	await nothingLeft();
});

test("a monitor that stops answering ends the call after libvirt's half a minute; the guest is there when QEMU goes on", async () => {
	const domain = await connection.domains.create(guest());
	const pid = guestPid();
	process.kill(pid, "SIGSTOP");
	try {
		await assert.rejects(
			domain.suspend(),
			isVirtError("OPERATION_TIMEOUT", "monitor of 'bad' did not answer 'stop' within 30000 ms"),
		);
	} finally {
		process.kill(pid, "SIGCONT");
	}
	// What was asked for is done late, or not at all; what is asked now is answered.
	const answers = () =>
		domain.monitorCommand('{"execute":"query-status"}').then(
			(text) => text.includes("status"),
			() => false,
		);
	await until(answers, "QEMU to be understood again");
	await domain.destroy();
	await nothingLeft();
});

test("bytes that are no messages cost their client its connection and others nothing", async () => {
	const hostile: readonly Uint8Array[] = [
		Buffer.from("GET / HTTP/1.1\r\n\r\n"),
		Buffer.alloc(4),
		Buffer.from([0xff, 0xff, 0xff, 0xff]),
		Buffer.from([0x00, 0x00, 0x00, 0x1c, ...Array.from({ length: 24 }, () => 0xff)]),
		Buffer.from([0x00, 0x00, 0x00, 0x05, 0x00]),
	];
	for (const bytes of hostile) {
		using peer = await RpcPeer.open(daemon.socket);
		peer.sendBytes(bytes);
		peer.socket.end();
		await peer.closed;
		assert.equal((await connection.domains.list()).length, 0);
	}
	// One that begins a message and never ends it is left waiting.
	using slow = await RpcPeer.open(daemon.socket);
	slow.sendBytes(Buffer.from([0x00, 0x00, 0x00, 0x40, 0x20]));
	assert.equal((await connection.domains.list()).length, 0);
	assert.doesNotMatch(daemon.log(), /"level":60/);
	assert.ok(readFileSync(`/proc/${daemon.pid}/status`, "utf8").includes("State:"));
});
