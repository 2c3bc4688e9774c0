// Disks that cannot be had, and disks that can be had but not started with: which of their faults is told.

import assert from "node:assert/strict";
import test from "node:test";
import type { ErrorCode } from "@virtkit/base/errors";
import { defineContext } from "@virtkit/testing/define-context";
import { isVirtError } from "@virtkit/testing/expect-error";
import { assignAddresses } from "../addresses/assign.ts";
import { addDiskControllers, addMachineControllers, assignControllerIndexes } from "../addresses/controllers.ts";
import { checkDevice } from "../defaults/check.ts";
import { disk } from "./disk.ts";
import { checkDisksToStart, checkImagesToStart } from "./disk-start-check.ts";
import type { DefineContext } from "./entry.ts";

interface Parts {
	readonly attributes?: string;
	readonly inner?: string;
	readonly target?: string;
}

function diskXml({
	attributes = "type='file'",
	inner = "<source file='/a'/>",
	target = "dev='vda' bus='virtio'",
}: Parts) {
	return `<disk ${attributes}>${inner}<target ${target}/></disk>`;
}

/** The definition with such disks, as far as it is completed before it is checked. */
function completed(...disks: readonly Parts[]): DefineContext {
	const context = defineContext(disks.map(diskXml).join(""));
	assignControllerIndexes(context.def);
	addMachineControllers(context);
	for (const each of context.def.devices.disks) disk.complete?.(each, context);
	addDiskControllers(context.def);
	return context;
}

function define(...disks: readonly Parts[]): DefineContext {
	const context = completed(...disks);
	assignAddresses(context);
	for (const each of context.def.devices.disks) checkDevice(each, disk, context);
	return context;
}

const NETWORK = "type='network'";

const REFUSED: readonly (readonly [name: string, code: ErrorCode, message: string, parts: Parts])[] = [
	["a SCSI option on a virtio disk", "CONFIG_UNSUPPORTED", "rawio", { attributes: "type='file' rawio='yes'" }],
	[
		"the common fault before the emulator's",
		"INTERNAL_ERROR",
		"Malformed wwn: zzz",
		{ inner: "<driver name='qemu' type='iso'/><source file='/a'/><wwn>zzz</wwn>" },
	],
	[
		"an image format that QEMU reads as raw only",
		"CONFIG_UNSUPPORTED",
		"'iso' is not directly supported",
		{ inner: "<driver name='qemu' type='iso'/><source file='/a'/>" },
	],
	[
		"a vhost-user disk on another bus, before its bus is found to be for floppies",
		"CONFIG_UNSUPPORTED",
		"only virtio bus",
		{ attributes: "type='vhostuser'", inner: "<source type='unix' path='/s'/>", target: "dev='fda' bus='fdc'" },
	],
	[
		"sharing an image of a format with metadata",
		"CONFIG_UNSUPPORTED",
		"shared access for disk 'vda'",
		{ inner: "<driver name='qemu' type='qcow2'/><source file='/a'/><shareable/>" },
	],
	[
		"sharing a volume of unknown format",
		"CONFIG_UNSUPPORTED",
		"shared access for disk 'vda'",
		{ attributes: "type='volume'", inner: "<source pool='p' volume='v'/><shareable/>" },
	],
	[
		"a virtio disk at a USB port",
		"CONFIG_UNSUPPORTED",
		"virtio disk cannot have an address of type 'usb'",
		{ inner: "<source file='/a'/><address type='usb' bus='0' port='1'/>" },
	],
	[
		"a second bus of an IDE controller that is not there",
		"INTERNAL_ERROR",
		"Only 1 IDE controller",
		{ inner: "<source file='/a'/><address type='drive' controller='1'/>", target: "dev='hda' bus='ide'" },
	],
	["no source in a hard disk", "NO_SOURCE", "vda", { inner: "" }],
];

for (const [name, code, message, parts] of REFUSED)
	test(`refused with ${code}: ${name}`, () => {
		assert.throws(() => define(parts), isVirtError(code, message));
	});

test("a vhost-user disk may have an empty <iotune>", () => {
	const inner = "<source type='unix' path='/s'/><iotune/>";
	assert.doesNotThrow(() => completed({ attributes: "type='vhostuser'", inner }));
});

/** Checks a start whose secrets are all nowhere. */
function start(...disks: readonly Parts[]): void {
	const context = completed(...disks);
	checkDisksToStart(context);
	checkImagesToStart(context);
}

const SECRET = "<encryption format='luks'><secret type='passphrase' usage='nowhere'/></encryption>";

const UNSTARTED: readonly (readonly [name: string, code: ErrorCode, message: string, ...disks: Parts[]])[] = [
	[
		"TLS where the protocol has none",
		"CONFIG_UNSUPPORTED",
		"TLS transport is not supported for disk protocol 'iscsi'",
		{ attributes: NETWORK, inner: "<source protocol='iscsi' name='iqn.x:a' tls='yes'><host name='h'/></source>" },
	],
	["a secret that is nowhere", "NO_SECRET", "usage 'nowhere'", { inner: `<source file='/a'>${SECRET}</source>` }],
	[
		"the secret of an SD card that is nowhere",
		"NO_SECRET",
		"usage 'nowhere'",
		{ inner: `<source file='/a'>${SECRET}</source>`, target: "dev='sda' bus='sd'" },
	],
	[
		"a volume of a pool that is nowhere",
		"NO_STORAGE_POOL",
		"matching name 'p'",
		{ attributes: "type='volume'", inner: "<source pool='p' volume='v'/>" },
	],
	["descriptors that nobody handed over", "INVALID_ARG", "group 'g'", { inner: "<source file='/a' fdgroup='g'/>" }],
	[
		"of two faulty disks, the last",
		"NO_STORAGE_POOL",
		"matching name 'p'",
		{ inner: `<source file='/a'>${SECRET}</source>` },
		{ attributes: "type='volume'", inner: "<source pool='p' volume='v'/>", target: "dev='vdb' bus='virtio'" },
	],
];

for (const [name, code, message, ...disks] of UNSTARTED)
	test(`a start is refused with ${code}: ${name}`, () => {
		assert.throws(() => start(...disks), isVirtError(code, message));
	});
