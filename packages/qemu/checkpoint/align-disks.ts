// What a checkpoint does with each disk of the domain, where its description leaves that open.

import { VirtError } from "@virtkit/base/errors";
import type { CheckpointDef, CheckpointDiskDef } from "@virtkit/model/checkpoint/checkpoint";
import { type DiskDef, isEmptySource } from "@virtkit/model/domain/disk";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { diskByName } from "../domain/find-device.ts";

const refuse = (message: string): never => {
	throw new VirtError("CONFIG_UNSUPPORTED", message, { domain: "DOMAIN_CHECKPOINT" });
};

const isFixed = (disk: DiskDef): boolean => isEmptySource(disk.source) || disk.readonly === true;

/**
 * Makes `checkpoint.disks` name every disk of `domain` in its order: all that can be written where it names none.
 *
 * Throws CONFIG_UNSUPPORTED in libvirt's words (virDomainCheckpointAlignDisks).
 */
export function alignDisks(checkpoint: CheckpointDef, domain: DomainDef): void {
	const { disks } = domain.devices;
	if (checkpoint.disks.length > disks.length) refuse("too many disk checkpoint requests for domain");
	if (disks.length === 0) refuse("domain must have at least one disk to perform checkpoints");
	const usual = checkpoint.disks.length === 0 ? "bitmap" : "no";
	const asked = new Map<DiskDef, CheckpointDiskDef>();
	for (const wish of checkpoint.disks) {
		const disk = diskByName(domain, wish.name) ?? refuse(`no disk named '${wish.name}'`);
		if (asked.has(disk)) refuse(`disk '${wish.name}' specified twice`);
		if (isFixed(disk) && wish.checkpoint !== "no") refuse(`disk '${wish.name}' is empty or readonly`);
		asked.set(disk, { ...wish, name: disk.target.dev ?? "" });
	}
	checkpoint.disks = disks.map(
		(disk) => asked.get(disk) ?? { name: disk.target.dev ?? "", checkpoint: isFixed(disk) ? "no" : usual },
	);
	nameBitmaps(checkpoint);
}

/** Bitmaps are named after their checkpoint. */
export function nameBitmaps({ name, disks }: CheckpointDef): void {
	for (const disk of disks) if (disk.checkpoint === "bitmap") disk.bitmap ??= name;
}
