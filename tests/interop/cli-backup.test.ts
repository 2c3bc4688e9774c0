// Commands for backups and checkpoints beside real virsh's, on a guest that has checkpoints and a backup under way.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { test } from "node:test";
import { startDaemon } from "@virtkit/testing/daemon";
import { tinyGuest } from "@virtkit/testing/qemu-driver";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { askOurs, askVirsh, differences } from "./virsh-side-by-side.ts";

const mark = (name: string) =>
	`<domaincheckpoint><name>${name}</name><description>of ${name}</description></domaincheckpoint>`;

test("backups and checkpoints are made, shown and deleted as virsh does", async () => {
	await using daemon = await startDaemon();
	// QEMU runs as another user, and makes the socket itself.
	using folder = temporaryFolder();
	chmodSync(folder.path, 0o777);
	const disk = daemon.file("disk");
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", disk, "1M"]);
	chmodSync(disk, 0o666);
	const devices = `<disk type='file'><driver name='qemu' type='qcow2'/><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>`;
	await daemon.virshWith(tinyGuest("b", { devices }), "define");
	await daemon.virsh("start", "b", "--paused");
	for (const name of ["one", "two", "three"]) {
		const made = await askOurs(daemon.uri, `checkpoint-create-as b ${name} 'of ${name}'`);
		assert.deepEqual([made.status, made.out], [0, `Domain checkpoint ${name} created\n`], made.err);
	}
	const pull = `<domainbackup mode='pull'><server transport='unix' socket='${folder.file("nbd")}'/><disks><disk name='vda'><scratch file='${daemon.file("scratch")}'/></disk></disks></domainbackup>`;
	const begun = await daemon.python(`
d = conn.lookupByName("b")
d.checkpointCreateXML("""${mark("four")}""")
d.backupBegin("""${pull}""", None)
print("begun")`);
	assert.equal(begun.trim(), "begun");
	const lines = [
		"checkpoint-list b",
		"checkpoint-list b --parent",
		"checkpoint-list b --roots",
		"checkpoint-list b --leaves",
		"checkpoint-list b --no-leaves --name",
		"checkpoint-list b --tree",
		"checkpoint-list b --from one",
		"checkpoint-list b --from one --descendants --topological",
		"checkpoint-list b --from none",
		"checkpoint-list b --tree --name",
		"checkpoint-info b two",
		"checkpoint-info b none",
		"checkpoint-parent b two",
		"checkpoint-parent b one",
		"checkpoint-dumpxml b two",
		"checkpoint-dumpxml b two --no-domain --size",
		"checkpoint-create-as b two",
		"checkpoint-create-as b --print-xml five --diskspec vda,bitmap=five",
		"checkpoint-create b --xmlfile /nothing",
		"checkpoint-delete b none",
		"checkpoint-delete b one --children --children-only",
		"backup-dumpxml b",
		"backup-begin b --backupxml /nothing",
		"domjobinfo b",
		"domjobinfo b --rawstats",
		"blockjob b vda",
		"blockjob b vda --raw",
	].map((line) => ({ line, volatile: /Time elapsed: +\d+ +\w+|time_elapsed: \d+/g }));
	assert.deepEqual(await differences(daemon.uri, lines), []);
	assert.equal((await askOurs(daemon.uri, "domjobabort b")).status, 0);
	for (const ask of [askVirsh, askOurs]) {
		const name = ask === askVirsh ? "two" : "three";
		const { status, out } = await ask(daemon.uri, `checkpoint-delete b ${name}`);
		assert.deepEqual([status, out.trim()], [0, `Domain checkpoint ${name} deleted`]);
	}
	const rest = await askOurs(daemon.uri, "checkpoint-list b --tree");
	assert.equal(rest.out, (await askVirsh(daemon.uri, "checkpoint-list b --tree")).out);
	assert.match(rest.out, /one\n {2}\|\n {2}\+- four/);
});
