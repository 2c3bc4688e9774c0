// All images that QEMU has open for a disk, in whatever role.

import type { DiskDef } from "@virtkit/model/domain/disk";
import { backupParts } from "../backup/backup.ts";
import { type DiskImage, imageChain } from "../devices/disk-image.ts";
import type { Run } from "../domain/run.ts";
import { mirrorImages } from "./layers.ts";

/** The disk's own images from the top down, then what it is copied to, and what a backup writes for it. */
export function allImages(run: Run, disk: DiskDef): DiskImage[] {
	const stores = run.backup ? backupParts(run.backup.def, run).filter((part) => part.disk === disk) : [];
	return [...imageChain(disk), ...mirrorImages(disk), ...stores.map(({ image }) => image)];
}
