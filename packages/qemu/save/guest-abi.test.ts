// What a guest must find again where it goes on: each difference is refused, by the name of what differs.

import assert from "node:assert/strict";
import test from "node:test";
import { parseDomain } from "@virtkit/model/domain/domain";
import { isVirtError } from "@virtkit/testing/expect-error";
import { checkGuestAbi } from "./guest-abi.ts";

const GUEST = `<domain type='qemu'><name>same</name><uuid>6bb1a7a0-3a7c-4b7e-9d0e-6f0d7d0c0a02</uuid>
<maxMemory slots='4' unit='KiB'>1048576</maxMemory><memory unit='KiB'>262144</memory><vcpu current='2'>4</vcpu>
<memoryBacking><source type='memfd'/></memoryBacking>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<cpu mode='custom' match='exact'><model>qemu64</model><numa><cell id='0' cpus='0-1' memory='131072' unit='KiB'/><cell id='1' cpus='2-3' memory='131072' unit='KiB'/></numa></cpu>
<clock offset='utc'><timer name='rtc' tickpolicy='catchup'/></clock>
<devices>
<disk type='file' device='disk'><driver name='qemu' type='raw' iommu='on'/><source file='/a'/><target dev='vda' bus='virtio'/></disk>
<filesystem type='mount'><source dir='/srv'/><target dir='share'/></filesystem>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><acpi index='3'/></interface>
<channel type='unix'><target type='virtio' name='org.example.0'/></channel>
<redirdev bus='usb' type='tcp'><source mode='connect' host='h' service='4000'/></redirdev>
<redirfilter><usbdev class='0x08' allow='yes'/></redirfilter>
<shmem name='shared'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>
<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>
<memory model='dimm'><target><size unit='KiB'>131072</size><node>0</node></target></memory>
<iommu model='intel'><driver intremap='on'/></iommu>
</devices></domain>`;

/** What is changed, into what, and the words of the refusal. */
const CHANGES: readonly [from: string, to: string, message: string][] = [
	["<vcpu current='2'", "<vcpu current='3'", "Target domain state of vCPUs 1110 does not match source 1100"],
	["type='memfd'", "type='file'", "Target domain memoryBacking source file does not match source memfd"],
	[
		"<cell id='1' cpus='2-3' memory='131072' unit='KiB'/>",
		"",
		"Target domain NUMA node count 1 does not match source 2",
	],
	["cpus='2-3'", "cpus='2'", "Target domain processors of NUMA nodes 0-1; 2 does not match source 0-1; 2-3"],
	["slots='4'", "slots='8'", "Target domain memory slots 8 does not match source 4"],
	["iommu='on'", "packed='on'", "Target device iommu option (none) does not match source true"],
	["dir='share'", "dir='other'", "Target filesystem guest target"],
	["index='3'", "index='4'", "Target ACPI index 4 does not match source 3"],
	["00:00:01", "00:00:02", "Target network card mac 52:54:00:00:00:02 does not match source 52:54:00:00:00:01"],
	["org.example.0", "org.example.1", "Target channel name org.example.1 does not match source org.example.0"],
	["class='0x08' allow='yes'", "class='0x08' allow='no'", "Target USB redirection filter does not match source"],
	["type='ivshmem-plain'", "type='ivshmem-doorbell'", "Target shared memory model"],
	["<size unit='M'>4", "<size unit='M'>8", "Target shared memory size"],
	["version='2.0'", "version='1.2'", "Target TPM version 1.2 does not match source 2.0"],
	["131072</size><node>0", "131072</size><node>1", "Target memory device targetNode 1 does not match source 0"],
	["intremap='on'", "eim='on'", "Target domain IOMMU device intremap value"],
	["tickpolicy='catchup'", "tickpolicy='delay'", "Target domain timers does not match source"],
	["machine='q35'", "machine='pc'", "Target domain machine type pc does not match source q35"],
];

test("a definition that the guest cannot tell from its own takes its place", () => {
	const other = GUEST.replace("file='/a'", "file='/elsewhere'").replace("service='4000'", "service='4001'");
	checkGuestAbi(parseDomain(GUEST), parseDomain(other));
});

for (const [from, to, message] of CHANGES)
	test(`another guest is refused: ${message}`, () => {
		assert.ok(GUEST.includes(from));
		assert.throws(
			() => checkGuestAbi(parseDomain(GUEST), parseDomain(GUEST.replace(from, to))),
			isVirtError("CONFIG_UNSUPPORTED", message),
		);
	});
