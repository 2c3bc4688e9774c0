// Takes snapshots of a guest that does not run: new images on top of its disks', or marks inside them.

import { existsSync, unlinkSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { UndoStack } from "@virtkit/base/undo-stack";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import { isExternal, type SnapshotDef, type SnapshotDiskDef } from "@virtkit/model/snapshot/snapshot";
import { storeDefinition } from "../config/impact.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { createInImages } from "./internal.ts";
import { putOnTop } from "./overlay-disk.ts";
import { qemuImg } from "./qemu-img.ts";

/** Takes the snapshot. `reuse`: the new images are there already. */
export async function takeOfStopped(
	driver: Driver,
	domain: QemuDomain,
	snapshot: SnapshotDef,
	reuse: boolean,
): Promise<void> {
	if (!isExternal(snapshot)) return createInImages(snapshot, domain.config.def);
	const def = domain.config.copy();
	await using undo = new UndoStack();
	for (const [index, part] of snapshot.disks.entries()) {
		const disk = def.devices.disks[index];
		if (part.snapshot !== "external" || disk === undefined) continue;
		if (!reuse) await makeOverlay(part, disk, undo);
		putOnTop(disk, part, undefined, !reuse && disk.backingStore !== undefined);
	}
	await storeDefinition(driver, domain, def);
	undo.commit();
}

/** qemu-img's comma stands for itself where it is doubled. */
const escapeCommas = (text: string): string => text.replaceAll(",", ",,");

/** Makes an empty image over the disk's. */
export async function makeOverlay(part: SnapshotDiskDef, disk: DiskDef, undo: UndoStack): Promise<void> {
	const [path, below] = [sourcePath(part.source), sourcePath(disk.source)];
	if (path === undefined || below === undefined)
		throw new VirtError("INTERNAL_ERROR", `disk '${part.name}' has no file to lie over`);
	if (!existsSync(path)) undo.defer("the new image", () => unlinkSync(path));
	const backing = `backing_fmt=${disk.driver.type ?? "raw"},backing_file=${escapeCommas(below)}`;
	await qemuImg("create", "-f", part.driver?.type ?? "qcow2", "-o", backing, path);
}
