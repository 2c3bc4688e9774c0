// Disks that two hosts do not share go along with the guest: copied over NBD, to the last write, or not at all.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeCertificates } from "@virtkit/testing/certificates";
import type { TestDaemon } from "@virtkit/testing/daemon";
import { guestCount, startDaemonPair, stateOf } from "@virtkit/testing/daemon-pair";
import { startLibvirtd } from "@virtkit/testing/oracle";
import { tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";

const SIZE = 8 * 1024 ** 2;

const [source, target] = await startDaemonPair();

/** A guest of that daemon's with a raw and a qcow2 disk in the daemon's own folder, with an identity that does not change. */
function document(daemon: TestDaemon, name: string): string {
	const disk = (dev: string, type: string) =>
		`<disk type='file'><driver name='qemu' type='${type}'/><source file='${daemon.file(`${name}.${type}`)}'/><target dev='${dev}' bus='virtio'/></disk>`;
	const xml = tinyGuest(name, { devices: disk("vda", "raw") + disk("vdb", "qcow2") });
	return xml.replace(
		"</name>",
		`</name><uuid>6d4f0a3e-0000-4000-8000-${Buffer.from(name.padEnd(6, "x")).toString("hex").slice(0, 12)}</uuid>`,
	);
}

const write = (daemon: TestDaemon, name: string, device: string, what: string): Promise<string> =>
	daemon.virsh("qemu-monitor-command", name, "--hmp", `qemu-io -d ${device} "write ${what}"`);

/** Starts the guest with something on both disks, and writes the document that it arrives with. */
async function startGuest(name: string): Promise<string> {
	const [raw, qcow2] = [source.file(`${name}.raw`), source.file(`${name}.qcow2`)];
	writeFileSync(raw, "");
	truncateSync(raw, SIZE);
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", qcow2, String(SIZE)]);
	const file = source.file(`${name}.xml`);
	writeFileSync(file, document(source, name));
	await source.virsh("create", file);
	await write(source, name, "virtio-disk0/virtio-backend", "-P 0x5a 1M 64k");
	await write(source, name, "virtio-disk1/virtio-backend", "-P 0xa5 3M 64k");
	const there = target.file(`${name}.xml`);
	writeFileSync(there, document(target, name));
	return there;
}

const migrate = (name: string, xml: string, ...options: string[]): Promise<string> =>
	source.virsh("migrate", name, target.uri, "--live", "--xml", xml, "--migrateuri", "tcp://127.0.0.1", ...options);

/** The content of an image, as a guest sees it. */
function contentOf(path: string, format: string): Buffer {
	const plain = `${path}.plain`;
	execFileSync("qemu-img", ["convert", "-U", "-f", format, "-O", "raw", path, plain]);
	return readFileSync(plain);
}

function assertSame(name: string): void {
	for (const [format, offset, byte] of [
		["raw", 1 << 20, 0x5a],
		["qcow2", 3 << 20, 0xa5],
	] as const) {
		const [ours, theirs] = [source, target].map((daemon) => contentOf(daemon.file(`${name}.${format}`), format));
		assert.equal(theirs?.length, SIZE);
		assert.deepEqual(theirs.subarray(offset, offset + 65_536), Buffer.alloc(65_536, byte));
		assert.ok(ours?.equals(theirs));
	}
}

for (const [how, options] of [
	["led by virsh", []],
	["peer to peer, with writes that wait for both", ["--p2p", "--copy-storage-synchronous-writes"]],
] as const)
	test(`all disks are copied to images made at the destination, ${how}`, async () => {
		const name = how.startsWith("led") ? "copied" : "peered";
		const xml = await startGuest(name);
		await assert.rejects(migrate(name, xml, "--persistent"), /Migration without shared storage is unsafe/);
		await migrate(name, xml, "--copy-storage-all", ...options);
		assert.equal(await stateOf(target, name), "running (migrated)");
		assert.deepEqual([guestCount(source), guestCount(target)], [0, 1]);
		// The guest has its disks over there: nobody else writes to them.
		await write(target, name, "virtio-disk0/virtio-backend", "-P 0x11 0 4k");
		await target.virsh("destroy", name);
		execFileSync("dd", [
			`if=${target.file(`${name}.raw`)}`,
			`of=${source.file(`${name}.raw`)}`,
			"bs=4k",
			"count=1",
			"conv=notrunc",
			"status=none",
		]);
		assertSame(name);
	});

test("the disks that are named are copied, at the socket that is named; an image that is there is written to", async () => {
	const name = "chosen";
	const xml = await startGuest(name);
	for (const format of ["raw", "qcow2"])
		execFileSync("qemu-img", ["create", "-q", "-f", format, target.file(`${name}.${format}`), String(SIZE)]);
	// QEMU's user makes the socket.
	const folder = target.file("disks");
	mkdirSync(folder);
	chmodSync(folder, 0o777);
	const socket = join(folder, "socket");
	await migrate(
		name,
		xml,
		"--copy-storage-all",
		"--migrate-disks",
		"vdb",
		"--disks-uri",
		`unix://${socket}`,
		"--unsafe",
	);
	assert.equal(await stateOf(target, name), "running (migrated)");
	await target.virsh("destroy", name);
	assert.ok(contentOf(target.file(`${name}.raw`), "raw").equals(Buffer.alloc(SIZE)));
	const [ours, theirs] = [source, target].map((daemon) => contentOf(daemon.file(`${name}.qcow2`), "qcow2"));
	assert.ok(theirs && ours?.equals(theirs));
});

test("only what lies above a shared image is copied with --copy-storage-inc, which wants the images to be there", async () => {
	const name = "above";
	const xml = await startGuest(name);
	await assert.rejects(migrate(name, xml, "--copy-storage-inc"), /pre-creation of storage targets/);
	assert.match(await stateOf(source, name), /^running/);
	for (const format of ["raw", "qcow2"])
		execFileSync("qemu-img", ["create", "-q", "-f", format, target.file(`${name}.${format}`), String(SIZE)]);
	await migrate(name, xml, "--copy-storage-inc");
	await target.virsh("destroy", name);
	assertSame(name);
});

test("what cannot be copied is said, and nothing is left on either side", async () => {
	const name = "refused";
	const xml = await startGuest(name);
	await assert.rejects(migrate(name, xml, "--copy-storage-all", "--migrate-disks", "vdz"), /disk target vdz not found/);
	writeFileSync(target.file(`${name}.raw`), "too small");
	await assert.rejects(migrate(name, xml, "--copy-storage-all"), /migration of disk vda failed/);
	assert.match(await stateOf(source, name), /^running/);
	await until(() => guestCount(target) === 0, "that nothing waits for the guest any more");
	// The image that was made for it is gone, the one that was there is not.
	assert.deepEqual([existsSync(target.file(`${name}.raw`)), existsSync(target.file(`${name}.qcow2`))], [true, false]);
	const nodes = await source.virsh("qemu-monitor-command", name, '{"execute":"query-named-block-nodes"}');
	assert.ok(!nodes.includes("migration-vd"));
	assert.match(await source.virsh("qemu-monitor-command", name, '{"execute":"query-jobs"}'), /"return": \[\]/);
	await source.virsh("destroy", name);
});

test("a copy that its client ends, and one whose daemon is killed, leave the guest running here alone", async () => {
	const name = "ended";
	const xml = await startGuest(name);
	const slow = ["--copy-storage-all", "--bandwidth", "1"];
	const copying = async () => (await source.virsh("domjobinfo", name)).includes("File total");
	const aborted = assert.rejects(migrate(name, xml, ...slow), /canceled by client/);
	await until(copying, "that disks are copied");
	await source.virsh("domjobabort", name);
	await aborted;
	assert.match(await stateOf(source, name), /^running/);
	await until(() => guestCount(target) === 0, "that nothing waits for the guest any more");
	const killed = assert.rejects(migrate(name, xml, ...slow));
	await until(copying, "that disks are copied again");
	await source.stop("SIGKILL");
	await killed;
	await source.start();
	assert.match(await stateOf(source, name), /^running/);
	assert.match(await source.virsh("qemu-monitor-command", name, '{"execute":"query-jobs"}'), /"return": \[\]/);
	await until(() => guestCount(target) === 0, "that nothing waits for the guest over there");
	await migrate(name, xml, "--copy-storage-all");
	await target.virsh("destroy", name);
	assertSame(name);
});

test("a guest that came with its disks goes back with them", async () => {
	const name = "return";
	const xml = await startGuest(name);
	await migrate(name, xml, "--copy-storage-all");
	const back = ["--live", "--copy-storage-all", "--migrateuri", "tcp://127.0.0.1", "--xml", source.file(`${name}.xml`)];
	await target.virsh("migrate", name, source.uri, ...back);
	assert.equal(await stateOf(source, name), "running (migrated)");
	await source.virsh("destroy", name);
	assertSame(name);
});

test("disks go encrypted where the guest does, and to libvirtd and back", async () => {
	using certificates = temporaryFolder("vk-tls-");
	chmodSync(certificates.path, 0o755);
	makeCertificates(certificates.file("own"), "IP:127.0.0.1");
	const setting = `migrate_tls_x509_cert_dir = "${certificates.file("own")}"`;
	for (const daemon of [source, target]) {
		await daemon.stop();
		writeFileSync(daemon.file("etc/qemu.conf"), `${setting}\n`);
		await daemon.start();
	}
	await using libvirtd = await startLibvirtd({ qemuConf: [setting] });
	const name = "secret";
	const here = await startGuest(name);
	await migrate(name, here, "--copy-storage-all", "--tls");
	await target.virsh("destroy", name);
	assertSame(name);
	// The same paths again: libvirtd makes no images itself.
	await source.virsh("create", source.file(`${name}.xml`));
	const copy = ["--live", "--copy-storage-all", "--tls", "--migrateuri", "tcp://127.0.0.1"];
	await source.virsh("migrate", name, libvirtd.uri, "--xml", here, ...copy);
	assert.match(await libvirtd.virsh("domstate", name), /^running/);
	// A guest that has come to libvirtd with its disks cannot leave it with them: QEMU 7.2 does not let go of its images then.
	await libvirtd.virsh("destroy", name);
	assertSame(name);
	await libvirtd.virsh("create", here);
	await libvirtd.virsh("migrate", name, source.uri, "--xml", source.file(`${name}.xml`), ...copy);
	assert.equal(await stateOf(source, name), "running (migrated)");
	await source.virsh("destroy", name);
	assertSame(name);
});
