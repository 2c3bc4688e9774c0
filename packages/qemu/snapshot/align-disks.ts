// What a snapshot does with each disk of the domain, where its description leaves that open.

import { statSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { type DiskDef, isEmptySource } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { SnapshotDef, SnapshotDiskDef, SnapshotLocation } from "@virtkit/model/snapshot/snapshot";
import { diskByName } from "../domain/find-device.ts";

const refuse = (message: string): never => {
	throw new VirtError("CONFIG_UNSUPPORTED", message, { domain: "DOMAIN_SNAPSHOT" });
};

/**
 * Makes `snapshot.disks` name every disk of `domain` in its order, each by its target and with its location; `usual` where
 * neither the snapshot nor the disk says one. All must be internal where that is the usual (QEMU's savevm takes all disks).
 *
 * Throws CONFIG_UNSUPPORTED in libvirt's words (virDomainSnapshotAlignDisks).
 */
export function alignDisks(snapshot: SnapshotDef, domain: DomainDef, usual: SnapshotLocation): void {
	const { disks } = domain.devices;
	if (snapshot.disks.length > disks.length) refuse("too many disk snapshot requests for domain");
	if (disks.length === 0) return;
	const asked = new Map<DiskDef, SnapshotDiskDef>();
	for (const wish of snapshot.disks) {
		const disk = diskByName(domain, wish.name) ?? refuse(`no disk named '${wish.name}'`);
		if (asked.has(disk)) refuse(`disk '${wish.name}' specified twice`);
		asked.set(disk, settleWish(wish, disk, usual));
	}
	snapshot.disks = disks.map((disk) => asked.get(disk) ?? unasked(disk, usual));
	nameFiles(snapshot, disks);
}

/** What the disk itself says of snapshots; what the guest cannot write to is in none. */
const ownWish = ({ snapshot, readonly, type }: DiskDef): SnapshotLocation | undefined =>
	snapshot ?? (readonly || type === "vhostuser" ? "no" : undefined);

function settleWish(wish: SnapshotDiskDef, disk: DiskDef, usual: SnapshotLocation): SnapshotDiskDef {
	const uniform = usual === "internal";
	const own = ownWish(disk);
	let { snapshot: location } = wish;
	if (location === undefined) location = own !== undefined && (!uniform || own === "no") ? own : usual;
	else if (uniform && location !== usual && !(location === "no" && own === "no"))
		refuse(`disk '${wish.name}' must use snapshot mode '${usual}'`);
	const path = sourcePath(wish.source);
	if (path !== undefined && location !== "external")
		refuse(`file '${path}' for disk '${wish.name}' requires use of external snapshot mode`);
	return { ...wish, name: disk.target.dev ?? "", snapshot: location };
}

function unasked(disk: DiskDef, usual: SnapshotLocation): SnapshotDiskDef {
	const snapshot = isEmptySource(disk.source) ? "no" : (ownWish(disk) ?? usual);
	return { name: disk.target.dev ?? "", snapshot, type: "file" };
}

/** Files of the parts that are external and name none: the disk's image, its suffix replaced by the snapshot's name. */
function nameFiles(snapshot: SnapshotDef, disks: readonly DiskDef[]): void {
	const taken = new Map<string, string>();
	for (const [index, part] of snapshot.disks.entries()) {
		const disk = disks[index];
		if (part.snapshot !== "external" || disk === undefined) continue;
		if (sourcePath(part.source) === undefined)
			part.source = { host: [], seclabels: [], ...part.source, file: fileFor(part, disk, snapshot.name) };
		const path = sourcePath(part.source) ?? "";
		const other = taken.get(path);
		if (other !== undefined)
			refuse(`cannot generate external snapshot name for disk '${part.name}': collision with disk '${other}'`);
		taken.set(path, part.name);
	}
}

function fileFor(part: SnapshotDiskDef, disk: DiskDef, name: string): string {
	if (part.type !== "file")
		return refuse(`cannot generate external snapshot name for disk '${part.name}' on a '${part.type}' device`);
	const path = sourcePath(disk.source);
	if (path === undefined)
		return refuse(`cannot generate external snapshot name for disk '${part.name}' without source`);
	if (!isRegularFile(path))
		return refuse(`source for disk '${part.name}' is not a regular file; refusing to generate external snapshot name`);
	return `${path.replace(/\.[^./]*$/, "")}.${name}`;
}

function isRegularFile(path: string): boolean {
	try {
		return statSync(path).isFile();
	} catch {
		return false;
	}
}
