// Begins backups of running guests: all disks at one moment, with a checkpoint at the same one where that is wanted.

import { existsSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { UndoStack } from "@virtkit/base/undo-stack";
import type { CallContext } from "@virtkit/core/domain-operations";
import { type BackupDef, type BackupDiskDef, parseBackup } from "@virtkit/model/backup/backup";
import { type CheckpointDef, parseCheckpoint } from "@virtkit/model/checkpoint/checkpoint";
import { isEmptySource } from "@virtkit/model/domain/disk";
import { makeEmptyFile, openNewImage, virtualSize } from "../block/new-image.ts";
import { lendForWriting } from "../block/nodes.ts";
import { idleDisk, jobName } from "../block/start-job.ts";
import { type Action, type Bitmaps, bitmapsOf, checkWhole, mergeInto, transact } from "../checkpoint/bitmaps.ts";
import { prepareCheckpoint, withCheckpoint } from "../checkpoint/create.ts";
import { checkpoints } from "../checkpoint/metadata.ts";
import { formatNode, imageChain, nextImageNumber, topImage } from "../devices/disk-image.ts";
import type { LiveContext } from "../devices/entry.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { liveContext } from "../hotplug/removal.ts";
import { lendFiles } from "../lifecycle/ownership.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { openJob } from "../save/domain-job.ts";
import { alignDisks } from "./align-disks.ts";
import { type ActiveBackup, type BackupPart, backupPart, storePath } from "./backup.ts";
import { cancelBackup, endWithRun } from "./end.ts";
import { checkServer, exportDisks, startServer, stopServer } from "./server.ts";

/** VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL. */
const REUSE = 1;
const API = "virDomainBackupBegin";

export interface BackupRequest {
	readonly xml: string;
	readonly checkpointXml: string | undefined;
}

/** Begins the backup that `xml` describes; it goes on when this returns. */
export async function beginBackup(
	driver: Driver,
	domain: QemuDomain,
	{ xml, checkpointXml }: BackupRequest,
	flags: number,
	{ signal }: CallContext,
): Promise<void> {
	const def = parseBackup(xml);
	const now = Date.now();
	const seconds = Math.floor(now / 1000);
	const checkpoint =
		checkpointXml === undefined ? undefined : parseCheckpoint(checkpointXml, { redefine: false, now: seconds });
	Object.assign(def, { started: now, done: 0n, total: 0n });
	if (flags & REUSE) def.reuse = true;
	// What changes the guest may pass: each of its disks says by itself that it is busy.
	const hold = await domain.lock.beginAsync("backup", API, { signal, passes: ["modify", "suspend"] });
	try {
		using _job = await domain.lock.begin("modify", API, { signal });
		const { run } = domain;
		if (run === undefined)
			throw new VirtError("OPERATION_UNSUPPORTED", "cannot perform disk backup for inactive domain");
		const active: ActiveBackup = {
			def,
			job: openJob(domain, "backup", "backup", now),
			release: () => hold[Symbol.dispose](),
		};
		try {
			alignDisks(def, run.live.def, checkpoint?.name ?? String(seconds));
			checkServer(def);
			await start(driver, domain, run, active, checkpoint);
		} finally {
			if (run.backup !== active) active.job.close();
		}
	} catch (error) {
		if (domain.run?.backup === undefined) hold[Symbol.dispose]();
		throw error;
	}
}

async function start(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	active: ActiveBackup,
	checkpoint: CheckpointDef | undefined,
): Promise<void> {
	const { def } = active;
	const marks = checkpoint ? prepareCheckpoint(driver, domain, run, checkpoint) : [];
	const bitmaps = await bitmapsOf(run);
	numberImages(run, def);
	const parts = def.disks.filter(({ backup }) => backup).map((own) => partOf(driver, domain, run, def, own));
	if (parts.length === 0) throw new VirtError("CONFIG_UNSUPPORTED", "no disks selected for backup");
	const actions = [...marks, ...parts.flatMap((part) => actionsOf(def, part, bitmaps))];
	if (!def.reuse) for (const part of parts) refuseExisting(part);
	await using undo = new UndoStack();
	// Noted before anything of it is there.
	undo.defer("the note of the backup", () => forget(domain, run, parts));
	run.backup = active;
	for (const { disk } of parts) run.blockJobs.set(jobName("backup", disk), blockJob(disk.target.dev ?? "", disk));
	await saveStatusNow(domain, run);
	undo.defer("the owners of files", () => lendFiles(driver, run, run.live.def));
	for (const part of parts) await openStore(part, liveContext(driver, domain, run), def, undo);
	if (def.mode === "pull") {
		await startServer(driver, run, def);
		undo.defer("the NBD server", () => stopServer(driver, run, def));
	}
	const make = async (): Promise<void> => {
		await transact(run, actions);
		undo.commit();
		for (const { own } of parts) own.state = "running";
	};
	if (checkpoint) await withCheckpoint(driver, domain, run, checkpoint, make);
	else await make();
	endWithRun(driver, domain, run, active);
	await saveStatusNow(domain, run);
	try {
		await exportDisks(run, def);
	} catch (error) {
		await cancelBackup(driver, domain, run);
		throw error;
	}
}

const blockJob = (dev: string, disk: BackupPart["disk"]) =>
	({ name: jobName("backup", disk), type: "backup", disk: dev, state: "running" }) as const;

async function forget(domain: QemuDomain, run: Run, parts: readonly BackupPart[]): Promise<void> {
	run.backup = undefined;
	for (const { disk } of parts) run.blockJobs.delete(jobName("backup", disk));
	await saveStatusNow(domain, run);
}

/** Numbers the images that are written; no number is given twice in a run. */
function numberImages(run: Run, def: BackupDef): void {
	let id = Math.max(run.lastImage + 1, nextImageNumber(run.live.def));
	for (const own of def.disks) if (own.backup) own.index = id++;
	run.lastImage = id - 1;
}

/** One disk's part, completed. Throws libvirt's codes where it cannot be had. */
function partOf(driver: Driver, domain: QemuDomain, run: Run, def: BackupDef, own: BackupDiskDef): BackupPart {
	const disk = idleDisk(run, own.name);
	if (isEmptySource(disk.source)) throw new VirtError("CONFIG_UNSUPPORTED", `disk '${own.name}' has no media`);
	own.driver ??= {};
	own.driver.type ??= "qcow2";
	const { incremental } = own;
	if (incremental !== undefined) {
		if (!checkpoints.of(driver, domain).byName(incremental))
			throw new VirtError(
				"NO_DOMAIN_CHECKPOINT",
				`Checkpoint '${incremental}' for incremental backup of disk '${own.name}' not found`,
			);
		const bitmap = own.exportbitmap ?? `backup-${own.name}`;
		if (def.mode === "pull") own.exportbitmap = bitmap;
		else own.bitmap = bitmap;
	}
	if (def.mode === "pull") own.exportname ??= own.name;
	return backupPart(def, own, disk);
}

/** What QEMU does for the disk at the moment of the backup. */
function actionsOf(def: BackupDef, { own, disk, image }: BackupPart, bitmaps: Bitmaps): Action[] {
	const { incremental } = own;
	const chain = imageChain(disk);
	const top = topImage(disk);
	const isPull = def.mode === "pull";
	const bitmap = isPull ? own.exportbitmap : own.bitmap;
	const merge: Action[] = [];
	if (incremental !== undefined && bitmap !== undefined) {
		checkWhole(chain, incremental, own.name, bitmaps);
		// A pull's clients find it with what they read; a push reads it where it reads the data.
		merge.push(...mergeInto(isPull ? image : top, bitmap, chain, incremental, bitmaps));
	}
	return [
		...merge,
		{
			type: "blockdev-backup",
			data: {
				device: formatNode(top),
				"job-id": jobName("backup", disk),
				target: formatNode(image),
				sync: isPull ? "none" : incremental === undefined ? "full" : "incremental",
				bitmap: isPull || incremental === undefined ? undefined : bitmap,
				"auto-finalize": true,
				"auto-dismiss": false,
			},
		},
	];
}

function refuseExisting({ own, disk }: BackupPart): void {
	const path = storePath(own);
	if (own.type === "file" && path !== undefined && existsSync(path))
		throw new VirtError("INVALID_ARG", `store '${path}' for backup of '${disk.target.dev}' exists`);
}

async function openStore(
	{ own, disk, image }: BackupPart,
	context: LiveContext,
	{ reuse }: BackupDef,
	undo: UndoStack,
): Promise<void> {
	const path = storePath(own);
	if (!reuse && own.type === "file" && path !== undefined)
		makeEmptyFile(path, `failed to create image file '${path}'`, undo);
	lendForWriting(disk, [image], context);
	const size = reuse ? undefined : await virtualSize(context.run, disk);
	await openNewImage(image, { size, below: image.backing ?? undefined }, context, undo);
}
