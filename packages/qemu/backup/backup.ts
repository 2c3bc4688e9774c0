// A backup of a running guest under way: what it is to do, how far it is, and what keeps other long jobs from the guest.

import type { BackupDef, BackupDiskDef } from "@virtkit/model/backup/backup";
import type { DiskDef } from "@virtkit/model/domain/disk";
import type { DiskSourceDef } from "@virtkit/model/domain/disk-source";
import { type DiskImage, topImage } from "../devices/disk-image.ts";
import type { Run } from "../domain/run.ts";
import type { OpenJob } from "../save/domain-job.ts";

/** See the opening sentence. */
export interface ActiveBackup {
	readonly def: BackupDef;
	readonly job: OpenJob;
	/** Lets other long jobs at the guest. */
	release: () => void;
}

/** A disk's part of a backup. */
export interface BackupPart {
	readonly own: BackupDiskDef;
	readonly disk: DiskDef;
	/** What is written: a push's target, a pull's scratch file. */
	readonly image: DiskImage;
}

/** What the part is written to, as the document has it. */
export const storeOf = ({ target, scratch }: BackupDiskDef): DiskSourceDef | undefined => target ?? scratch;

/** Where it is. */
export const storePath = (own: BackupDiskDef): string | undefined =>
	own.type === "block" ? storeOf(own)?.dev : storeOf(own)?.file;

/** Formats that name an image below them. */
const BACKED: ReadonlySet<string | undefined> = new Set(["qcow2", "qed", "qcow", "cow", "vmdk"]);

/**
 * What is written stands on the disk itself in a pull, whose clients read what has not changed there; and in a push of
 * changes alone, where its format can say so.
 */
function isOnDisk({ mode }: BackupDef, { incremental, driver }: BackupDiskDef): boolean {
	return mode === "pull" || (incremental !== undefined && BACKED.has(driver?.type));
}

/** The part of that disk, once its image has a number. */
export function backupPart(def: BackupDef, own: BackupDiskDef, disk: DiskDef): BackupPart {
	const source = storeOf(own);
	const image: DiskImage = {
		type: own.type,
		source: source ?? { host: [], seclabels: [] },
		format: own.driver?.type,
		readonly: false,
		id: own.index,
		auth: undefined,
		encryption: source?.encryption,
		cacheSize: undefined,
		options: {},
		backing: isOnDisk(def, own) ? topImage(disk) : null,
	};
	return { own, disk, image };
}

/** The parts of a backup whose disks the guest has. */
export function backupParts(def: BackupDef, run: Run): BackupPart[] {
	return def.disks.flatMap((own) => {
		const disk = run.live.def.devices.disks.find(({ target }) => target.dev === own.name);
		return own.backup && disk ? [backupPart(def, own, disk)] : [];
	});
}
