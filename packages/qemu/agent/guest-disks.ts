// Disks as the guest agent knows them, and which of the definition's disks each is.

import type { CcwAddress, PciAddress } from "@virtkit/model/domain/address";
import type { DiskDef } from "@virtkit/model/domain/disk";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { AgentObject } from "./answer.ts";

/** Where the guest found a disk. */
export interface GuestDiskAddress {
	readonly serial: string | undefined;
	/** The guest's device node. */
	readonly node: string | undefined;
	readonly bus: number;
	readonly target: number;
	readonly unit: number;
	/** Of the controller, or of the disk itself where it sits on PCI. */
	readonly pci: Pick<PciAddress, "domain" | "bus" | "slot" | "function">;
	readonly ccw: Pick<CcwAddress, "cssid" | "ssid" | "devno"> | undefined;
}

/** The guest counts its virtual channel subsystem as 0; the host as 0xfe. */
const VIRTUAL_CSSID = 0xfe;

/** Reads a GuestDiskAddress (QEMU: qga/qapi-schema.json). */
export function readDiskAddress(found: AgentObject): GuestDiskAddress {
	const pci = found.object("pci-controller");
	const ccw = found.objectIfAny("ccw-address");
	return {
		serial: found.textIfAny("serial"),
		node: found.textIfAny("dev"),
		bus: found.integer("bus"),
		target: found.integer("target"),
		unit: found.integer("unit"),
		pci: {
			domain: pciNumber(pci, "domain"),
			bus: pciNumber(pci, "bus"),
			slot: pciNumber(pci, "slot"),
			function: pciNumber(pci, "function"),
		},
		ccw: ccw && {
			cssid: ccw.integer("cssid") || VIRTUAL_CSSID,
			ssid: ccw.integer("ssid"),
			devno: ccw.integer("devno"),
		},
	};
}

/** The agent says −1 where a disk has no such controller; libvirt takes that for its unsigned twin. */
function pciNumber(pci: AgentObject, key: string): number {
	return pci.integer(key, -1) >>> 0;
}

/** The definition's disk at that address (virDomainDiskByAddress). */
export function diskAt({ devices }: DomainDef, found: GuestDiskAddress): DiskDef | undefined {
	const controller =
		devices.controllers.find(({ address }) => isSamePci(address, found)) ??
		devices.controllers.find(({ address }) => isSameCcw(address, found));
	return devices.disks.find(({ address, target }) => {
		if (isSamePci(address, found) || isSameCcw(address, found)) return true;
		return (
			address?.type === "drive" &&
			controller !== undefined &&
			controller.type === target.bus &&
			controller.index === address.controller &&
			address.bus === found.bus &&
			address.target === found.target &&
			address.unit === found.unit
		);
	});
}

function isSamePci(address: DiskDef["address"], { pci }: GuestDiskAddress): boolean {
	return (
		address?.type === "pci" &&
		address.domain === pci.domain &&
		address.bus === pci.bus &&
		address.slot === pci.slot &&
		address.function === pci.function
	);
}

function isSameCcw(address: DiskDef["address"], { ccw }: GuestDiskAddress): boolean {
	return (
		ccw !== undefined &&
		address?.type === "ccw" &&
		address.cssid === ccw.cssid &&
		address.ssid === ccw.ssid &&
		address.devno === ccw.devno
	);
}
