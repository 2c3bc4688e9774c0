// Internal snapshots, which lie inside the disks' images: by QEMU's jobs where the guest runs, by qemu-img where it does not.

import { VirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { SnapshotDef } from "@virtkit/model/snapshot/snapshot";
import { jobEnd } from "../block/new-image.ts";
import { formatNode, topImage } from "../devices/disk-image.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { qemuImg } from "./qemu-img.ts";

/** The disks of `def` that have a part of the snapshot in their image. */
function internalDisks({ disks }: SnapshotDef, def: DomainDef): DiskDef[] {
	const names = new Set(disks.filter(({ snapshot }) => snapshot === "internal").map(({ name }) => name));
	return def.devices.disks.filter(({ target, device }) => names.has(target.dev ?? "") && device === "disk");
}

const nodesOf = (run: Run, snapshot: SnapshotDef): string[] =>
	internalDisks(snapshot, run.live.def).map((disk) => formatNode(topImage(disk)));

/** Has QEMU run a job on the snapshot; comes to its error. QEMU answers nobody meanwhile, however long it takes. */
async function snapshotJob(
	run: Run,
	command: "snapshot-save" | "snapshot-delete",
	args: { readonly tag: string; readonly devices: readonly string[]; readonly vmstate?: string },
): Promise<string | undefined> {
	if (!run.caps.hasSchema(command))
		throw new VirtError("OPERATION_UNSUPPORTED", "internal snapshots of running guests need QEMU 6.0 or newer");
	const id = `${command}-${args.tag}`;
	await run.monitor.executeUntyped(command, { "job-id": id, ...args }, { deadlineMs: Number.POSITIVE_INFINITY });
	return jobEnd(run, id);
}

/** Saves disks and memory of the guest, which stands still. */
export async function saveInternal(run: Run, snapshot: SnapshotDef): Promise<void> {
	const devices = nodesOf(run, snapshot);
	const [vmstate] = devices;
	if (vmstate === undefined)
		throw new VirtError("OPERATION_INVALID", "this domain does not have a device to take snapshots");
	const failure = await snapshotJob(run, "snapshot-save", { tag: snapshot.name, devices, vmstate });
	if (failure !== undefined) throw new VirtError("OPERATION_FAILED", `Failed to take snapshot: ${failure}`);
}

/** Removes the snapshot from the images of a running guest. What QEMU cannot remove is told in the log alone, as with libvirt. */
export async function deleteInternal(driver: Driver, run: Run, snapshot: SnapshotDef): Promise<void> {
	const devices = nodesOf(run, snapshot);
	if (devices.length === 0) return;
	const failure = await snapshotJob(run, "snapshot-delete", { tag: snapshot.name, devices }).catch(String);
	if (failure !== undefined) driver.log.warn(`snapshot '${snapshot.name}' stays in its images: ${failure}`);
}

/** qemu-img's letters for what is done with a snapshot in an image. */
export type ImageAction = "-c" | "-a" | "-d";

/** Does it in one image of a guest that does not run. */
async function inImage(action: ImageAction, name: string, disk: DiskDef): Promise<void> {
	if (disk.type !== "file" && disk.type !== "block")
		throw new VirtError("OPERATION_INVALID", `can't manipulate inactive snapshots of disk '${disk.target.dev}'`);
	const { type } = disk.driver;
	if (type !== undefined && type !== "qcow2")
		throw new VirtError("OPERATION_INVALID", `Disk device '${disk.target.dev}' does not support snapshotting`);
	await qemuImg("snapshot", action, name, sourcePath(disk.source) ?? "");
}

/** Makes the snapshot in the images of all disks, or of none. */
export async function createInImages(snapshot: SnapshotDef, def: DomainDef): Promise<void> {
	const done: DiskDef[] = [];
	try {
		for (const disk of internalDisks(snapshot, def)) {
			await inImage("-c", snapshot.name, disk);
			done.push(disk);
		}
	} catch (error) {
		for (const disk of done) await inImage("-d", snapshot.name, disk).catch(() => undefined);
		throw error;
	}
}

/** Goes back to the snapshot, or removes it, in every image that has it; true where all have. */
export async function applyInImages(
	driver: Driver,
	action: Exclude<ImageAction, "-c">,
	snapshot: SnapshotDef,
	def: DomainDef,
): Promise<boolean> {
	let all = true;
	for (const disk of internalDisks(snapshot, def)) {
		try {
			await inImage(action, snapshot.name, disk);
		} catch (error) {
			all = false;
			driver.log.warn(`skipping snapshot action on ${disk.target.dev}`, { error });
		}
	}
	return all;
}
