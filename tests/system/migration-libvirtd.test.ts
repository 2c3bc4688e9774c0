// Live migration between virtkit and libvirt's own daemon, in both directions: led by real virsh, with libvirt's cookies.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import type { LibvirtClients } from "@virtkit/testing/libvirt-clients";
import { type Oracle, startLibvirtd } from "@virtkit/testing/oracle";

let ours: TestDaemon;
let theirs: Oracle;

before(async () => {
	[ours, theirs] = await Promise.all([startDaemon(), startLibvirtd()]);
});

after(async () => {
	await ours[Symbol.asyncDispose]();
	await theirs[Symbol.asyncDispose]();
});

const hosts = (): readonly (readonly [name: string, from: LibvirtClients, to: LibvirtClients])[] => [
	["to libvirtd", ours, theirs],
	["to virtkit", theirs, ours],
];

const move = (from: LibvirtClients, to: LibvirtClients, name: string, ...options: string[]): Promise<string> =>
	from.virsh("migrate", name, to.uri, "--live", "--unsafe", "--migrateuri", "tcp://127.0.0.1", ...options);

const state = async (host: LibvirtClients, name: string): Promise<string> =>
	(await host.virsh("domstate", name, "--reason")).trim();

/** A guest with a bit of everything that its destination must find again at the same place. */
function guest(name: string): string {
	const disk = ours.file(`${name}.raw`);
	writeFileSync(disk, Buffer.alloc(1 << 20));
	return `<domain type='qemu'><name>${name}</name><uuid>${randomUUID()}</uuid>
	<memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu>
	<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><features><acpi/><apic/></features>
	<cpu mode='host-model'/><clock offset='utc'><timer name='rtc' tickpolicy='catchup'/></clock>
	<devices>
		<disk type='file'><driver name='qemu' type='raw' cache='none'/><source file='${disk}'/><target dev='vda'/></disk>
		<controller type='scsi' model='virtio-scsi'/><controller type='virtio-serial'/>
		<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
		<input type='tablet' bus='usb'/><graphics type='vnc' autoport='yes'/><video><model type='virtio'/></video>
		<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
		<memballoon model='virtio'/><serial type='null'/>
	</devices></domain>`;
}

/** Device addresses and names as the document has them. */
const topology = async (host: LibvirtClients, name: string): Promise<string[]> =>
	[...(await host.virsh("dumpxml", name, "--migratable")).matchAll(/<(?:address|target|model) [^>]*>/g)]
		.map(([element]) => element)
		.sort();

test("a guest goes to libvirtd and back, and finds each of its devices where it was", async () => {
	await ours.virshWith(guest("tour"), "create");
	const before = await topology(ours, "tour");
	for (const [to, source, target] of hosts()) {
		await move(source, target, "tour");
		assert.equal(await state(target, "tour"), "running (migrated)", to);
		await assert.rejects(source.virsh("domstate", "tour"), to);
		assert.deepEqual(await topology(target, "tour"), before, to);
		assert.match(await target.virsh("domjobinfo", "tour", "--completed"), /Operation:\s+Incoming migration/, to);
	}
	await ours.virsh("destroy", "tour");
});

test("a guest that libvirtd started comes to virtkit with a disk plugged in, and goes back", async () => {
	await theirs.virshWith(guest("visitor"), "create");
	const disk = ours.file("plugged.raw");
	writeFileSync(disk, Buffer.alloc(1 << 20));
	await theirs.virsh("attach-disk", "visitor", disk, "sdb", "--targetbus", "scsi", "--cache", "none");
	const before = await topology(theirs, "visitor");
	await move(theirs, ours, "visitor");
	assert.deepEqual(await topology(ours, "visitor"), before);
	await ours.virsh("detach-disk", "visitor", "sdb");
	await move(ours, theirs, "visitor");
	assert.doesNotMatch(await theirs.virsh("dumpxml", "visitor"), /dev='sdb'/);
	await theirs.virsh("destroy", "visitor");
});

test("what the destination stores, its name and its pause are as asked for, whichever daemon it is", async () => {
	for (const [to, source, target] of hosts()) {
		await source.virshWith(guest("stored"), "define");
		await source.virsh("start", "stored");
		await source.virsh("desc", "stored", "--config", "as it starts next");
		await move(source, target, "stored", "--persistent", "--undefinesource", "--dname", "renamed", "--suspend");
		assert.match(await state(target, "renamed"), /^paused/, to);
		assert.match(await target.virsh("dumpxml", "renamed", "--inactive"), /as it starts next/, to);
		await assert.rejects(source.virsh("domstate", "stored"), to);
		await target.virsh("resume", "renamed");
		await target.virsh("destroy", "renamed");
		await target.virsh("undefine", "renamed");
	}
});

test("where the other daemon refuses the guest, or it is aborted on its way, it runs on where it was", async () => {
	for (const [to, source, target] of hosts()) {
		const document = guest("stays");
		await source.virshWith(document, "create");
		await assert.rejects(move(source, target, "stays", "--migrateuri", "tcp://127.0.0.1:1"), to);
		assert.match(await state(source, "stays"), /^running/, to);
		await target.virshWith(document.replace(/<disk.*<\/disk>/, ""), "create");
		await assert.rejects(move(source, target, "stays"), /stays/, to);
		assert.match(await state(source, "stays"), /^running/, to);
		await target.virsh("destroy", "stays");
		await source.virsh("destroy", "stays");
	}
});

test("either daemon leads the migration to the other itself", async () => {
	await ours.virshWith(guest("led"), "create");
	for (const [to, source, target] of hosts()) {
		await move(source, target, "led", "--p2p");
		assert.equal(await state(target, "led"), "running (migrated)", to);
		await assert.rejects(source.virsh("domstate", "led"), to);
	}
	await ours.virsh("destroy", "led");
});
