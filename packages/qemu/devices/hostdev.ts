// Devices of the host that are given to a guest.

import type { DriveAddress } from "@virtkit/model/domain/address";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { HostdevDef } from "@virtkit/model/domain/hostdev";
import type { InterfaceDef } from "@virtkit/model/domain/interface";
import { ensureControllersUpTo, findController } from "../addresses/controllers.ts";
import { conventionalSlot, expressSlot, hasPcieRoot, virtioSlot } from "../addresses/pci-need.ts";
import { isMachine } from "../machine.ts";
import { refuseDevice } from "./device-rule.ts";
import type { DefineContext, DeviceEntry, DomainStep, PciNeed } from "./entry.ts";
import { iommuGroup, isConventional } from "./host-pci.ts";
import { buildHostdev, buildHostInterface } from "./hostdev-build.ts";
import { checkHostdev, checkHostdevCommon } from "./hostdev-check.ts";
import { hostdevHotplug } from "./hostdev-plug.ts";
import { isHostInterface, nextNumber } from "./interface.ts";

/** Units that are given out on one SCSI bus, leaving out the adapter's own. */
const SCSI_UNITS = 7;

const isSamePlace = (a: DriveAddress, b: DriveAddress): boolean =>
	a.controller === b.controller && a.bus === b.bus && a.target === b.target && a.unit === b.unit;

function isTakenByDisk({ devices }: DomainDef, place: DriveAddress): boolean {
	return devices.disks.some(
		({ target, address }) => target.bus === "scsi" && address?.type === "drive" && isSamePlace(address, place),
	);
}

function isTaken(def: DomainDef, place: DriveAddress): boolean {
	const isNarrow = findController(def, "scsi", place.controller)?.model === "lsisas1068";
	return (
		(isNarrow && place.unit > 1) ||
		isTakenByDisk(def, place) ||
		def.devices.hostdevs.some(
			({ type, address }) => type === "scsi" && address?.type === "drive" && isSamePlace(address, place),
		)
	);
}

/** The first free unit, of the first controller that has one. */
function freeScsiPlace(def: DomainDef): DriveAddress {
	for (let controller = 0; ; controller++)
		for (let unit = 0; unit < SCSI_UNITS; unit++) {
			const place: DriveAddress = { type: "drive", controller, bus: 0, target: 0, unit };
			if (!isTaken(def, place)) return place;
		}
}

function completeScsi(device: HostdevDef, { def }: DefineContext): void {
	const { scsi } = device;
	// An iSCSI target without a unit means unit 0.
	if (scsi?.protocol === "iscsi" && scsi.name !== undefined && !scsi.name.includes("/")) scsi.name += "/0";
	device.address ??= freeScsiPlace(def);
	const { address } = device;
	if (address.type !== "drive" || !isTakenByDisk(def, address)) return;
	const { controller, bus, target, unit } = address;
	refuseDevice(
		device,
		`SCSI host address controller='${controller}' bus='${bus}' target='${target}' unit='${unit}' in use by a SCSI disk`,
		"XML_ERROR",
	);
}

/** Buses that mediated devices sit on. */
const MDEV_BUSES: Partial<Record<NonNullable<HostdevDef["model"]>, "pci" | "ccw">> = {
	"vfio-pci": "pci",
	"vfio-ccw": "ccw",
};

function completeMdev(device: HostdevDef, { caps }: DefineContext): void {
	const { model, address } = device;
	const bus = model && MDEV_BUSES[model];
	if (bus && address && address.type !== bus)
		refuseDevice(
			device,
			`Unsupported address type '${address.type}' with mediated device model '${model}'`,
			"XML_ERROR",
		);
	if (model === "vfio-pci" && caps.has("vfio-pci", "display")) device.display ??= false;
}

function completeHostdev(device: HostdevDef, context: DefineContext): void {
	if (device.type === "scsi") completeScsi(device, context);
	if (device.type === "mdev") completeMdev(device, context);
}

function pciNeed(device: HostdevDef, context: DefineContext): PciNeed | undefined {
	const { type, model, pci, address } = device;
	if (address?.type === "unassigned") return undefined;
	if (type === "scsi_host") return virtioSlot(context, model);
	if (type === "mdev") return model === "vfio-pci" ? expressSlot(context) : undefined;
	if (type !== "pci" || !pci) return undefined;
	const isSettled = address?.type === "pci";
	const isOld = hasPcieRoot(context) && !isSettled && isConventional(pci.address, context.host.files);
	return isOld ? conventionalSlot() : expressSlot(context);
}

/** On s390x, what sits on the channel subsystem. */
function isOnChannels({ type, model }: HostdevDef): boolean {
	return type === "scsi_host" || (type === "mdev" && model === "vfio-ccw");
}

export const hostdev: DeviceEntry<HostdevDef> = {
	kind: "hostdev",
	list: ({ devices }) => devices.hostdevs,
	alias: (_, __, { def }) => `hostdev${nextNumber(def, "hostdev")}`,
	complete: completeHostdev,
	checkCommon: checkHostdevCommon,
	check: checkHostdev,
	pci: pciNeed,
	isolationGroup: ({ pci }, { def, host }) => {
		// Groups count from 1, since 0 is that of emulated devices.
		const group = pci && isMachine(def, "pseries") ? iommuGroup(pci.address, host.files) : undefined;
		return group === undefined ? 0 : group + 1;
	},
	usb: ({ type }) => type === "usb",
	virtio: (device, bus) => (bus === "ccw" ? isOnChannels(device) : device.type === "scsi_host"),
	build: buildHostdev,
	hotplug: hostdevHotplug,
};

/** Interfaces that are devices of the host: on the command line they stand before the others. */
export const hostInterfaces: DeviceEntry<InterfaceDef> = {
	kind: "interface of the host",
	list: ({ devices }) => devices.interfaces.filter(isHostInterface),
	alias: (_, __, { def }) => `hostdev${nextNumber(def, "hostdev")}`,
	build: buildHostInterface,
};

/**
 * Adds the controllers that SCSI devices of the host are plugged into; all of the model of the last one's.
 *
 * Done as the document is read, and once more when devices have their places.
 */
export const addHostdevControllers: DomainStep = ({ def }) => {
	const indexes = def.devices.hostdevs.flatMap(({ type, address }) =>
		type === "scsi" && (!address || address.type === "drive") ? [address?.controller ?? 0] : [],
	);
	const model = indexes.flatMap((index) => findController(def, "scsi", index)?.model ?? []).at(-1);
	ensureControllersUpTo(def, "scsi", Math.max(-1, ...indexes), model);
};
