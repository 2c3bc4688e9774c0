// Snapshots taken of real guests: what becomes of their images, definitions and files.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import type { QemuDomain } from "@virtkit/qemu/domain/domain";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { CREATE, LIST } from "./flags.ts";

const START_PAUSED = 1;
const INACTIVE = 2;

const qemuImg = (...words: string[]): string => execFileSync("qemu-img", words, { encoding: "utf8" });

/** A guest with two disks, and what was on them when it was defined. */
async function guestOf(own: TestDriver, devices = ""): Promise<QemuDomain> {
	const disks = ["vda", "vdb"].map((dev) => {
		qemuImg("create", "-q", "-f", "qcow2", own.path(`${dev}.img`), "8M");
		return `<disk type='file'><driver name='qemu' type='qcow2'/><source file='${own.path(`${dev}.img`)}'/><target dev='${dev}' bus='virtio'/></disk>`;
	});
	return await own.define(tinyGuest("guest", { devices: disks.join("") + devices }));
}

const take = (own: TestDriver, domain: QemuDomain, flags: number, inner = "") =>
	own.run("createSnapshot", domain, flags, `<domainsnapshot>${inner}</domainsnapshot>`);

/** Names of the files that QEMU has open as images. */
async function openFiles(domain: QemuDomain): Promise<string[]> {
	const nodes = await domain.activeRun().monitor.execute("query-named-block-nodes", { flat: true });
	return nodes.flatMap(({ drv, file }) => (drv === "file" ? [file.split("/").at(-1) ?? ""] : [])).sort();
}

const backing = (path: string): string | undefined =>
	(JSON.parse(qemuImg("info", "-U", "--output=json", path)) as { "backing-filename"?: string })["backing-filename"];

const pendingNote = (own: TestDriver): boolean => existsSync(own.path("lib/qemu/snapshot/guest/.pending"));

test("disks of a running guest get new images over theirs, in both definitions, and the next daemon knows", async () => {
	await using own = await TestDriver.start();
	let domain = await guestOf(own);
	await own.run("start", domain, START_PAUSED);
	assert.equal(await take(own, domain, CREATE.diskOnly | CREATE.atomic, "<name>one</name>"), "one");
	assert.deepEqual(await openFiles(domain), ["vda.img", "vda.one", "vdb.img", "vdb.one"]);
	assert.equal(backing(own.path("vda.one")), own.path("vda.img"));
	for (const flags of [0, INACTIVE]) {
		const xml = await own.run("xml", domain, flags);
		assert.ok(xml.includes(`<source file='${own.path("vda.one")}'`), xml);
		assert.ok(xml.includes(`<source file='${own.path("vdb.one")}'`), xml);
	}
	await take(own, domain, CREATE.diskOnly, "<name>two</name><disks><disk name='vdb' snapshot='no'/></disks>");
	await own.restart();
	domain = own.driver.domains.byName("guest") as QemuDomain;
	assert.match(await own.run("xml", domain), /vda\.two[\s\S]*vda\.one[\s\S]*vda\.img[\s\S]*vdb\.one/);
	assert.deepEqual(await own.run("snapshots", domain, LIST.rootsOrDescendants, "one"), ["two"]);
	assert.equal(await own.run("currentSnapshot", domain), "two");
	await own.run("destroy", domain);
	await own.run("start", domain, START_PAUSED);
	assert.deepEqual(await openFiles(domain), ["vda.img", "vda.one", "vda.two", "vdb.img", "vdb.one"]);
});

test("a snapshot of which one disk fails leaves nothing: no image, no node, no name", async () => {
	await using own = await TestDriver.start();
	const domain = await guestOf(own);
	await own.run("start", domain, START_PAUSED);
	const before = await own.run("xml", domain);
	const files = readdirSync(own.root).sort();
	const broken = `<disks><disk name='vdb'><source file='${own.path("no/such/folder")}'/></disk></disks>`;
	await assert.rejects(take(own, domain, CREATE.diskOnly, broken), isVirtError("SYSTEM_ERROR"));
	// QEMU cannot lay an image over itself, which it says only in the transaction.
	const twice = `<disks><disk name='vdb'><source file='${own.path("vdb.img")}'/></disk></disks>`;
	await assert.rejects(take(own, domain, CREATE.diskOnly | CREATE.reuse, twice));
	assert.deepEqual(readdirSync(own.root).sort(), files);
	assert.deepEqual(await openFiles(domain), ["vda.img", "vdb.img"]);
	assert.equal(await own.run("xml", domain), before);
	assert.deepEqual(await own.run("snapshots", domain, 0, undefined), []);
	assert.ok(!pendingNote(own));
	await take(own, domain, CREATE.diskOnly, "<name>fine</name>");
});

test("disks of a stopped guest get new images too; one that nobody is to know of is not in the tree", async () => {
	await using own = await TestDriver.start();
	const domain = await guestOf(own);
	await take(own, domain, CREATE.diskOnly | CREATE.noMetadata, "<name>off</name>");
	assert.equal(backing(own.path("vda.off")), own.path("vda.img"));
	assert.match(await own.run("xml", domain), /vda\.off[\s\S]*vdb\.off/);
	assert.deepEqual(await own.run("snapshots", domain, 0, undefined), []);
	assert.ok(!existsSync(own.path("lib/qemu/snapshot/guest")));
	await own.run("start", domain, START_PAUSED);
	assert.deepEqual(await openFiles(domain), ["vda.img", "vda.off", "vdb.img", "vdb.off"]);
});

test("an internal snapshot lies in the images, with the memory where the guest runs, which goes on", async () => {
	await using own = await TestDriver.start();
	const domain = await guestOf(own);
	await take(own, domain, 0, "<name>cold</name>");
	await own.run("start", domain);
	await take(own, domain, 0, "<name>warm</name>");
	await until(() => domain.stateName === "running", "the guest goes on");
	assert.match(await own.run("snapshotXml", domain, 0, "warm"), /<memory snapshot='internal'\/>/);
	await assert.rejects(take(own, domain, 0, "<name>warm</name>"), isVirtError("OPERATION_FAILED", "already exists"));
	own.events.length = 0;
	await take(own, domain, CREATE.halt, "<name>last</name>");
	assert.deepEqual(domain.state, { state: "shutoff", reason: "from-snapshot" });
	assert.equal(own.events.at(-1), "stopped from-snapshot");
	for (const dev of ["vda", "vdb"])
		assert.match(qemuImg("snapshot", "-l", own.path(`${dev}.img`)), /cold[\s\S]*warm[\s\S]*last/);
});

test("memory goes into a file, with the disks as they are at that instant", async () => {
	await using own = await TestDriver.start();
	const domain = await guestOf(own);
	await own.run("start", domain);
	for (const [name, flags] of [
		["still", 0],
		["moving", CREATE.live],
	] as const) {
		const memory = own.path(`${name}.memory`);
		await take(own, domain, flags, `<name>${name}</name><memory file='${memory}'/>`);
		assert.equal(readFileSync(memory).toString("latin1", 0, 16), "LibvirtQemudSave");
		await until(() => domain.stateName === "running", "the guest goes on");
	}
	assert.match(await own.run("snapshotXml", domain, 0, "still"), /<state>running<\/state>/);
	assert.match(await own.run("xml", domain), /vda\.moving[\s\S]*vda\.still[\s\S]*vda\.img/);
	const failing = `<memory file='${own.path("no/such/folder")}'/>`;
	await assert.rejects(take(own, domain, 0, failing), isVirtError("SYSTEM_ERROR"));
	await until(() => domain.stateName === "running", "the guest goes on");
});
