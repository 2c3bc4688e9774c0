// Backups and checkpoints of running guests, with real QEMU and real images.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import test from "node:test";
import type { QemuDomain } from "@virtkit/qemu/domain/domain";
import { makeCertificates } from "@virtkit/testing/certificates";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";

const START_PAUSED = 1;
const REUSE = 1;
/** VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN and _SIZE. */
const NO_DOMAIN = 2;
const SIZE = 4;
const KIB_64 = 65536;

const qemuImg = (...words: string[]): string => execFileSync("qemu-img", words, { encoding: "utf8" });

/** A paused guest with one disk of eight megabytes, whose first one has data. */
async function guestWithDisk(own: TestDriver, format = "qcow2"): Promise<QemuDomain> {
	const file = own.path("disk");
	qemuImg("create", "-q", "-f", format, file, "8M");
	execFileSync("qemu-io", ["-f", format, "-c", "write -P 1 0 1M", file]);
	const disk = `<disk type='file'><driver name='qemu' type='${format}'/><source file='${file}'/><target dev='vda' bus='virtio'/></disk>`;
	const domain = await own.define(tinyGuest("guest", { devices: disk }));
	await own.run("start", domain, START_PAUSED);
	return domain;
}

/** Does to the disk what a guest would: `write -P 7 0 64k`. */
async function inGuest(domain: QemuDomain, command: string): Promise<void> {
	const said = await domain.activeRun().monitor.executeUntyped("human-monitor-command", {
		"command-line": `qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend "${command}"`,
	});
	assert.equal(said, "");
}

/** Whether the image has `pattern` there, whatever lies below it. */
function has(path: string, format: string, pattern: number, offset: string, length: string): boolean {
	const words = ["-U", "-r", "-f", format, "-c", `read -P ${pattern} ${offset} ${length}`, path];
	return spawnSync("qemu-io", words).status === 0;
}

const disk = (type: string, path: string, format: string) =>
	`<domainbackup><disks><disk name='vda' type='${type}'><driver type='${format}'/><target file='${path}'/></disk></disks></domainbackup>`;
const incremental = (path: string, since: string) =>
	`<domainbackup><incremental>${since}</incremental><disks><disk name='vda' type='file'><target file='${path}'/></disk></disks></domainbackup>`;
const checkpoint = (name: string) => `<domaincheckpoint><name>${name}</name></domaincheckpoint>`;

const begin = (own: TestDriver, domain: QemuDomain, xml: string, checkpointXml?: string, flags = 0) =>
	own.run("beginBackup", domain, flags, { xml, checkpointXml });

/** The parameters of each backup that is over. */
const completed = (own: TestDriver): Record<string, unknown>[] =>
	own.allEvents.flatMap((event) =>
		event.kind === "job-completed"
			? [Object.fromEntries(event.params.map(({ field, value }) => [field, value.value]))]
			: [],
	);

const ended = (own: TestDriver, count = 1): Promise<void> =>
	until(() => completed(own).length >= count, "the backup to end");

/** Names of QEMU's nodes and bitmaps, in order. */
async function inQemu(domain: QemuDomain): Promise<string[]> {
	const nodes = await domain.activeRun().monitor.execute("query-named-block-nodes", { flat: true });
	return nodes
		.flatMap((node) => [
			node["node-name"] ?? "",
			...(node["dirty-bitmaps"] ?? []).map(({ name }) => `${node["node-name"]}/${name}`),
		])
		.sort();
}

/** What clients of an export read as changed. */
function changed(uri: string, bitmap: string): string[] {
	const [, socket = "", name = ""] = /^unix:(.*):(.*)$/.exec(uri) ?? [];
	const options = `driver=nbd,server.type=unix,server.path=${socket},export=${name},x-dirty-bitmap=qemu:dirty-bitmap:${bitmap}`;
	const extents = JSON.parse(qemuImg("map", "--output=json", "--image-opts", options)) as {
		start: number;
		length: number;
		data: boolean;
	}[];
	// With a bitmap as its source of truth, QEMU's client shows what is dirty as holes.
	return extents.filter(({ data }) => !data).map(({ start, length }) => `${start}+${length}`);
}

test("a push copies the disk as it was, and tells when it is done", async () => {
	await using own = await TestDriver.start();
	const domain = await guestWithDisk(own);
	const before = await inQemu(domain);
	await begin(own, domain, disk("file", own.path("copy.raw"), "raw"));
	await ended(own);
	const [params] = completed(own);
	assert.equal(params?.success, true);
	assert.equal(params?.operation, 9);
	assert.equal(params?.disk_total, params?.disk_processed);
	assert.equal((await own.run("jobStats", domain, 1)).type, 3);
	await assert.rejects(own.run("backupXml", domain), isVirtError("NO_DOMAIN_BACKUP"));
	await until(async () => (await own.run("blockJobInfo", domain, 0, "vda")) === undefined, "the job to be gone");
	assert.deepEqual(await inQemu(domain), before);
	assert.ok(has(own.path("copy.raw"), "raw", 1, "0", "1M"));
	await begin(own, domain, "<domainbackup/>");
	await ended(own, 2);
	const [made = ""] = readdirSync(own.root).filter((name) => /^disk\.\d+$/.test(name));
	assert.ok(has(own.path(made), "qcow2", 1, "0", "1M"));
});

test("while a backup is under way it can be read, watched and ended; others are refused", async () => {
	await using own = await TestDriver.start();
	const domain = await guestWithDisk(own);
	const before = await inQemu(domain);
	const socket = own.path("nbd.sock");
	const pull = `<domainbackup mode='pull'><server transport='unix' socket='${socket}'/><disks><disk name='vda' type='file'><scratch file='${own.path("scratch")}'/></disk></disks></domainbackup>`;
	await begin(own, domain, pull);
	const xml = await own.run("backupXml", domain);
	assert.match(xml, /<disk name='vda' backup='yes' type='file' backupmode='full' exportname='vda' index='\d+'>/);
	await inGuest(domain, "write -P 9 0 64k");
	qemuImg("convert", "-f", "raw", "-O", "raw", `nbd+unix:///vda?socket=${socket}`, own.path("pulled"));
	assert.ok(has(own.path("pulled"), "raw", 1, "0", "1M"), "what the guest wrote meanwhile is not in it");
	const stats = await own.run("jobStats", domain);
	assert.deepEqual([stats.type, stats.params[0]?.value.value], [2, 9]);
	assert.ok(stats.params.some(({ field }) => field === "disk_temp_used"));
	assert.equal((await own.run("blockJobInfo", domain, 0, "vda"))?.type, 5);
	await assert.rejects(own.run("blockPull", domain, 0, "vda", 0n), isVirtError("OPERATION_UNSUPPORTED"));
	await assert.rejects(own.run("detachDevice", domain, 1, "<disk><target dev='vda'/></disk>"));
	await own.run("abortJob", domain);
	await ended(own);
	assert.equal(completed(own)[0]?.success, true, "a pull that its client ends is complete");
	await until(async () => (await own.run("blockJobInfo", domain, 0, "vda")) === undefined, "the job to be gone");
	assert.ok(!existsSync(own.path("scratch")));
	assert.deepEqual(await inQemu(domain), before);
	await assert.rejects(own.run("abortJob", domain), isVirtError("OPERATION_INVALID", "no job is active"));
});

test("a push that is cancelled, or whose guest ends, leaves no file", async () => {
	await using own = await TestDriver.start();
	const domain = await guestWithDisk(own);
	const target = own.path("copy");
	const slow = async (): Promise<void> => {
		await inGuest(domain, "write -P 5 0 8M");
		await begin(own, domain, disk("file", target, "qcow2"));
		await own.run("blockJobSetSpeed", domain, 0, "vda", 1n).catch(() => undefined);
	};
	await slow();
	await own.run("abortJob", domain).catch(() => undefined);
	await ended(own);
	if (completed(own)[0]?.success === false) {
		assert.ok(!existsSync(target));
		assert.equal((await own.run("jobStats", domain, 1)).type, 5);
	} else execFileSync("rm", [target]);
	await until(async () => (await own.run("blockJobInfo", domain, 0, "vda")) === undefined, "the job to be gone");
	const pull = `<domainbackup mode='pull'><server transport='unix' socket='${own.path("s")}'/><disks><disk name='vda'><scratch file='${target}'/></disk></disks></domainbackup>`;
	await begin(own, domain, pull);
	await own.run("destroy", domain);
	assert.ok(!existsSync(target));
	assert.equal(completed(own).length, 2);
	await own.run("start", domain, START_PAUSED);
	await begin(own, domain, disk("file", target, "qcow2"));
	await ended(own, 3);
});

test("a backup that cannot begin leaves nothing", async () => {
	await using own = await TestDriver.start();
	const domain = await guestWithDisk(own);
	const [files, before] = [readdirSync(own.root).sort(), await inQemu(domain)];
	const refuse = async (xml: string, code: Parameters<typeof isVirtError>[0], words = "", mark?: string) => {
		await assert.rejects(begin(own, domain, xml, mark), isVirtError(code, words), xml);
		assert.deepEqual(readdirSync(own.root).sort(), files, xml);
		assert.deepEqual(await inQemu(domain), before, xml);
		assert.deepEqual(await own.run("checkpoints", domain, 0, undefined), []);
		assert.ok(domain.lock.free);
	};
	const pull = (server: string) =>
		`<domainbackup mode='pull'>${server}<disks><disk name='vda'><scratch file='${own.path("s")}'/></disk></disks></domainbackup>`;
	await refuse("<domainbackup mode='pull'/>", "XML_INVALID_SCHEMA");
	await refuse("<domainbackup mode='steal'/>", "XML_INVALID_SCHEMA");
	await refuse(disk("file", own.path("disk"), "qcow2"), "INVALID_ARG", "exists");
	await refuse(disk("file", "/no/such/folder/copy", "qcow2"), "SYSTEM_ERROR");
	await refuse(incremental(own.path("copy"), "none"), "NO_DOMAIN_CHECKPOINT", "'none'");
	await refuse(
		"<domainbackup><disks><disk name='vdx' type='file'/></disks></domainbackup>",
		"CONFIG_UNSUPPORTED",
		"no disk named 'vdx'",
	);
	await refuse(
		"<domainbackup><disks><disk name='vda' backup='no'/></disks></domainbackup>",
		"CONFIG_UNSUPPORTED",
		"no disks selected",
	);
	await refuse(pull("<server name='localhost'/>"), "OPERATION_UNSUPPORTED", "must specify TCP port");
	await refuse(pull(`<server transport='unix' socket='/no/such/folder/s'/>`), "INTERNAL_ERROR", "", checkpoint("c"));
	await refuse(pull(`<server tls='yes' name='localhost' port='1'/>`), "INTERNAL_ERROR");
	const stopped = await own.define(tinyGuest("other"));
	await assert.rejects(begin(own, stopped, "<domainbackup/>"), isVirtError("OPERATION_UNSUPPORTED", "inactive"));
});

test("backups of what changed since a checkpoint have exactly that", async () => {
	await using own = await TestDriver.start();
	const domain = await guestWithDisk(own);
	await begin(own, domain, disk("file", own.path("full"), "qcow2"), checkpoint("one"));
	await ended(own);
	await inGuest(domain, "write -P 2 2M 64k");
	await own.run("createCheckpoint", domain, 0, checkpoint("two"));
	assert.equal(await own.run("checkpointParent", domain, 0, "two"), "one");
	await inGuest(domain, "write -P 3 4M 64k");
	const described = await own.run("checkpointXml", domain, NO_DOMAIN | SIZE, "one");
	assert.match(described, new RegExp(`<disk name='vda' checkpoint='bitmap' bitmap='one' size='${2 * KIB_64}'/>`));
	const before = await inQemu(domain);
	await begin(own, domain, incremental(own.path("since-one"), "one"));
	await ended(own, 2);
	assert.deepEqual(await inQemu(domain), before);
	const since = own.path("since-one");
	qemuImg("rebase", "-u", "-b", "", since);
	assert.ok(
		has(since, "qcow2", 2, "2M", "64k") && has(since, "qcow2", 3, "4M", "64k") && has(since, "qcow2", 0, "0", "1M"),
	);
	const socket = own.path("nbd.sock");
	await begin(
		own,
		domain,
		`<domainbackup mode='pull'><incremental>two</incremental><server transport='unix' socket='${socket}'/><disks><disk name='vda' exportname='disk' exportbitmap='since'><scratch file='${own.path("scratch")}'/></disk></disks></domainbackup>`,
	);
	assert.deepEqual(changed(`unix:${socket}:disk`, "since"), [`${4 << 20}+${KIB_64}`]);
	await own.run("abortJob", domain);
	await ended(own, 3);
	await until(async () => (await own.run("blockJobInfo", domain, 0, "vda")) === undefined, "the job to be gone");
	assert.deepEqual(await inQemu(domain), before);
});

test("checkpoints outlive guest and daemon, and go when they are deleted", async () => {
	await using own = await TestDriver.start();
	let domain = await guestWithDisk(own);
	for (const name of ["a", "b", "c"]) await own.run("createCheckpoint", domain, 0, checkpoint(name));
	await assert.rejects(
		own.run("createCheckpoint", domain, 0, checkpoint("a")),
		isVirtError("OPERATION_FAILED", "exists"),
	);
	await inGuest(domain, "write -P 3 4M 64k");
	await own.run("destroy", domain);
	await assert.rejects(own.run("createCheckpoint", domain, 0, checkpoint("d")), isVirtError("OPERATION_UNSUPPORTED"));
	await assert.rejects(own.run("deleteCheckpoint", domain, 0, "a"), isVirtError("OPERATION_UNSUPPORTED"));
	await own.restart();
	domain = own.driver.domains.byName("guest") ?? domain;
	assert.deepEqual(await own.run("checkpoints", domain, 0, undefined), ["a", "b", "c"]);
	await assert.rejects(own.run("undefine", domain), isVirtError("OPERATION_INVALID", "3 checkpoints"));
	await own.run("start", domain, START_PAUSED);
	const text = await own.run("checkpointXml", domain, 0, "b");
	await own.run("deleteCheckpoint", domain, 2, "b");
	assert.equal(await own.run("checkpointParent", domain, 0, "c"), "a");
	await own.run("createCheckpoint", domain, 5, text);
	await own.run("deleteCheckpoint", domain, 0, "b");
	assert.ok(!(await inQemu(domain)).some((name) => name.endsWith("/b")));
	await assert.rejects(own.run("createCheckpoint", domain, 5, text), isVirtError("CHECKPOINT_INCONSISTENT", "'b'"));
	await own.run("deleteCheckpoint", domain, 1, "a");
	assert.deepEqual(await own.run("checkpoints", domain, 0, undefined), []);
	assert.ok(!(await inQemu(domain)).some((name) => name.includes("/")));
});

test("a backup goes on while the daemon is away, and ends with the next", async () => {
	await using own = await TestDriver.start();
	let domain = await guestWithDisk(own);
	const socket = own.path("nbd.sock");
	await begin(
		own,
		domain,
		`<domainbackup mode='pull'><server transport='unix' socket='${socket}'/><disks><disk name='vda'><scratch file='${own.path("scratch")}'/></disk></disks></domainbackup>`,
	);
	await inGuest(domain, "write -P 9 0 64k");
	await own.restart();
	domain = own.driver.domains.byName("guest") ?? domain;
	assert.match(await own.run("backupXml", domain), /<server transport='unix'/);
	qemuImg("convert", "-f", "raw", "-O", "raw", `nbd+unix:///vda?socket=${socket}`, own.path("pulled"));
	assert.ok(has(own.path("pulled"), "raw", 1, "0", "1M"));
	assert.equal((await own.run("jobStats", domain)).type, 2);
	await own.run("abortJob", domain);
	await ended(own);
	assert.ok(!existsSync(own.path("scratch")));
	await until(() => domain.lock.free, "the guest to be free");
	await begin(own, domain, disk("file", own.path("copy"), "qcow2"), undefined);
	await own.restart();
	domain = own.driver.domains.byName("guest") ?? domain;
	await until(() => domain.activeRun().backup === undefined, "the push to end");
	assert.ok(has(own.path("copy"), "qcow2", 9, "0", "64k") && has(own.path("copy"), "qcow2", 1, "64k", "960k"));
	await until(() => domain.lock.free, "the guest to be free");
	qemuImg("create", "-q", "-f", "qcow2", own.path("there"), "8M");
	await begin(own, domain, disk("file", own.path("there"), "qcow2"), undefined, REUSE);
	await until(() => domain.activeRun().backup === undefined, "the push to end");
	assert.ok(has(own.path("there"), "qcow2", 1, "64k", "960k"));
});

test("a pull over TLS is read by clients with a certificate alone", async () => {
	using certificates = temporaryFolder("virtkit-backup-tls-");
	const folder = certificates.file("pki");
	makeCertificates(folder, "DNS:localhost");
	const socket = certificates.file("nbd");
	await using own = await TestDriver.start({ backupTlsX509CertDir: folder });
	const domain = await guestWithDisk(own);
	await begin(
		own,
		domain,
		`<domainbackup mode='pull'><server tls='yes' transport='unix' socket='${socket}'/><disks><disk name='vda'><scratch file='${own.path("scratch")}'/></disk></disks></domainbackup>`,
	);
	const image = `driver=nbd,server.type=unix,server.path=${socket},export=vda`;
	const plain = spawnSync("qemu-img", ["info", "--image-opts", image]);
	assert.notEqual(plain.status, 0, "a client without TLS");
	const object = `tls-creds-x509,id=tls,endpoint=client,dir=${folder}`;
	const convert = [
		"convert",
		"--object",
		object,
		"--image-opts",
		`${image},tls-creds=tls,tls-hostname=localhost`,
		"-O",
		"raw",
		own.path("pulled"),
	];
	qemuImg(...convert);
	assert.ok(has(own.path("pulled"), "raw", 1, "0", "1M"));
	await own.run("abortJob", domain);
	await ended(own);
	const objects = await domain.activeRun().monitor.executeUntyped("qom-list", { path: "/objects" });
	assert.doesNotMatch(JSON.stringify(objects), /libvirt_backup/);
});
