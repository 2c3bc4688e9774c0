// Reading and writing backup documents.

import assert from "node:assert/strict";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { formatBackup, parseBackup } from "./backup.ts";

test("a backup is written as libvirt writes it", () => {
	const push = `<domainbackup mode='push'>
  <incremental>monday</incremental>
  <disks>
    <disk name='vda' backup='yes' type='file' backupmode='incremental'>
      <driver type='raw'/>
      <target file='/backups/a'/>
    </disk>
    <disk name='vdb' backup='yes' type='block' backupmode='full'>
      <target dev='/dev/sdz'/>
    </disk>
    <disk name='vdc' backup='no'/>
  </disks>
</domainbackup>
`;
	assert.equal(formatBackup(parseBackup(push)), push);
	const pull = `<domainbackup mode='pull'>
  <server transport='tcp' tls='yes' name='localhost' port='10809'/>
  <disks>
    <disk name='vda' backup='yes' type='file' exportname='a' exportbitmap='b'>
      <driver type='qcow2'/>
      <scratch file='/backups/a'/>
    </disk>
  </disks>
</domainbackup>
`;
	assert.equal(formatBackup(parseBackup(pull)), pull);
	assert.equal(formatBackup(parseBackup("<domainbackup/>")), "<domainbackup mode='push'/>\n");
});

test("a backup that no schema lets through is refused", () => {
	const refused = (body: string, mode = "push"): void =>
		assert.throws(
			() => parseBackup(`<domainbackup mode='${mode}'>${body}</domainbackup>`),
			isVirtError("XML_INVALID_SCHEMA", ""),
			body,
		);
	const server = "<server name='localhost' port='1'/>";
	const disk = (words: string, inside = ""): string => `<disks><disk name='vda' ${words}>${inside}</disk></disks>`;
	refused("", "steal");
	refused("<extra/>");
	refused(server);
	refused(disk(""));
	refused(disk("type='network'"));
	refused(disk("type='file' index='3'", "<scratch file='/a'/>"));
	refused(disk("type='file' exportname='a'"));
	refused(disk("type='file' state='running'"));
	refused(disk("type='file' backupmode='full' incremental='a'"));
	refused(disk("backup='no' type='file'"));
	refused(disk("type='file'", "<target file='a'/>"));
	refused("", "pull");
	refused("<server/>", "pull");
	refused("<server transport='unix' socket='a'/>", "pull");
	refused("<server transport='unix' socket='/a' port='1'/>", "pull");
	refused(`${server}${disk("", "<target file='/a'/>")}`, "pull");
	refused(`${server}${disk("", "<driver type='raw'/>")}`, "pull");
});
