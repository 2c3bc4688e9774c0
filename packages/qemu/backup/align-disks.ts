// What a backup does with each disk of the domain, where its description leaves that open.

import { VirtError } from "@virtkit/base/errors";
import type { BackupDef, BackupDiskDef } from "@virtkit/model/backup/backup";
import { type DiskDef, isEmptySource } from "@virtkit/model/domain/disk";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { storePath } from "./backup.ts";

const refuse = (message: string): never => {
	throw new VirtError("CONFIG_UNSUPPORTED", message, { domain: "DOMAIN" });
};

/**
 * Has the backup name every disk of `domain`: all that can be written where it names none, each with its mode, format and
 * a file beside its image (`suffix` at the end) where none is named. A disk that it leaves out is not backed up.
 *
 * Throws CONFIG_UNSUPPORTED in libvirt's words (virDomainBackupAlignDisks).
 */
export function alignDisks(def: BackupDef, domain: DomainDef, suffix: string): void {
	const { disks } = domain.devices;
	if (disks.length === 0) refuse("domain must have at least one disk to perform backup");
	const named = new Set<string>();
	for (const own of def.disks) {
		const disk = disks.find(({ target }) => target.dev === own.name) ?? refuse(`no disk named '${own.name}'`);
		if (named.has(own.name)) refuse(`disk '${own.name}' specified twice`);
		named.add(own.name);
		if (own.backupmode === "incremental" && own.incremental === undefined && def.incremental === undefined)
			refuse(`'incremental' backup mode of disk '${own.name}' requires setting 'incremental' field for disk or backup`);
		if (own.backup) settleStore(def, own, disk, suffix);
	}
	const all = def.disks.length === 0;
	for (const disk of disks) {
		const name = disk.target.dev ?? "";
		if (named.has(name)) continue;
		const backup = all && !isEmptySource(disk.source) && !disk.readonly;
		const own: BackupDiskDef = { name, backup, type: "file" };
		if (backup) settleStore(def, own, disk, suffix);
		def.disks.push(own);
	}
	for (const own of def.disks) settleMode(def, own);
}

function settleStore({ mode }: BackupDef, own: BackupDiskDef, disk: DiskDef, suffix: string): void {
	if (isEmptySource(disk.source)) refuse(`disk '${own.name}' has no media`);
	if (storePath(own) !== undefined) return;
	const file = disk.type === "file" && own.type === "file" ? disk.source?.file : undefined;
	if (file === undefined) return refuse(`refusing to generate file name for disk '${own.name}'`);
	const made = { host: [], seclabels: [], ...(own.target ?? own.scratch), file: `${file}.${suffix}` };
	if (mode === "push") own.target = made;
	else own.scratch = made;
}

function settleMode(def: BackupDef, own: BackupDiskDef): void {
	own.backupmode ??= (def.incremental ?? own.incremental) === undefined ? "full" : "incremental";
	if (own.backupmode === "incremental") own.incremental ??= def.incremental;
}
