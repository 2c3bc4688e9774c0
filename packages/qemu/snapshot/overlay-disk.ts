// A disk whose image gets another one on top: what its definition becomes.

import type { BackingStoreDef } from "@virtkit/model/domain/backing-store";
import type { DiskDef } from "@virtkit/model/domain/disk";
import type { DiskSourceDef } from "@virtkit/model/domain/disk-source";
import type { SnapshotDiskDef } from "@virtkit/model/snapshot/snapshot";

const NOWHERE: DiskSourceDef = { host: [], seclabels: [] };

/** The disk's own image as the one below another. */
function asLayer(disk: DiskDef): BackingStoreDef {
	const { index, startupPolicy: _, ...source } = disk.source ?? NOWHERE;
	return {
		type: disk.type,
		index,
		format: { type: disk.driver.type, metadata_cache: disk.driver.metadata_cache },
		source: {
			...source,
			...(disk.auth ? { auth: disk.auth } : {}),
			...(disk.encryption ? { encryption: disk.encryption } : {}),
		},
		backingStore: disk.backingStore,
	};
}

/** Makes the image of `part` the disk's own; `number` is its one in the running guest. `chain`: what lies below is told. */
export function putOnTop(disk: DiskDef, part: SnapshotDiskDef, number: number | undefined, chain: boolean): void {
	const below = structuredClone(asLayer(disk));
	const { index: _, ...source } = structuredClone(part.source ?? NOWHERE);
	disk.type = part.type;
	disk.source = { ...source, index: number };
	disk.driver = { ...disk.driver, type: part.driver?.type, metadata_cache: part.driver?.metadata_cache };
	delete disk.auth;
	delete disk.encryption;
	if (chain) disk.backingStore = below;
	else delete disk.backingStore;
}

/** The disk with that image on top. */
export function withOnTop(disk: DiskDef, part: SnapshotDiskDef, number: number | undefined, chain: boolean): DiskDef {
	const next = structuredClone(disk);
	putOnTop(next, part, number, chain);
	return next;
}
