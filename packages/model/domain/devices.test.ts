// Devices other than storage: they are written as they are read, and what is refused.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { ErrorCode } from "@virtkit/base/errors";
import { formatElement } from "@virtkit/xml/format";
import { parseXml } from "@virtkit/xml/parse";
import { readElement } from "@virtkit/xml/read";
import { type DevicesDef, devices } from "./devices.ts";

const FOLDER = join(import.meta.dirname, "../../../fixtures/xml/devices");
const FIXTURES = readdirSync(FOLDER).map((name) => ({ name, text: readFileSync(join(FOLDER, name), "utf8") }));
const STATUS = { secure: true, status: true } as const;

for (const { name, text } of FIXTURES)
	test(`${name} is written exactly as it was read`, () => {
		const read = readElement(devices, parseXml(text), { strict: true, live: true });
		assert.equal(formatElement("devices", devices, read, STATUS), text);
	});

const read = (inside: string, live = false): DevicesDef =>
	readElement(devices, parseXml(`<devices>${inside}</devices>`), { strict: false, live });
const written = (inside: string, live = false): string =>
	formatElement("devices", devices, read(inside, live), { inactive: !live });

test("passwords are written only where secrets are asked for", () => {
	const one = read("<graphics type='vnc' passwd='secret'/>");
	assert.doesNotMatch(formatElement("devices", devices, one, { inactive: true }), /secret/);
	assert.match(formatElement("devices", devices, one, { inactive: true, secure: true }), /passwd='secret'/);
});

test("names of host interfaces that are made up at each start are no configuration", () => {
	assert.doesNotMatch(written("<interface type='user'><target dev='vnet3'/></interface>"), /target/);
	assert.match(written("<interface type='user'><target dev='mine3'/></interface>"), /<target dev='mine3'\/>/);
});

test("a pseudo-terminal has a path only while the guest runs", () => {
	const text = "<serial type='pty'><source path='/dev/pts/3'/></serial>";
	assert.doesNotMatch(written(text), /pts/);
	assert.match(written(text, true), /<source path='\/dev\/pts\/3'\/>/);
});

test("ports that are chosen at each start are no configuration", () => {
	assert.match(written("<graphics type='vnc' port='5907' autoport='yes'/>"), /port='-1' autoport='yes'/);
	assert.match(written("<graphics type='vnc' port='5907'/>"), /port='5907' autoport='no'/);
});

test("options of virtio drivers are for virtio cards alone", () => {
	const [card] = read(
		"<interface type='user'><model type='e1000'/><driver queues='4' iommu='on'/></interface>",
	).interfaces;
	assert.deepEqual(card?.driver, { iommu: true });
});

test("the card that the firmware uses comes first", () => {
	const { videos } = read("<video><model type='qxl'/></video><video><model type='vga' primary='yes'/></video>");
	assert.deepEqual(
		videos.map(({ model }) => model.type),
		["vga", "qxl"],
	);
});

test("UDP consoles send to one end and receive at the other", () => {
	const [serial] = read("<serial type='udp'><source service='1'/><source mode='bind' service='2'/></serial>").serials;
	assert.deepEqual(
		serial?.endpoints.map(({ mode, service }) => [mode, service]),
		[
			["bind", "2"],
			["connect", "1"],
		],
	);
});

const REFUSED: readonly (readonly [ErrorCode, string])[] = [
	["XML_ERROR", "<interface type='bridge'/>"],
	["XML_ERROR", "<interface type='bridge'><source/></interface>"],
	["XML_ERROR", "<interface type='user'><mac address='01:00:00:00:00:00'/></interface>"],
	["CONFIG_UNSUPPORTED", "<interface type='user'><virtualport type='openvswitch'/></interface>"],
	["CONFIG_UNSUPPORTED", "<interface type='user'><link state='broken'/></interface>"],
	["INVALID_ARG", "<interface type='user'><model type='a b'/></interface>"],
	["XML_ERROR", "<interface type='hostdev'><source><address/></source></interface>"],
	[
		"XML_ERROR",
		"<interface type='ethernet'><source><route address='10.0.0.1' prefix='8' gateway='10.0.0.2'/></source></interface>",
	],
	["CONFIG_UNSUPPORTED", "<serial type='carrier-pigeon'/>"],
	["CONFIG_UNSUPPORTED", "<serial type='spicevmc'/>"],
	["XML_ERROR", "<serial><log file='/a'/><log file='/b'/></serial>"],
	["XML_ERROR", "<channel type='pty'/>"],
	["XML_ERROR", "<channel type='pty'><target type='guestfwd' port='1'/></channel>"],
	["CONFIG_UNSUPPORTED", "<channel type='pty'><target type='guestfwd' address='::1' port='1'/></channel>"],
	["XML_ERROR", "<smartcard mode='host-certificates'><certificate>a</certificate></smartcard>"],
	["XML_ERROR", "<smartcard mode='passthrough'/>"],
	["INTERNAL_ERROR", "<redirdev bus='usb'/>"],
	["XML_ERROR", "<graphics type='vnc' websocket='x'/>"],
	["INTERNAL_ERROR", "<graphics type='vnc' port='x'/>"],
	["CONFIG_UNSUPPORTED", "<graphics type='vnc' listen='a'><listen type='address' address='b'/></graphics>"],
	["CONFIG_UNSUPPORTED", "<graphics type='vnc' passwd='a' connected='fail'/>"],
	["CONFIG_UNSUPPORTED", "<graphics type='rdp'><listen type='none'/></graphics>"],
	["CONFIG_UNSUPPORTED", "<video><model type='magic'/></video>"],
	["CONFIG_UNSUPPORTED", "<video><model type='vga'><acceleration/></model></video>"],
	["CONFIG_UNSUPPORTED", "<audio id='1' type='none'><input fixedSettings='yes'/></audio>"],
	["XML_ERROR", "<audio id='0' type='none'/>"],
	["INTERNAL_ERROR", "<input/>"],
	["XML_ERROR", "<input type='evdev'><source/></input>"],
	["INTERNAL_ERROR", "<watchdog model='ib700'/><watchdog model='ib700'/>"],
	["XML_ERROR", "<vsock/><vsock/>"],
	["XML_ERROR", "<rng model='virtio'/>"],
	["CONFIG_UNSUPPORTED", "<rng model='virtio'><backend model='dice'/></rng>"],
	["XML_ERROR", "<tpm><backend type='emulator' version='3'/></tpm>"],
	["XML_ERROR", "<tpm/>"],
	["XML_ERROR", "<shmem name='a'><model type='ivshmem-plain'/><msi/></shmem>"],
	["XML_ERROR", "<memory model='dimm'><target/></memory>"],
	["XML_ERROR", "<memory model='nvdimm'><target><size>1024</size><label><size>64</size></label></target></memory>"],
	["XML_ERROR", "<hostdev type='pci'/>"],
	["CONFIG_UNSUPPORTED", "<hostdev type='disk'/>"],
	["XML_ERROR", "<hostdev type='pci' model='virtio'><source><address/></source></hostdev>"],
	["XML_ERROR", "<hostdev type='pci'><source><address slot='0x20'/></source></hostdev>"],
	["CONFIG_UNSUPPORTED", "<hub type='usb'/><controller type='usb' model='none'/>"],
];

for (const [code, text] of REFUSED)
	test(`${text} is refused with ${code}`, () => {
		assert.throws(() => read(text), { code });
	});
