// Block jobs of a running guest, with real QEMU and real chains of images.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import test from "node:test";
import type { QemuDomain } from "@virtkit/qemu/domain/domain";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";

/** VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT. */
const PIVOT = 2;
/** VIR_DOMAIN_BLOCK_COMMIT_DELETE and _ACTIVE. */
const DELETE = 2;
const ACTIVE = 4;
/** VIR_DOMAIN_BLOCK_COPY_SHALLOW and _TRANSIENT_JOB. */
const SHALLOW = 1;
const TRANSIENT = 4;
/** VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES. */
const BYTES = 0x40;
const START_PAUSED = 1;
const INACTIVE = 2;

const qemuImg = (...words: string[]): string => execFileSync("qemu-img", words, { encoding: "utf8" });
const qemuIo = (path: string, command: string): string =>
	execFileSync("qemu-io", ["-f", "qcow2", "-c", command, path], { encoding: "utf8" });

/** base ← middle ← top, each with a megabyte of its own. */
function chain(own: TestDriver): { base: string; middle: string; top: string } {
	const [base = "", middle = "", top = ""] = ["base", "middle", "top"].map((name) => own.path(`${name}.qcow2`));
	qemuImg("create", "-q", "-f", "qcow2", base, "8M");
	qemuIo(base, "write -P 1 0 1M");
	qemuImg("create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", middle);
	qemuIo(middle, "write -P 2 1M 1M");
	qemuImg("create", "-q", "-f", "qcow2", "-b", middle, "-F", "qcow2", top);
	qemuIo(top, "write -P 3 2M 1M");
	return { base, middle, top };
}

async function guestOn(own: TestDriver, path: string): Promise<QemuDomain> {
	const disk = `<disk type='file'><driver name='qemu' type='qcow2'/><source file='${path}'/><target dev='vda' bus='virtio'/></disk>`;
	const domain = await own.define(tinyGuest("guest", { devices: disk }));
	await own.run("start", domain, START_PAUSED);
	return domain;
}

/** What each block job event said: type and status. */
const jobEvents = (own: TestDriver): string[] =>
	own.allEvents.flatMap((event) =>
		event.kind === "block-job" ? [`${event.target} ${event.type} ${event.status}`] : [],
	);

async function files(domain: QemuDomain): Promise<string[]> {
	const nodes = await domain.activeRun().monitor.execute("query-named-block-nodes", { flat: true });
	return nodes
		.filter(({ drv }) => drv === "file")
		.map(({ file }) => file.split("/").at(-1) ?? "")
		.sort();
}

/** Each megabyte of the image has what was written there, whatever lies below. */
function assertWhole(path: string, format = "qcow2"): void {
	for (const [index, pattern] of [1, 2, 3].entries()) {
		const said = execFileSync("qemu-io", ["-U", "-r", "-f", format, "-c", `read -P ${pattern} ${index}M 1M`, path], {
			encoding: "utf8",
		});
		assert.doesNotMatch(said, /Pattern verification failed/, `${path}: megabyte ${index}`);
	}
}

test("pulling makes the top stand alone", async () => {
	await using own = await TestDriver.start();
	const { top } = chain(own);
	const domain = await guestOn(own, top);
	await own.run("blockPull", domain, 0, "vda", 0n);
	await until(() => jobEvents(own).length > 0, "the pull to end");
	assert.deepEqual(jobEvents(own), ["vda 1 0"]);
	assert.deepEqual(await files(domain), ["top.qcow2"]);
	assert.match(await own.run("xml", domain), /<backingStore\/>/);
	assert.equal(await own.run("blockJobInfo", domain, 0, "vda"), undefined);
	await own.run("destroy", domain);
	assert.doesNotMatch(qemuImg("info", top), /backing file/);
	assertWhole(top);
});

test("committing a middle image takes it out, and its file where asked", async () => {
	await using own = await TestDriver.start();
	const { base, middle, top } = chain(own);
	const domain = await guestOn(own, top);
	await own.run("blockCommit", domain, DELETE, { path: "vda", base: undefined, top: middle, bandwidth: 0n });
	await until(() => jobEvents(own).length > 0, "the commit to end");
	assert.deepEqual(jobEvents(own), ["vda 3 0"]);
	assert.deepEqual(await files(domain), ["base.qcow2", "top.qcow2"]);
	assert.ok(!existsSync(middle));
	await own.run("destroy", domain);
	assert.match(qemuImg("info", top), new RegExp(`backing file: ${base}`));
	assertWhole(top);
});

test("an active commit goes on until the client pivots; the stored definition follows", async () => {
	await using own = await TestDriver.start();
	const { base, top } = chain(own);
	const domain = await guestOn(own, top);
	const request = { path: "vda", base: undefined, top: undefined, bandwidth: 0n };
	await assert.rejects(own.run("blockCommit", domain, 0, request), isVirtError("INVALID_ARG", "requires active flag"));
	await own.run("blockCommit", domain, ACTIVE, request);
	await assert.rejects(own.run("blockPull", domain, 0, "vda", 0n), isVirtError("BLOCK_COPY_ACTIVE"));
	await until(() => jobEvents(own).includes("vda 4 3"), "the commit to be ready");
	assert.match(await own.run("xml", domain), /<mirror type='file' job='active-commit' ready='yes'>/);
	const { cur, end } = (await own.run("blockJobInfo", domain, 0, "vda")) ?? { cur: 0n, end: 1n };
	assert.equal(cur, end);
	await own.run("blockJobAbort", domain, PIVOT, "vda");
	assert.deepEqual(jobEvents(own), ["vda 4 3", "vda 4 0"]);
	assert.deepEqual(await files(domain), ["base.qcow2"]);
	const xml = await own.run("xml", domain);
	assert.ok(xml.includes(`<source file='${base}'`) && !xml.includes("<mirror"), xml);
	assert.ok((await own.run("xml", domain, INACTIVE)).includes(`<source file='${base}'/>`));
	await own.run("destroy", domain);
	assertWhole(base);
});

test("a copy is given up, and leaves nothing in QEMU; another becomes the disk", async () => {
	await using own = await TestDriver.start();
	const { top } = chain(own);
	const domain = await guestOn(own, top);
	const copyTo = (name: string, type: string) => ({
		path: "vda",
		xml: `<disk type='file'><driver type='${type}'/><source file='${own.path(name)}'/></disk>`,
		bandwidth: 0,
	});
	await assert.rejects(
		own.run("blockCopy", domain, 0, copyTo("copy", "raw")),
		isVirtError("OPERATION_INVALID", "transient"),
	);
	const before = await files(domain);
	await own.run("blockCopy", domain, TRANSIENT | SHALLOW, copyTo("shallow.qcow2", "qcow2"));
	await until(() => jobEvents(own).includes("vda 2 3"), "the copy to be ready");
	await own.run("blockJobAbort", domain, 0, "vda");
	assert.deepEqual(jobEvents(own), ["vda 2 3", "vda 2 2"]);
	assert.deepEqual(await files(domain), before);
	await own.run("blockCopy", domain, TRANSIENT, copyTo("copy.raw", "raw"));
	await until(() => jobEvents(own).length === 3, "the second copy to be ready");
	await own.run("blockJobAbort", domain, PIVOT, "vda");
	assert.deepEqual(await files(domain), ["copy.raw"]);
	await own.run("destroy", domain);
	assertWhole(own.path("copy.raw"), "raw");
});

test("a job goes on while the daemon is away, and one that ended meanwhile is finished by the next", async () => {
	await using own = await TestDriver.start();
	const { top } = chain(own);
	let domain = await guestOn(own, top);
	await own.run("blockPull", domain, BYTES, "vda", 65536n);
	await assert.rejects(
		own.run("blockPull", domain, 0, "vda", 0n),
		isVirtError("OPERATION_UNSUPPORTED", "already in active"),
	);
	await own.restart();
	domain = own.driver.domains.byName("guest") ?? domain;
	assert.equal((await own.run("blockJobInfo", domain, 0, "vda"))?.type, 1);
	const { monitor } = domain.activeRun();
	await monitor.execute("block-job-set-speed", { device: "pull-vda-libvirt-1-format", speed: 0 });
	await own.driver[Symbol.asyncDispose]();
	await own.restart();
	domain = own.driver.domains.byName("guest") ?? domain;
	await until(async () => (await own.run("blockJobInfo", domain, 0, "vda")) === undefined, "the job to be finished");
	assert.deepEqual(await files(domain), ["top.qcow2"]);
	await assert.rejects(own.run("blockJobAbort", domain, 0, "vda"), isVirtError("INVALID_ARG", "active block job"));
	await own.run("destroy", domain);
	assertWhole(top);
});

test("an image is named by number, by path, or not at all; a wrong name changes nothing", async () => {
	await using own = await TestDriver.start();
	const { top } = chain(own);
	const domain = await guestOn(own, top);
	const rebase = (base: string) => own.run("blockRebase", domain, 0, { path: "vda", base, bandwidth: 0n });
	await assert.rejects(rebase("/no/such"), isVirtError("INVALID_ARG", "could not find image '/no/such'"));
	await assert.rejects(rebase("vda[9]"), isVirtError("INVALID_ARG", "index '9'"));
	await assert.rejects(own.run("blockPull", domain, 0, "vdz", 0n), isVirtError("INVALID_ARG", "vdz"));
	await rebase("vda[3]");
	await until(() => jobEvents(own).length > 0, "the pull to end");
	assert.deepEqual(await files(domain), ["base.qcow2", "top.qcow2"]);
	await own.run("destroy", domain);
	assertWhole(top);
});

test("a disk grows while its guest runs", async () => {
	await using own = await TestDriver.start();
	const { top } = chain(own);
	const domain = await guestOn(own, top);
	await own.run("blockResize", domain, 0, "vda", 16n * 1024n);
	assert.equal((await own.run("blockInfo", domain, 0, "vda")).capacity, 16n * 1024n * 1024n);
	await own.run("setBlockThreshold", domain, 0, "vda", 1000n);
	await assert.rejects(own.run("setBlockThreshold", domain, 0, "vdx", 1n), isVirtError("INVALID_ARG"));
});
