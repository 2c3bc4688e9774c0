// Disks: what the document leaves out of them, where they sit, and what builds and checks them.

import { VirtError } from "@virtkit/base/errors";
import { type DiskBus, type DiskDef, diskEncryption } from "@virtkit/model/domain/disk";
import { diskNameIndex, parseNvmeName } from "@virtkit/model/domain/disk-name";
import { virtioSlot } from "../addresses/pci-need.ts";
import { refuseDevice } from "./device-rule.ts";
import { diskAlias } from "./disk-alias.ts";
import { buildDisk } from "./disk-build.ts";
import { checkDisk } from "./disk-check.ts";
import { checkDiskCommon } from "./disk-check-common.ts";
import { diskHotplug } from "./disk-plug.ts";
import { hasLimits } from "./disk-throttle.ts";
import type { DefineContext, DeviceEntry } from "./entry.ts";

/** The bus that a disk's name stands for. */
const BUS_OF_NAME: readonly (readonly [prefix: string, bus: DiskBus])[] = [
	["hd", "ide"],
	["sd", "scsi"],
	["vd", "virtio"],
	["xvd", "xen"],
	["ubd", "uml"],
	["nvme", "nvme"],
];

function completeDisk(disk: DiskDef, context: DefineContext): void {
	const { driver, target } = disk;
	driver.name ??= "qemu";
	if (disk.type !== "volume") driver.type ??= "raw";
	completeEncryption(disk);
	if (target.dev !== undefined) target.dev = target.dev.replace(/^ioemu:/, "");
	if (disk.device === "cdrom") disk.readonly = true;
	target.bus ??= defaultBus(disk);
	if (disk.readonly || disk.type === "vhostuser") disk.snapshot ??= "no";
	completeSource(disk);
	if (disk.address === undefined && target.dev !== undefined) assignDriveAddress(disk, context);
	joinThrottleGroup(disk, context);
}

function completeEncryption(disk: DiskDef): void {
	const own = diskEncryption(disk);
	if (own) own.engine ??= "qemu";
	for (let below = disk.backingStore; below?.type !== undefined; below = below.backingStore)
		if (below.source?.encryption) below.source.encryption.engine ??= "qemu";
}

function defaultBus({ device, target }: DiskDef): DiskBus {
	if (device === "floppy") return "fdc";
	return BUS_OF_NAME.find(([prefix]) => target.dev?.startsWith(prefix))?.[1] ?? "ide";
}

function completeSource({ type, source }: DiskDef): void {
	if (!source) return;
	if (type === "nvme") source.managed ??= true;
	// An iSCSI target without a unit means unit 0.
	if (type === "network" && source.protocol === "iscsi" && source.name?.includes("/") === false)
		source.name = `${source.name}/0`;
}

/** Units that a name stands for on one SCSI controller, however wide its bus: the next names are the next controller's. */
const SCSI_UNITS = 7;

/** Where the disk of that number sits, on buses where the name decides. */
const PLACES: Partial<
	Record<DiskBus, (index: number, name: string) => { controller: number; bus: number; unit: number }>
> = {
	scsi: (index) => ({ controller: Math.floor(index / SCSI_UNITS), bus: 0, unit: index % SCSI_UNITS }),
	ide: (index) => ({ controller: Math.floor(index / 4), bus: Math.floor((index % 4) / 2), unit: index % 2 }),
	sata: (index) => ({ controller: Math.floor(index / 6), bus: 0, unit: index % 6 }),
	fdc: (index) => ({ controller: Math.floor(index / 2), bus: 0, unit: index % 2 }),
	nvme: (_, name) => {
		const { controller = 0, namespace = 1 } = parseNvmeName(name) ?? {};
		return { controller, bus: 0, unit: namespace - 1 };
	},
};

function assignDriveAddress(disk: DiskDef, { def }: DefineContext): void {
	const { dev = "", bus } = disk.target;
	const index = diskNameIndex(dev);
	if (index < 0) throw new VirtError("XML_ERROR", `Unknown disk name '${dev}' and no address specified`);
	const place = PLACES[bus as DiskBus]?.(index, dev);
	if (!place) return;
	const { controller, bus: channel, unit } = place;
	const taken = def.devices.hostdevs.some(
		({ type, address }) =>
			type === "scsi" &&
			address?.type === "drive" &&
			address.controller === controller &&
			address.bus === channel &&
			address.target === 0 &&
			address.unit === unit,
	);
	if (bus === "scsi" && taken)
		refuseDevice(
			disk,
			`using disk target name '${dev}' conflicts with SCSI host device address controller='${controller}' bus='${channel}' target='0' unit='${unit}'`,
		);
	disk.address = { type: "drive", controller, bus: channel, target: 0, unit };
}

/** A disk that only names a throttle group has the limits of the group's other members. */
function joinThrottleGroup(disk: DiskDef, { def }: DefineContext): void {
	const group = disk.iotune?.group_name;
	if (group === undefined || hasLimits(disk.iotune)) return;
	const member = def.devices.disks.find(({ iotune }) => iotune?.group_name === group && hasLimits(iotune));
	if (member?.iotune) disk.iotune = { ...member.iotune };
}

export const disk: DeviceEntry<DiskDef> = {
	kind: "disk",
	list: (def) => def.devices.disks,
	alias: (device, _, context) => diskAlias(device, context),
	complete: completeDisk,
	checkCommon: checkDiskCommon,
	check: checkDisk,
	pci: ({ target, model }, context) => (target.bus === "virtio" ? virtioSlot(context, model) : undefined),
	usb: ({ target }) => target.bus === "usb",
	virtio: ({ target }) => target.bus === "virtio",
	build: buildDisk,
	hotplug: diskHotplug,
};
