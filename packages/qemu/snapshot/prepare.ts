// Refuses snapshots that cannot be taken of this domain, before anything is touched.

import { type Stats, statSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { isErrno, systemError } from "@virtkit/host/system-error";
import { type DiskDef, isEmptySource } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { SnapshotDef, SnapshotDiskDef } from "@virtkit/model/snapshot/snapshot";
import { idleDisk } from "../block/start-job.ts";
import type { QemuDomain } from "../domain/domain.ts";
import { CREATE } from "./flags.ts";

const unsupported = (message: string): never => {
	throw new VirtError("CONFIG_UNSUPPORTED", message);
};

/** What is done with the disks, in numbers. */
interface Counted {
	internal: number;
	external: number;
	/** The client takes care of some disks itself. */
	manual: boolean;
	/** Disks stand aside, which no internal snapshot can have. */
	aside: boolean;
}

/**
 * Throws in libvirt's codes and words (qemuSnapshotPrepare). True in `manual`: the client takes care of some disks itself, and
 * the guest stands still for that.
 */
export function checkSnapshot(domain: QemuDomain, snapshot: SnapshotDef, flags: number): { readonly manual: boolean } {
	const { def } = domain.current;
	const counted: Counted = { internal: 0, external: 0, manual: false, aside: false };
	for (const [index, part] of snapshot.disks.entries()) {
		const disk = def.devices.disks[index];
		if (disk !== undefined) checkDisk(domain, snapshot, part, disk, counted, (flags & CREATE.reuse) !== 0);
	}
	checkWhole(def, snapshot, counted);
	return counted;
}

function checkDisk(
	domain: QemuDomain,
	snapshot: SnapshotDef,
	part: SnapshotDiskDef,
	disk: DiskDef,
	counted: Counted,
	reuse: boolean,
): void {
	if (part.snapshot !== "no" && domain.run) refuseBusy(domain, disk);
	switch (part.snapshot) {
		case "internal":
			counted.internal++;
			return checkInternal(domain, snapshot, part, disk);
		case "external":
			counted.external++;
			return checkExternal(domain, part, disk, reuse);
		case "manual":
			counted.manual = true;
			counted.aside = true;
			return;
		default:
			if (!isEmptySource(disk.source) && !disk.readonly) counted.aside = true;
	}
}

function refuseBusy({ run }: QemuDomain, { mirror, target }: DiskDef): void {
	const busy = mirror !== undefined || [...(run?.blockJobs.values() ?? [])].some(({ disk }) => disk === target.dev);
	if (!busy) return;
	if (mirror) throw new VirtError("BLOCK_COPY_ACTIVE", `disk '${target.dev}' already in active block job`);
	throw new VirtError("OPERATION_UNSUPPORTED", `disk '${target.dev}' already in active block job`);
}

function checkInternal({ run }: QemuDomain, { state }: SnapshotDef, { name }: SnapshotDiskDef, disk: DiskDef): void {
	if (state === "disk-snapshot" && run)
		unsupported(`active qemu domains require external disk snapshots; disk ${name} requested internal`);
	if (!run && disk.type !== "file" && disk.type !== "block")
		throw new VirtError(
			"INTERNAL_ERROR",
			disk.type === "network"
				? `internal inactive snapshots are not supported on 'network' disks using '${disk.source?.protocol}' protocol`
				: `internal inactive snapshots are not supported on '${disk.type}' disks`,
		);
	const { type } = disk.driver;
	if (type !== undefined && type !== "qcow2")
		unsupported(`internal snapshot for disk ${name} unsupported for storage type ${type}`);
}

function checkExternal({ run }: QemuDomain, part: SnapshotDiskDef, disk: DiskDef, reuse: boolean): void {
	part.driver ??= {};
	part.driver.type ??= "qcow2";
	const { type, metadata_cache } = part.driver;
	if (type !== "qcow2" && type !== "qed")
		unsupported(`external snapshot format for disk ${part.name} is unsupported: ${type}`);
	if (metadata_cache?.max_size && type !== "qcow2")
		unsupported("metadata cache max size control is supported only with qcow2 images");
	if (run) checkActive(run, part, disk);
	else checkInactive(part, disk);
	if (disk.shareable && !disk.readonly)
		unsupported(`shared access for disk '${disk.target.dev}' requires use of supported storage format`);
	if (part.type === "file" || part.type === "block") checkTarget(part, reuse);
}

function checkActive(run: NonNullable<QemuDomain["run"]>, part: SnapshotDiskDef, disk: DiskDef): void {
	if (disk.device === "lun") unsupported("external active snapshots are not supported on scsi passthrough devices");
	idleDisk(run, disk.target.dev ?? "");
	if (part.type !== "file" && part.type !== "block" && part.type !== "network")
		throw new VirtError("INTERNAL_ERROR", `external active snapshots are not supported on '${part.type}' disks`);
}

function checkInactive(part: SnapshotDiskDef, disk: DiskDef): void {
	const refuse = (what: string): never => {
		throw new VirtError("INTERNAL_ERROR", `external inactive snapshots are not supported on ${what}`);
	};
	if (disk.type === "network") refuse(`'network' disks using '${disk.source?.protocol}' protocol`);
	for (const type of [disk.type, part.type]) if (type !== "block" && type !== "file") refuse(`'${type}' disks`);
}

/** The file or device that becomes the disk's image. */
function checkTarget({ name, type, source }: SnapshotDiskDef, reuse: boolean): void {
	const path = sourcePath(source) ?? "";
	let stat: Stats;
	try {
		stat = statSync(path);
	} catch (error) {
		if (!isErrno(error, "ENOENT")) throw systemError(`unable to stat for disk ${name}: ${path}`, error);
		if (reuse) throw systemError(`missing existing file for disk ${name}: ${path}`, error);
		if (type !== "block") return;
		throw new VirtError("OPERATION_UNSUPPORTED", `block device snapshot target '${path}' doesn't exist`);
	}
	if (type === "block" ? !stat.isBlockDevice() : !stat.isFile())
		unsupported(`mismatch between configured type for snapshot disk '${name}' and the type of existing file '${path}'`);
	if (!reuse && type === "file" && stat.size > 0)
		unsupported(`external snapshot file for disk ${name} already exists and is not a block device: ${path}`);
}

function checkWhole(def: DomainDef, { memory, state }: SnapshotDef, counted: Counted): void {
	const { internal, external, aside } = counted;
	const where = memory?.snapshot;
	if (internal === 0 && external === 0 && where === "no") unsupported("nothing selected for snapshot");
	if ((where === "internal" && internal === 0) || (internal > 0 && aside))
		unsupported("internal and full system snapshots require all disks to be selected for snapshot");
	if (state === "disk-snapshot" && external === 0)
		unsupported("disk-only snapshots require at least one disk to be selected for snapshot");
	if (
		(internal > 0 && external > 0) ||
		(where === "internal" && external > 0) ||
		(where === "external" && internal > 0)
	)
		unsupported("mixing internal and external targets for a snapshot is not yet supported");
	if (internal > 0 && def.os.loader?.type === "pflash")
		throw new VirtError(
			"OPERATION_UNSUPPORTED",
			"internal snapshots of a VM with pflash based firmware are not supported",
		);
}
