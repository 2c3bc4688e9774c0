// Our commands for snapshots and checkpoints beside real virsh, asked the same of one daemon's guests with snapshots: output, complaints and status.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { differences } from "./virsh-side-by-side.ts";

let daemon: TestDaemon;

function document(name: string): string {
	const image = daemon.file(`${name}.img`);
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", image, "8M"]);
	chmodSync(image, 0o666);
	return `<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><disk type='file'><driver name='qemu' type='qcow2'/><source file='${image}'/><target dev='vda' bus='virtio'/></disk>
<serial type='null'/><memballoon model='none'/></devices></domain>`;
}

before(async () => {
	daemon = await startDaemon();
	for (const name of ["off", "on", "none", "marks"]) await daemon.virshWith(document(name), "define");
	for (const name of ["on", "marks"]) await daemon.virsh("start", name, "--paused");
	for (const name of ["one", "two"]) await daemon.virsh("checkpoint-create-as", "marks", name);
	for (const name of ["first", "second", "third"]) await daemon.virsh("snapshot-create-as", "off", name, `the ${name}`);
	await daemon.virsh("snapshot-revert", "off", "first");
	await daemon.virsh("snapshot-create-as", "off", "branch");
	await daemon.virsh("snapshot-create-as", "on", "disks", "--disk-only");
	writeFileSync(
		daemon.file("x.xml"),
		"<domainsnapshot><name>x</name><description>from a file</description></domainsnapshot>",
	);
	writeFileSync(daemon.file("bad.xml"), "<domain/>");
});
after(() => daemon[Symbol.asyncDispose]());

async function same(text: string, volatile = /\b1[5-9]\d{8}\b|\b2\d{9}\b/g): Promise<void> {
	const cases = text
		.trim()
		.split("\n")
		.map((line) => ({ line: line.trim(), volatile }));
	assert.deepEqual(await differences(daemon.uri, cases), []);
}

test("snapshots are listed, described and found alike", () =>
	same(`
		snapshot-list off
		snapshot-list off --parent
		snapshot-list off --roots
		snapshot-list off --leaves
		snapshot-list off --no-leaves
		snapshot-list off --tree
		snapshot-list off --name
		snapshot-list off --name --topological
		snapshot-list off --inactive --name
		snapshot-list off --active --name
		snapshot-list off --internal --name
		snapshot-list off --external --name
		snapshot-list off --no-metadata
		snapshot-list off --from first
		snapshot-list off --from first --descendants
		snapshot-list off --from first --tree
		snapshot-list off --from nope
		snapshot-list off --current
		snapshot-list on --disk-only
		snapshot-list none
		snapshot-list none --tree
		snapshot-list none --current
		snapshot-list nope
		snapshot-info off first
		snapshot-info off --current
		snapshot-info on disks
		snapshot-info off nope
		snapshot-info none --current
		snapshot-current off
		snapshot-current off --name
		snapshot-current on --security-info
		snapshot-current none
		snapshot-current off first; snapshot-current off --name; snapshot-current off branch
		snapshot-current off nope
		snapshot-dumpxml off second
		snapshot-dumpxml on disks --security-info
		snapshot-dumpxml off nope
		snapshot-parent off second
		snapshot-parent off first
		snapshot-parent off --current
		snapshot-parent off nope
		undefine off
	`));

test("snapshots are taken, gone back to and deleted alike", () =>
	same(`
		snapshot-create-as none a "a description"; snapshot-dumpxml none a; snapshot-delete none a
		snapshot-create none; snapshot-list none --name; snapshot-delete none --current
		snapshot-create none ${daemon.file("x.xml")}; snapshot-info none x; snapshot-delete none x
		snapshot-create none ${daemon.file("bad.xml")}
		snapshot-create none /nothing
		snapshot-create none ${daemon.file("x.xml")} --redefine
		snapshot-create none ${daemon.file("x.xml")} --redefine --no-metadata
		snapshot-create-as none a --print-xml --diskspec vda,snapshot=external,file=/x --memspec /m
		snapshot-create-as none a/b
		snapshot-create-as none .a
		snapshot-create-as none a --live
		snapshot-create-as none a --quiesce
		snapshot-create-as none a --quiesce --disk-only --diskspec vda,snapshot=no
		snapshot-create-as none a --memspec /m
		snapshot-create-as none a --diskspec vdz
		snapshot-create-as none a --diskspec vda,snapshot=no
		snapshot-create-as on a --disk-only --diskspec vda,snapshot=internal
		snapshot-create-as on a --disk-only --quiesce
		snapshot-create-as on a --disk-only --diskspec vda,file=/no/such/folder
		snapshot-create-as off first
		snapshot-create-as none a; snapshot-create-as none b; snapshot-delete none a --children-only; snapshot-delete none a --children
		snapshot-create-as none a; snapshot-delete none a --metadata; snapshot-list none
		snapshot-create-as none a; snapshot-revert none a; snapshot-revert none a --running; snapshot-revert none --current --paused; destroy none; snapshot-delete none a
		snapshot-create-as none a; snapshot-revert none a --running --paused; snapshot-delete none a
		snapshot-revert off nope
		snapshot-revert none --current
		snapshot-delete off nope
		snapshot-delete none --current
		snapshot-delete off first --children --children-only
		snapshot-create-as none a --disk-only; snapshot-delete none a
		snapshot-create-as none a --disk-only --no-metadata --diskspec vda,file=${daemon.file("never")},driver=raw
	`));

test("checkpoints are listed, described, made and deleted alike", () =>
	same(`
		checkpoint-list marks
		checkpoint-list marks --parent
		checkpoint-list marks --roots --name
		checkpoint-list marks --leaves --name
		checkpoint-list marks --tree
		checkpoint-list marks --from one
		checkpoint-list marks --from one --tree
		checkpoint-list marks --from nope
		checkpoint-list none
		checkpoint-info marks one
		checkpoint-info marks nope
		checkpoint-info marks
		checkpoint-parent marks two
		checkpoint-parent marks one
		checkpoint-dumpxml marks two --no-domain
		checkpoint-dumpxml marks nope
		checkpoint-create-as marks three; checkpoint-list marks --name; checkpoint-delete marks three
		checkpoint-create-as marks one
		checkpoint-create-as marks x --print-xml --diskspec vda,checkpoint=bitmap
		checkpoint-delete marks nope
		checkpoint-delete marks one --children --children-only
	`));
