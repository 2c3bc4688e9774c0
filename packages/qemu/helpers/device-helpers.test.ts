// Servers of real guests' devices: folders over virtiofs, user interfaces over passt, consoles over a message bus, reservations.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { parseDomain } from "@virtkit/model/domain/domain";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest } from "@virtkit/testing/qemu-driver";
import { findHelpers } from "./find.ts";
import { passtOptions } from "./passt.ts";

function helpersOf(own: TestDriver): string[] {
	return [...findHelpers(own.path("lib/qemu/domain-")).values()].flat().map(({ name }) => name);
}

const SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>";
const folder = (path: string, more = ""): string =>
	`<filesystem type='mount'><driver type='virtiofs'/>${more}<source dir='${path}'/><target dir='files'/></filesystem>`;

test("a folder is served by a virtiofsd that goes with its guest", async () => {
	await using own = await TestDriver.start();
	mkdirSync(own.path("files"));
	const binary = "<binary><cache mode='none'/><sandbox mode='chroot'/><lock posix='off' flock='off'/></binary>";
	const guest = await own.create(tinyGuest("guest", { more: SHARED, devices: folder(own.path("files"), binary) }));
	const log = readFileSync(own.path("log/qemu/guest.log"), "utf8");
	assert.match(log, /virtiofsd --fd=3 -o source=\S*,cache=none,sandbox=chroot,no_flock,no_posix_lock\n/);
	assert.ok(helpersOf(own).every((name) => name === "virtiofsd of fs0"));
	assert.ok(helpersOf(own).length > 0);
	await own.run("destroy", guest);
	assert.deepEqual(helpersOf(own), []);
});

test("a folder that is not there, or a server that is none, is named before anything starts", async () => {
	await using own = await TestDriver.start();
	await assert.rejects(
		own.create(tinyGuest("guest", { more: SHARED, devices: folder(own.path("nowhere")) })),
		isVirtError("INTERNAL_ERROR", `the virtiofs export directory '${own.path("nowhere")}' does not exist`),
	);
	writeFileSync(own.path("server"), "");
	const binary = `<binary path='${own.path("server")}'/>`;
	await assert.rejects(
		own.create(tinyGuest("guest", { more: SHARED, devices: folder(own.root, binary) })),
		isVirtError("INTERNAL_ERROR", `virtiofsd binary '${own.path("server")}' is not executable`),
	);
	assert.deepEqual(own.processes, []);
});

// passt itself confines itself in ways that not every machine for tests allows: a program that listens stands in for it.
test("a user interface is connected by the program that is started for it", async () => {
	await using own = await TestDriver.start();
	mkdirSync(own.path("bin"));
	const serve = 'require("net").createServer().listen(process.argv[process.argv.indexOf("--socket") + 1])';
	writeFileSync(own.path("bin/passt"), `#!/bin/sh\nexec ${process.execPath} -e '${serve}' -- "$@"\n`, { mode: 0o755 });
	const path = process.env.PATH;
	process.env.PATH = `${own.path("bin")}:${path}`;
	try {
		const net = "<interface type='user'><backend type='passt'/><model type='virtio'/></interface>";
		const guest = await own.create(tinyGuest("guest", { devices: net }));
		assert.deepEqual(helpersOf(own), ["passt of net0"]);
		await own.run("destroy", guest);
		assert.deepEqual(helpersOf(own), []);
	} finally {
		process.env.PATH = path;
	}
});

test("passt gets addresses, device and forwarded ports of the definition", () => {
	const { devices } = parseDomain(`<domain type='qemu'><name>guest</name><memory>1</memory><os><type>hvm</type></os>
<devices><interface type='user'><mac address='52:54:00:00:00:01'/><source dev='eth7'/><backend type='passt' logFile='/tmp/p'/>
<ip family='ipv4' address='10.1.2.3' prefix='24'/><ip family='ipv6' address='fd00::1'/>
<portForward proto='tcp' address='127.0.0.1' dev='lo'><range start='80' to='8080'/><range start='90' end='95' exclude='yes'/></portForward>
<portForward proto='udp'/></interface></devices></domain>`);
	const [net] = devices.interfaces;
	assert.ok(net);
	net.alias = "net0";
	assert.deepEqual(passtOptions(net, "/work").join(" ").split(" --").slice(2), [
		"socket /work/net0-passt.socket",
		"mac-addr 52:54:00:00:00:01",
		"interface eth7",
		"log-file /tmp/p",
		"address 10.1.2.3",
		"netmask 24",
		"address fd00::1",
		"tcp-ports 127.0.0.1%lo/80:8080,~90-95",
		"udp-ports all",
	]);
});

test("a console of type dbus is on a bus of its guest", async () => {
	await using own = await TestDriver.start();
	const guest = await own.create(tinyGuest("guest", { devices: "<graphics type='dbus'/>" }));
	const socket = join(own.path("lib/qemu/dbus"), "1-guest-dbus.sock");
	const address = `unix:path=${socket}`;
	const ask = ["--dest=org.freedesktop.DBus", "--print-reply", "/", "org.freedesktop.DBus.ListNames"];
	assert.match(execFileSync("dbus-send", [`--bus=${address}`, ...ask], { encoding: "utf8" }), /"org\.qemu"/);
	await own.restart();
	const adopted = own.driver.domains.byName("guest");
	assert.ok(adopted && existsSync(socket));
	assert.deepEqual(helpersOf(own), ["dbus-daemon"]);
	await own.run("destroy", adopted);
	assert.ok(!existsSync(socket));
	assert.deepEqual(helpersOf(own), []);
	assert.equal(guest.name, "guest");
});
