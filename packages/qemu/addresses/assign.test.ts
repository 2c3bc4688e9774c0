// Address assignment as a whole: both PC machines, full buses, collisions, and the buses of other architectures.

import assert from "node:assert/strict";
import test from "node:test";
import type { AddressDef } from "@virtkit/model/domain/address";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { COMMON_TYPES, type ContextOptions, defineContext } from "@virtkit/testing/define-context";
import { completeScsiControllers, controller } from "../devices/controller.ts";
import { disk } from "../devices/disk.ts";
import { filesystem } from "../devices/filesystem.ts";
import { assignAddresses } from "./assign.ts";
import { addDiskControllers, addMachineControllers, assignControllerIndexes } from "./controllers.ts";

const Q35 = { machine: "pc-q35-7.2" };
const NO_USB = "<controller type='usb' model='none'/>";

/** The definition once its disks, controllers and filesystems have their addresses. */
function placed(devices: string, options: ContextOptions = {}): DomainDef {
	const context = defineContext(devices, options);
	const { def } = context;
	assignControllerIndexes(def);
	addMachineControllers(context);
	for (const device of def.devices.disks) disk.complete?.(device, context);
	for (const device of def.devices.controllers) controller.complete?.(device, context);
	for (const device of def.devices.filesystems) filesystem.complete?.(device, context);
	addDiskControllers(def);
	completeScsiControllers(context);
	assignAddresses(context);
	return def;
}

function spell(address: AddressDef | undefined): string {
	if (address?.type === "pci")
		return `${address.bus}:${address.slot}.${address.function}${address.multifunction ? "+" : ""}`;
	if (address?.type === "drive") return `${address.controller}-${address.bus}-${address.target}-${address.unit}`;
	if (address?.type === "usb") return `${address.bus}/${address.port?.join(".")}`;
	if (address?.type === "ccw") return `${address.cssid?.toString(16)}.${address.ssid}.${address.devno}`;
	return address?.type ?? "none";
}

const virtioDisk = (name: string, address = "", model = ""): string =>
	`<disk type='file'${model && ` model='${model}'`}><source file='/${name}'/><target dev='${name}' bus='virtio'/>${address}</disk>`;
const diskOn = (bus: string, name: string, address = ""): string =>
	`<disk type='file'><source file='/${name}'/><target dev='${name}' bus='${bus}'/>${address}</disk>`;
const manyDisks = (count: number): string =>
	Array.from({ length: count }, (_, index) => {
		const letter = (value: number): string => String.fromCharCode(97 + value);
		return virtioDisk(`vd${index < 26 ? "" : letter(Math.floor(index / 26) - 1)}${letter(index % 26)}`);
	}).join("");
const disks = (def: DomainDef): string[] => def.devices.disks.map(({ address }) => spell(address));
const controllers = (def: DomainDef): string[] =>
	def.devices.controllers.map(({ type, index, model, address }) => `${type}${index} ${model ?? "-"} ${spell(address)}`);

test("a bare i440fx guest has PIIX3's USB and a PCI root", () => {
	assert.deepEqual(controllers(placed("")), ["usb0 piix3-uhci 0:1.2", "pci0 pci-root none"]);
});

test("virtio disks of an i440fx guest take the first slots behind the chipset, by name", () => {
	assert.deepEqual(disks(placed(virtioDisk("vdb") + virtioDisk("vda"))), ["0:2.0", "0:3.0"]);
});

test("addresses of the document are taken first, others around them", () => {
	const given = "<address type='pci' slot='3'/>";
	assert.deepEqual(disks(placed(virtioDisk("vda") + virtioDisk("vdb", given) + virtioDisk("vdc"))), [
		"0:2.0",
		"0:3.0",
		"0:4.0",
	]);
});

test("a full root bus is extended by bridges, with a slot kept free", () => {
	const def = placed(manyDisks(30));
	assert.deepEqual(controllers(def), ["usb0 piix3-uhci 0:1.2", "pci0 pci-root none", "pci1 pci-bridge 0:2.0"]);
	assert.equal(def.devices.controllers.at(-1)?.target?.chassisNr, 1);
	assert.equal(disks(def)[0], "0:3.0");
	assert.deepEqual(disks(def).slice(-2), ["0:31.0", "1:1.0"]);
	assert.equal(new Set(disks(placed(manyDisks(80)))).size, 80);
});

test("as many disks as leave one slot free need no bridge", () => {
	assert.equal(placed(manyDisks(29)).devices.controllers.length, 2);
});

test("each PCI Express device of q35 gets a root port, eight ports a slot, and one port stays free", () => {
	const def = placed(virtioDisk("vda"), Q35);
	assert.deepEqual(disks(def), ["2:0.0"]);
	assert.deepEqual(controllers(def), [
		"usb0 qemu-xhci 1:0.0",
		"sata0 - 0:31.2",
		"pci0 pcie-root none",
		"pci1 pcie-root-port 0:1.0+",
		"pci2 pcie-root-port 0:1.1",
		"pci3 pcie-root-port 0:1.2",
	]);
	const ports = placed(manyDisks(20), Q35).devices.controllers.filter(({ model }) => model === "pcie-root-port");
	assert.equal(ports.length, 22);
	assert.deepEqual([spell(ports[7]?.address), spell(ports[8]?.address)], ["0:1.7", "0:2.0+"]);
	assert.deepEqual([ports[8]?.target?.port, ports[8]?.target?.chassis], [16, 9]);
});

test("no port is kept free where the user laid out the buses", () => {
	const def = placed(`<controller type='pci' index='1' model='pcie-root-port'/>${virtioDisk("vda")}`, Q35);
	assert.equal(def.devices.controllers.filter(({ model }) => model === "pcie-root-port").length, 2);
});

test("conventional devices of q35 sit behind a bridge of their own", () => {
	const def = placed(NO_USB + virtioDisk("vda", "", "virtio-transitional"), Q35);
	assert.deepEqual(disks(def), ["2:1.0"]);
	assert.deepEqual(controllers(def).slice(3), [
		"pci1 pcie-root-port 0:1.0+",
		"pci2 pcie-to-pci-bridge 1:0.0",
		"pci3 pcie-root-port 0:1.1",
	]);
});

test("an emulator without pcie-pci-bridge gets dmi-to-pci-bridge and pci-bridge", () => {
	const { "pcie-pci-bridge": _, ...types } = COMMON_TYPES;
	const def = placed(NO_USB + virtioDisk("vda", "", "virtio-transitional"), { ...Q35, types });
	assert.ok(controllers(def).includes("pci1 dmi-to-pci-bridge 0:30.0"));
	assert.ok(controllers(def).includes("pci2 pci-bridge 1:0.0"));
});

test("EHCI and its companions share one slot", () => {
	const usb = ["ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3"]
		.map((model) => `<controller type='usb' index='0' model='${model}'/>`)
		.join("");
	assert.deepEqual(controllers(placed(usb)).slice(0, 4), [
		"usb0 ich9-ehci1 0:2.7",
		"usb0 ich9-uhci1 0:2.0+",
		"usb0 ich9-uhci2 0:2.1",
		"usb0 ich9-uhci3 0:2.2",
	]);
	assert.deepEqual(controllers(placed(usb, Q35)).slice(0, 2), ["usb0 ich9-ehci1 0:29.7", "usb0 ich9-uhci1 0:29.0+"]);
});

test("function 0 of a slot with more functions is marked, unless the document says otherwise", () => {
	const at = (fn: number, more = ""): string => `<address type='pci' slot='5' function='${fn}'${more}/>`;
	assert.deepEqual(disks(placed(virtioDisk("vda", at(0)) + virtioDisk("vdb", at(1)))), ["0:5.0+", "0:5.1"]);
	assert.deepEqual(disks(placed(virtioDisk("vda", at(0, " multifunction='off'")) + virtioDisk("vdb", at(1)))), [
		"0:5.0",
		"0:5.1",
	]);
});

const COLLISIONS: readonly (readonly [what: string, devices: string, options: ContextOptions, error: object])[] = [
	[
		"two devices in one function",
		virtioDisk("vda", "<address type='pci' slot='3'/>") + virtioDisk("vdb", "<address type='pci' slot='3'/>"),
		{},
		{ code: "XML_ERROR", message: /Attempted double use of PCI Address 0000:00:03\.0/ },
	],
	[
		"a device in the chipset's slot",
		virtioDisk("vda", "<address type='pci' slot='1'/>"),
		{},
		{ code: "XML_ERROR", message: /double use of PCI Address 0000:00:01\.0/ },
	],
	[
		"a device in the slot of PIIX3's USB controller",
		virtioDisk("vda", "<address type='pci' slot='1' function='2'/>"),
		{},
		{ code: "XML_ERROR", message: /double use of PCI Address 0000:00:01\.2/ },
	],
	[
		"PIIX3's USB controller elsewhere",
		"<controller type='usb' index='0' model='piix3-uhci'><address type='pci' slot='7'/></controller>",
		{},
		{ code: "INTERNAL_ERROR", message: /PIIX3 USB controller at index 0 must have PCI address 0:0:1\.2/ },
	],
	[
		"q35's SATA controller elsewhere",
		"<controller type='sata' index='0'><address type='pci' slot='7'/></controller>",
		Q35,
		{ code: "INTERNAL_ERROR", message: /Primary SATA controller must have PCI address 0:0:1f\.2/ },
	],
	[
		"PCI domain 1",
		virtioDisk("vda", "<address type='pci' domain='1' slot='3'/>"),
		{},
		{ code: "XML_ERROR", message: /Only PCI domain 0 is available/ },
	],
	[
		"a root port in a conventional bus",
		"<controller type='pci' index='1' model='pcie-root-port'/>",
		{},
		{ code: "INTERNAL_ERROR", message: /pcie-root-port/ },
	],
	[
		"the wrong root bus",
		"<controller type='pci' index='0' model='pci-root'/>",
		Q35,
		{ code: "XML_ERROR", message: /must be model='pcie-root'/ },
	],
	[
		"a PCI controller of an absurd index",
		"<controller type='pci' index='2000000000' model='pci-bridge'/>",
		{},
		{ code: "CONFIG_UNSUPPORTED", message: /index 2000000000 too high/ },
	],
	[
		"a SCSI address of an absurd controller",
		diskOn("scsi", "sda", "<address type='drive' controller='4000000000'/>"),
		{},
		{ code: "XML_ERROR", message: /4000000000/ },
	],
	[
		"two USB devices in one port",
		diskOn("usb", "sda", "<address type='usb' bus='0' port='1'/>") +
			diskOn("usb", "sdb", "<address type='usb' bus='0' port='1'/>"),
		{},
		{ code: "XML_ERROR", message: /Duplicate USB address bus 0 port 1/ },
	],
	[
		"a USB port that the controller has not",
		diskOn("usb", "sda", "<address type='usb' bus='0' port='3'/>"),
		{},
		{ code: "XML_ERROR", message: /requested USB port 3 not present on USB bus 0/ },
	],
	[
		"a USB port behind a hub that is not there",
		diskOn("usb", "sda", "<address type='usb' bus='0' port='1.2'/>"),
		{},
		{ code: "XML_ERROR", message: /there is no hub at port 1/ },
	],
	[
		"a USB device without USB",
		`<controller type='usb' model='none'/>${diskOn("usb", "sda")}`,
		{},
		{ code: "CONFIG_UNSUPPORTED", message: /USB is disabled/ },
	],
	[
		"a controller that no PCI bus takes",
		"<controller type='xenbus'/>",
		Q35,
		{ code: "INTERNAL_ERROR", message: /Cannot automatically add a PCI bus/ },
	],
	[
		"a virtio disk at a place that is no virtio bus",
		virtioDisk("vda", "<address type='usb' bus='0' port='1'/>"),
		{},
		{ code: "CONFIG_UNSUPPORTED", message: /virtio disk cannot have an address of type 'usb'/ },
	],
];

for (const [what, devices, options, error] of COLLISIONS)
	test(`${what} is refused`, () => {
		assert.throws(() => placed(devices, options), error);
	});

test("a conventional device may be put into an express slot by hand", () => {
	const def = placed(
		`<controller type='pci' index='1' model='pcie-root-port'/>${virtioDisk("vda", "<address type='pci' bus='1' slot='0'/>", "virtio-transitional")}`,
		Q35,
	);
	assert.deepEqual(disks(def), ["1:0.0"]);
});

test("disks on buses with names take the place that the name says", () => {
	assert.deepEqual(disks(placed(diskOn("ide", "hda") + diskOn("ide", "hdc"))), ["0-0-0-0", "0-1-0-0"]);
	assert.deepEqual(disks(placed(diskOn("sata", "sdb") + diskOn("sata", "sdg"), Q35)), ["0-0-0-1", "1-0-0-0"]);
	assert.deepEqual(disks(placed(diskOn("scsi", "sdg") + diskOn("scsi", "sdh") + diskOn("scsi", "sdp"))), [
		"0-0-0-6",
		"1-0-0-0",
		"2-0-0-1",
	]);
});

test("controllers that disks need are added, SCSI ones with the emulator's default model", () => {
	const def = placed(diskOn("scsi", "sda") + diskOn("scsi", "sdp"));
	assert.deepEqual(controllers(def).slice(2), ["scsi0 lsilogic 0:2.0", "scsi1 lsilogic 0:3.0", "scsi2 lsilogic 0:4.0"]);
});

test("USB devices take the ports in turn", () => {
	assert.deepEqual(disks(placed(diskOn("usb", "sda") + diskOn("usb", "sdb"))), ["0/1", "0/2"]);
});

test("a guest whose ABI must stay keeps USB devices without ports", () => {
	assert.deepEqual(disks(placed(diskOn("usb", "sda"), { fresh: false })), ["none"]);
});

test("controllers without an index get the lowest free one; USB companions that of their EHCI controller", () => {
	const def = placed(
		"<controller type='usb' model='ich9-ehci1'/><controller type='usb' model='ich9-uhci1'/><controller type='usb' model='qemu-xhci'/><controller type='scsi'/><controller type='scsi' index='0'/>",
	);
	assert.deepEqual(
		def.devices.controllers.filter(({ type }) => type !== "pci").map(({ type, index }) => `${type}${index}`),
		["usb0", "usb0", "usb1", "scsi1", "scsi0"],
	);
});

test("expander buses number themselves below each other", () => {
	const def = placed(
		"<controller type='pci' index='1' model='pci-expander-bus'/><controller type='pci' index='2' model='pci-expander-bus'/>",
	);
	assert.deepEqual(
		def.devices.controllers.flatMap(({ target }) => target?.busNr ?? []),
		[254, 252],
	);
});

test("a switch is placed port by port", () => {
	const def = placed(
		"<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' index='2' model='pcie-switch-upstream-port'/><controller type='pci' index='3' model='pcie-switch-downstream-port'/>",
		Q35,
	);
	assert.deepEqual(
		controllers(def).filter((line) => /^pci[123] /.test(line)),
		["pci1 pcie-root-port 0:1.0", "pci2 pcie-switch-upstream-port 1:0.0", "pci3 pcie-switch-downstream-port 2:0.0"],
	);
});

test("pSeries guests have further host bridges instead of PCI bridges, and SCSI on the virtual bus", () => {
	const options = { arch: "ppc64", machine: "pseries-7.2" };
	const bridges = placed(manyDisks(40), options).devices.controllers.filter(({ type }) => type === "pci");
	assert.deepEqual(
		bridges.map(({ model, modelName, target }) => [model, modelName?.name, target?.index]),
		[
			["pci-root", "spapr-pci-host-bridge", 0],
			["pci-root", "spapr-pci-host-bridge", 1],
		],
	);
	const scsi = placed(diskOn("scsi", "sda"), options).devices.controllers.find(({ type }) => type === "scsi");
	assert.deepEqual(scsi?.address, { type: "spapr-vio", reg: 0x2000 });
});

test("s390x guests have channel device numbers", () => {
	const options = { arch: "s390x", machine: "s390-ccw-virtio-7.2" };
	const given = "<address type='ccw' cssid='0xfe' ssid='0' devno='0'/>";
	assert.deepEqual(disks(placed(virtioDisk("vda") + virtioDisk("vdb", given), options)), ["fe.0.1", "fe.0.0"]);
	assert.throws(() => placed(virtioDisk("vda", given) + virtioDisk("vdb", given), options), {
		code: "XML_ERROR",
		message: /CCW devno 'fe\.0\.0000' is in use already/,
	});
});

test("virt machines prefer PCI Express, and keep to memory-mapped transports where one is given", () => {
	const options = { arch: "aarch64", machine: "virt-7.2", types: { ...COMMON_TYPES, "virtio-mmio": [] } };
	assert.deepEqual(disks(placed(virtioDisk("vda"), options)), ["1:0.0"]);
	assert.deepEqual(disks(placed(virtioDisk("vda", "<address type='virtio-mmio'/>") + virtioDisk("vdb"), options)), [
		"virtio-mmio",
		"virtio-mmio",
	]);
});
