// Disks, controllers, filesystems, leases and addresses: they are written as they are read, and what is refused.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { formatElement } from "@virtkit/xml/format";
import { parseXml } from "@virtkit/xml/parse";
import { readElement } from "@virtkit/xml/read";
import type { Schema } from "@virtkit/xml/schema";
import { devices } from "./devices.ts";
import { disk } from "./disk.ts";
import { diskNameIndex, parseDiskName } from "./disk-name.ts";

const ROOT = join(import.meta.dirname, "../../../fixtures");
const FOLDERS = ["xml/storage", "argv/storage"];
const FIXTURES = FOLDERS.flatMap((folder) =>
	readdirSync(join(ROOT, folder))
		.filter((name) => name.endsWith(".xml"))
		.map((name) => join(ROOT, folder, name)),
);

test("documents of running guests are written as they were read", () => {
	for (const file of FIXTURES.filter((name) => name.includes("/xml/"))) {
		const text = readFileSync(file, "utf8");
		const read = readElement(devices, parseXml(text), { strict: true, live: true });
		const written = formatElement("devices", devices, read, { secure: true });
		assert.deepEqual(readElement(devices, parseXml(written), { strict: true, live: true }), read, file);
	}
});

const element = (name: string, schema: Schema<unknown>, text: string): string =>
	formatElement(name, schema, readElement(schema, parseXml(text)), { inactive: true });

test("what only a running guest has is not part of the configuration", () => {
	const text =
		"<disk><source file='/a' index='1'/><mirror type='file' job='copy'><source file='/b'/></mirror><target dev='vda' bus='virtio'/><alias name='virtio-disk0'/></disk>";
	assert.equal(
		element("disk", disk as Schema<unknown>, text),
		"<disk type='file' device='disk'>\n  <source file='/a'/>\n  <target dev='vda' bus='virtio'/>\n</disk>\n",
	);
});

test("a disk without a source is a file disk, whatever type it says", () => {
	assert.match(
		element("disk", disk as Schema<unknown>, "<disk type='block' device='cdrom'><target dev='hda'/></disk>"),
		/^<disk type='file'/,
	);
});

test("servers get the port of their protocol", () => {
	const read = readElement(
		disk,
		parseXml("<disk type='network'><source protocol='nbd'><host name='a'/></source><target dev='vda'/></disk>"),
	);
	assert.equal(read.source?.host[0]?.port, 10809);
});

const REFUSED: readonly (readonly [text: string, error: object])[] = [
	["<disk type='network'><source protocol='iscsi'/></disk>", { code: "XML_ERROR", message: /missing name/ }],
	["<disk type='network'><source protocol='rbd' name='x'/></disk>", { message: /can't split path 'x'/ }],
	["<disk type='network'><source protocol='gopher' name='x'/></disk>", { code: "XML_ERROR" }],
	["<disk type='nvme'><source type='pci'/></disk>", { message: /missing 'namespace'/ }],
	["<disk><driver type='tar'/></disk>", { code: "CONFIG_UNSUPPORTED" }],
	["<disk><driver rerror_policy='enospace'/></disk>", { code: "CONFIG_UNSUPPORTED" }],
	["<disk><boot order='0'/></disk>", { code: "XML_ERROR" }],
	["<disk><address type='pci' slot='32'/></disk>", { code: "XML_ERROR", message: /slot='0x20'/ }],
	["<disk><address type='moon'/></disk>", { code: "CONFIG_UNSUPPORTED" }],
	["<disk><address/></disk>", { code: "INTERNAL_ERROR" }],
	["<disk><address type='usb' port='1.2.3.4.5'/></disk>", { code: "INTERNAL_ERROR" }],
	["<disk type='network'><source protocol='nbd'><host transport='unix'/></source></disk>", { code: "XML_ERROR" }],
	[
		"<disk><auth username='a'><secret uuid='0a81f5b2-8403-7b23-c8d6-21ccc2f80fb0'/></auth><source file='/a'><auth username='a'><secret usage='b'/></auth></source></disk>",
		{ code: "CONFIG_UNSUPPORTED", message: /already found/ },
	],
];

for (const [text, error] of REFUSED)
	test(`${text} is refused`, () => {
		assert.throws(() => readElement(disk, parseXml(text)), error);
	});

test("disk names count like columns of a table", () => {
	assert.deepEqual(["vda", "sdz", "hdaa", "xvdab"].map(diskNameIndex), [0, 25, 26, 27]);
	assert.deepEqual(parseDiskName("sda12"), { index: 0, partition: 12 });
	for (const name of ["", "vd", "zda", "vdA", "vda01", "vda-1"]) assert.equal(parseDiskName(name), undefined);
});
