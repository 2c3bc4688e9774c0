// Going back to snapshots and deleting them, with real guests and images whose content tells where they come from.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import test from "node:test";
import type { QemuDomain } from "@virtkit/qemu/domain/domain";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { CREATE, DELETE, REVERT } from "./flags.ts";

const START_PAUSED = 1;

const qemuImg = (...words: string[]): string => execFileSync("qemu-img", words, { encoding: "utf8" });
/** Writes a pattern into a megabyte of the image that the stopped guest has. */
const write = (path: string, pattern: number, at = 0): void =>
	void execFileSync("qemu-io", ["-c", `write -P ${pattern} ${at}M 1M`, path]);

async function guestOf(own: TestDriver): Promise<QemuDomain> {
	const image = own.path("disk.img");
	qemuImg("create", "-q", "-f", "qcow2", image, "8M");
	write(image, 1);
	const disk = `<disk type='file'><driver name='qemu' type='qcow2'/><source file='${image}'/><target dev='vda' bus='virtio'/></disk>`;
	return await own.define(tinyGuest("guest", { devices: disk }));
}

const take = (own: TestDriver, domain: QemuDomain, name: string, flags = 0, inner = "") =>
	own.run("createSnapshot", domain, flags, `<domainsnapshot><name>${name}</name>${inner}</domainsnapshot>`);

/** The disk's own image. */
async function top(own: TestDriver, domain: QemuDomain): Promise<string> {
	return /<source file='([^']+)'/.exec(await own.run("xml", domain))?.[1] ?? "";
}

/** Whether the first megabyte of what the guest would see has the pattern. */
async function assertPattern(own: TestDriver, domain: QemuDomain, pattern: number, at = 0): Promise<void> {
	const path = await top(own, domain);
	const said = execFileSync("qemu-io", ["-U", "-r", "-c", `read -P ${pattern} ${at}M 1M`, path], { encoding: "utf8" });
	assert.doesNotMatch(said, /Pattern verification failed/, `${path}: ${pattern}`);
}

const images = (own: TestDriver): string[] => readdirSync(own.root).filter((name) => name.startsWith("disk."));
const names = async (own: TestDriver, domain: QemuDomain) =>
	(await own.run("snapshots", domain, 0, undefined)).join(" ");

test("a stopped guest goes back to what its disk was, and stays stopped, runs, or waits, as asked", async () => {
	await using own = await TestDriver.start();
	const domain = await guestOf(own);
	await take(own, domain, "cold");
	write(own.path("disk.img"), 2);
	own.events.length = 0;
	await own.run("revertToSnapshot", domain, 0, "cold");
	assert.deepEqual(own.events, ["defined from-snapshot"]);
	await assertPattern(own, domain, 1);
	await own.run("revertToSnapshot", domain, REVERT.running, "cold");
	await until(() => domain.stateName === "running", "the guest runs");
	await own.run("revertToSnapshot", domain, REVERT.paused, "cold");
	assert.deepEqual(domain.state, { state: "paused", reason: "user" });
	own.events.length = 0;
	await own.run("revertToSnapshot", domain, 0, "cold");
	assert.deepEqual(own.events, ["stopped from-snapshot", "defined from-snapshot"]);
	assert.equal(domain.stateName, "shutoff");
});

test("a guest goes back to its memory inside the images, whatever it is doing", async () => {
	await using own = await TestDriver.start();
	const domain = await guestOf(own);
	await own.run("start", domain);
	await take(own, domain, "warm");
	await until(() => domain.stateName === "running", "the guest goes on");
	own.events.length = 0;
	await own.run("revertToSnapshot", domain, 0, "warm");
	await until(() => domain.stateName === "running", "the guest runs");
	assert.deepEqual(domain.state, { state: "running", reason: "from-snapshot" });
	assert.deepEqual(own.events, [
		"stopped from-snapshot",
		"started from-snapshot",
		"resumed from-snapshot",
		"defined from-snapshot",
	]);
	await own.run("revertToSnapshot", domain, REVERT.paused, "warm");
	assert.deepEqual(domain.state, { state: "paused", reason: "from-snapshot" });
	await own.run("destroy", domain);
	await own.run("revertToSnapshot", domain, 0, "warm");
	await until(() => domain.stateName === "running", "the guest runs");
	await own.run("deleteSnapshot", domain, 0, "warm");
	assert.doesNotMatch(qemuImg("snapshot", "-U", "-l", own.path("disk.img")), /warm/);
	assert.equal(await names(own, domain), "");
});

test("internal snapshots are deleted with their children, in the images too", async () => {
	await using own = await TestDriver.start();
	const domain = await guestOf(own);
	for (const name of ["a", "b", "c"]) await take(own, domain, name);
	await own.run("deleteSnapshot", domain, DELETE.childrenOnly, "b");
	assert.equal(await names(own, domain), "a b");
	await own.run("deleteSnapshot", domain, DELETE.children, "a");
	assert.equal(await names(own, domain), "");
	assert.equal(qemuImg("snapshot", "-l", own.path("disk.img")).trim(), "");
});

test("a guest goes back to an external snapshot in a new image, and what it wrote since is gone", async () => {
	await using own = await TestDriver.start();
	const domain = await guestOf(own);
	await take(own, domain, "one", CREATE.diskOnly);
	write(await top(own, domain), 2);
	await take(own, domain, "two", CREATE.diskOnly);
	write(await top(own, domain), 3);
	await own.run("revertToSnapshot", domain, 0, "two");
	await assertPattern(own, domain, 2);
	assert.ok(!existsSync(own.path("disk.two")));
	await own.run("revertToSnapshot", domain, 0, "one");
	await assertPattern(own, domain, 1);
	assert.equal(await own.run("currentSnapshot", domain), "one");
	write(await top(own, domain), 4);
	await take(own, domain, "three", CREATE.diskOnly);
	assert.equal(await own.run("snapshotParent", domain, 0, "three"), "one");
	await own.run("revertToSnapshot", domain, REVERT.paused, "two");
	await assertPattern(own, domain, 2);
	await assert.rejects(
		own.run("deleteSnapshot", domain, 0, "one"),
		isVirtError("OPERATION_UNSUPPORTED", "was taken of it too"),
	);
	// A branch that the domain is not on goes as a whole.
	await own.run("deleteSnapshot", domain, 0, "three");
	await assertPattern(own, domain, 2);
	await own.run("destroy", domain);
	await own.run("revertToSnapshot", domain, 0, "one");
	await assertPattern(own, domain, 1);
});

test("a guest goes back to memory in a file and the disk of that instant", async () => {
	await using own = await TestDriver.start();
	const domain = await guestOf(own);
	await own.run("start", domain);
	await take(own, domain, "full", 0, `<memory file='${own.path("memory")}'/>`);
	await until(() => domain.stateName === "running", "the guest goes on");
	await own.run("destroy", domain);
	write(await top(own, domain), 5);
	await own.run("revertToSnapshot", domain, 0, "full");
	await until(() => domain.stateName === "running", "the guest runs");
	assert.deepEqual(domain.state, { state: "running", reason: "from-snapshot" });
	await assertPattern(own, domain, 1);
	await own.run("deleteSnapshot", domain, 0, "full");
	assert.ok(!existsSync(own.path("memory")));
	assert.deepEqual(images(own), ["disk.img"]);
	await assertPattern(own, domain, 1);
});

for (const [how, flags] of [
	["running", START_PAUSED],
	["stopped", undefined],
] as const)
	test(`what a ${how} guest wrote after a snapshot is merged into its image when that is deleted`, async () => {
		await using own = await TestDriver.start();
		const domain = await guestOf(own);
		for (const [index, name] of ["one", "two", "three"].entries()) {
			await take(own, domain, name, CREATE.diskOnly);
			write(await top(own, domain), index + 2, index + 1);
		}
		if (flags !== undefined) await own.run("start", domain, flags);
		await own.run("deleteSnapshot", domain, 0, "two");
		assert.deepEqual(images(own), ["disk.img", "disk.one", "disk.three"]);
		assert.equal(await own.run("snapshotParent", domain, 0, "three"), "one");
		assert.doesNotMatch(await own.run("snapshotXml", domain, 0, "three"), /disk\.two/);
		await own.run("deleteSnapshot", domain, 0, "three");
		await own.run("deleteSnapshot", domain, 0, "one");
		assert.deepEqual(images(own), ["disk.img"]);
		for (const at of [0, 1, 2, 3]) await assertPattern(own, domain, at + 1, at);
		assert.equal(await names(own, domain), "");
		if (flags !== undefined) await own.run("destroy", domain);
		await own.run("undefine", domain);
	});

test("what cannot be gone back to or deleted is refused, and the guest is not touched for it", async () => {
	await using own = await TestDriver.start();
	const domain = await guestOf(own);
	await take(own, domain, "one", CREATE.diskOnly);
	await take(own, domain, "two", CREATE.diskOnly);
	await own.run("start", domain, START_PAUSED);
	const pid = own.processes;
	const revert = (flags: number, name: string) => own.run("revertToSnapshot", domain, flags, name);
	await assert.rejects(revert(REVERT.running | REVERT.paused, "one"), isVirtError("INVALID_ARG", "exclusive"));
	await assert.rejects(revert(0, "none"), isVirtError("NO_DOMAIN_SNAPSHOT"));
	const remove = (flags: number, name: string) => own.run("deleteSnapshot", domain, flags, name);
	await assert.rejects(remove(DELETE.children, "one"), isVirtError("CONFIG_UNSUPPORTED", "external children"));
	await assert.rejects(remove(DELETE.children, "two"), isVirtError("CONFIG_UNSUPPORTED", "with children"));
	assert.deepEqual(own.processes, pid);
	await own.run("destroy", domain);
	execFileSync("rm", [own.path("disk.img")]);
	await assert.rejects(revert(0, "one"), isVirtError("OPERATION_INVALID", "is not there"));
});

test("bitmaps of checkpoints go on recording over a snapshot and its end, and keep a guest from being ended in vain", async () => {
	await using own = await TestDriver.start();
	const domain = await guestOf(own);
	await own.run("start", domain, START_PAUSED);
	await own.run("createCheckpoint", domain, 0, "<domaincheckpoint><name>mark</name></domaincheckpoint>");
	const recording = async () => {
		const nodes = await domain.activeRun().monitor.execute("query-named-block-nodes", { flat: true });
		return nodes.filter((node) => node["dirty-bitmaps"]?.some(({ name }) => name === "mark")).length;
	};
	await take(own, domain, "over", CREATE.diskOnly);
	assert.equal(await recording(), 2);
	await own.run("deleteSnapshot", domain, 0, "over");
	assert.equal(await recording(), 1);
	await take(own, domain, "inside");
	const pids = own.processes;
	await assert.rejects(
		own.run("revertToSnapshot", domain, 0, "inside"),
		isVirtError("OPERATION_UNSUPPORTED", "bitmap 'mark' records"),
	);
	assert.deepEqual(own.processes, pids);
});
