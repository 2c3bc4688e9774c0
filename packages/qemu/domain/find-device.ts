// Finds the device of a definition that QEMU means by an id, a QOM path or a block node.

import { type DiskDef, isEmptySource } from "@virtkit/model/domain/disk";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { InterfaceDef } from "@virtkit/model/domain/interface";
import { formatNode, imageChain, storageNode } from "../devices/disk-image.ts";

/** The id in a device's QOM path: /machine/peripheral/ID, and whatever lies below. */
export function idOfPath(path: string): string | undefined {
	return /^\/machine\/peripheral\/([^/]+)/.exec(path)?.[1];
}

/** The disk whose device has this id (or QOM path), or one of whose images is this block node. */
export function findDisk(def: DomainDef, device: string, node?: string): DiskDef | undefined {
	const id = device.startsWith("/") ? idOfPath(device) : device;
	const { disks } = def.devices;
	if (id) {
		const found = disks.find(({ alias }) => alias !== undefined && (alias === id || `drive-${alias}` === id));
		if (found) return found;
	}
	if (node === undefined) return undefined;
	return disks.find((disk) =>
		imageChain(disk).some((image) => formatNode(image) === node || storageNode(image) === node),
	);
}

/** The path, or what else names the disk's image, as libvirt tells it; "" for none. */
export function sourcePathOf({ source, type }: DiskDef): string {
	if (source === undefined || isEmptySource(source)) return "";
	return (
		(type === "block" ? source.dev : type === "dir" ? source.dir : type === "network" ? source.name : source.file) ?? ""
	);
}

/** The disk of that target, or with that image where no other disk has it (virDomainDiskByName). */
export function diskByName(def: DomainDef, name: string): DiskDef | undefined {
	const { disks } = def.devices;
	if (!name.startsWith("/")) return disks.find(({ target }) => target.dev === name);
	const found = disks.filter((disk) => sourcePathOf(disk) === name);
	return found.length === 1 ? found[0] : undefined;
}

/** The interface of that MAC address, or of that name on the host (virDomainNetFind). */
export function interfaceByName(def: DomainDef, name: string): InterfaceDef | undefined {
	const mac = normalMac(name);
	return def.devices.interfaces.find((net) =>
		mac === undefined ? net.target?.dev === name : normalMac(net.mac.address ?? "") === mac,
	);
}

function normalMac(text: string): string | undefined {
	const octets = text.split(":");
	if (octets.length !== 6 || !octets.every((octet) => /^[0-9a-fA-F]{1,2}$/.test(octet))) return undefined;
	return octets.map((octet) => octet.padStart(2, "0").toLowerCase()).join(":");
}
