// Refuses a migration after which two hosts would see different disks, or something of the guest would stay behind.

import { statfsSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { snapshots } from "../snapshot/metadata.ts";

/** Magic numbers of file systems that hosts share (Linux: include/uapi/linux/magic.h): NFS, GFS2, OCFS2, CIFS, SMB2, AFS, Ceph, FUSE, Lustre. */
const SHARED: ReadonlySet<number> = new Set([
	0x6969, 0x01161970, 0x7461636f, 0xff534d42, 0xfe534d42, 0x5346414f, 0x00c36400, 0x65735546, 0x0bd00bd0,
]);

function isShared(path: string): boolean {
	try {
		return SHARED.has(statfsSync(path).type >>> 0);
	} catch {
		return false;
	}
}

/** Throws MIGRATE_UNSAFE where a disk that the guest writes to is a file of this host alone, and is not copied. */
export function checkDisksShared(def: DomainDef, copied: readonly DiskDef[]): void {
	for (const disk of def.devices.disks) {
		if (copied.includes(disk)) continue;
		if (disk.readonly || disk.shareable || disk.type !== "file") continue;
		const path = disk.source?.file;
		if (path !== undefined && !isShared(path))
			throw new VirtError("MIGRATE_UNSAFE", "Migration without shared storage is unsafe");
	}
}

/** Throws OPERATION_INVALID where the domain has snapshots, which no migration takes along. */
export function checkUnbound(driver: Driver, domain: QemuDomain): void {
	const { size } = snapshots.of(driver, domain);
	if (size > 0) throw new VirtError("OPERATION_INVALID", `cannot migrate domain with ${size} snapshots`);
}
