// The place in the boot order that each device gets from <os><boot dev='…'/>: the first of each kind gets the kind's.

import type { DomainDef } from "@virtkit/model/domain/domain";

type BootDevice = DomainDef["os"]["boot"][number]["dev"];

/** The kind of boot device that a disk is. */
const DISK_KINDS: Readonly<Record<string, BootDevice>> = { cdrom: "cdrom", floppy: "fd", disk: "hd", lun: "hd" };

/** Boot indexes by device, for a guest whose order is by kind; empty for one whose devices name their own. */
export function bootIndexesOf(def: DomainDef): Map<object, number> {
	const indexes = new Map<object, number>();
	const left = new Map(def.os.boot.map(({ dev }, index) => [dev, index + 1]));
	const take = (device: object | undefined, kind: BootDevice | undefined): void => {
		const index = kind && left.get(kind);
		if (!device || !kind || index === undefined) return;
		indexes.set(device, index);
		left.delete(kind);
	};
	for (const disk of def.devices.disks) take(disk, DISK_KINDS[disk.device ?? "disk"]);
	take(def.devices.interfaces[0], "network");
	return indexes;
}

/** The boot index of a device: its own, or that of its kind; undefined where it is not to be booted from. */
export function bootIndexOf(
	device: { readonly boot?: { readonly order?: number | undefined } | undefined },
	{ bootIndexes }: { readonly bootIndexes: ReadonlyMap<object, number> },
): number | undefined {
	return device.boot?.order ?? bootIndexes.get(device);
}
