// Deletes an external snapshot: what was written since is merged into the images it was taken of, of running and stopped guests alike.

import { rmSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import type { BackingStoreDef } from "@virtkit/model/domain/backing-store";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { isExternal, type SnapshotDef, type SnapshotDiskDef } from "@virtkit/model/snapshot/snapshot";
import { storeDefinition } from "../config/impact.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { settleChain } from "../lifecycle/backing-chain.ts";
import { imagesInUse } from "./branch.ts";
import { mergeRunning } from "./merge-running.ts";
import { snapshots } from "./metadata.ts";
import { dropDeleting, noteDeleting } from "./pending.ts";
import { qemuImg } from "./qemu-img.ts";

/** One disk of a snapshot that is deleted. */
export interface Merge {
	readonly part: SnapshotDiskDef;
	/** The image that was made when the snapshot was taken. */
	readonly overlay: string;
	/** The disk as it was then: its image takes in what the overlay has. */
	readonly base: DiskDef;
}

const diskNamed = (def: DomainDef | undefined, name: string): DiskDef | undefined =>
	def?.devices.disks.find(({ target }) => target.dev === name);

/** What the external disks of the snapshot come to. Throws OPERATION_FAILED where its definition lacks one. */
function mergesOf({ disks, domain }: SnapshotDef): Merge[] {
	return disks
		.filter(({ snapshot }) => snapshot === "external")
		.map((part) => {
			const base = diskNamed(domain, part.name);
			const overlay = sourcePath(part.source);
			if (base === undefined || overlay === undefined)
				throw new VirtError("OPERATION_FAILED", `failed to find disk '${part.name}' in snapshot VM XML`);
			return { part, overlay, base };
		});
}

/** The chain of the domain's disk as it is now, and whatever its definition leaves out of it. */
function currentDisk(domain: QemuDomain, name: string): DiskDef | undefined {
	const found = diskNamed(domain.current.def, name);
	if (found === undefined || domain.run) return found;
	const disk = structuredClone(found);
	settleChain(disk);
	return disk;
}

/** The image of that path in the disk's chain, with the one above; undefined where it has none. */
function findLayer(disk: DiskDef, path: string): { readonly above: BackingStoreDef | undefined } | undefined {
	if (sourcePath(disk.source) === path) return { above: undefined };
	let above: BackingStoreDef = { source: disk.source, format: { type: disk.driver.type } };
	for (let below = disk.backingStore; below; below = below.backingStore) {
		if (sourcePath(below.source) === path) return { above };
		above = below;
	}
	return undefined;
}

/** True where the domain goes on in the snapshot's images, or in others over them. */
const isAncestor = (domain: QemuDomain, merges: readonly Merge[]): boolean =>
	merges.some(({ part, overlay }) => {
		const disk = currentDisk(domain, part.name);
		return disk !== undefined && findLayer(disk, overlay) !== undefined;
	});

/** Refuses what cannot be merged without taking something from others. Throws OPERATION_UNSUPPORTED. */
export function checkMerge(driver: Driver, domain: QemuDomain, snapshot: SnapshotDef): void {
	const tree = snapshots.of(driver, domain);
	const merges = mergesOf(snapshot);
	const refuse = (message: string): never => {
		throw new VirtError("OPERATION_UNSUPPORTED", message);
	};
	for (const { part } of merges)
		if (part.snapshotDeleteInProgress)
			throw new VirtError(
				"OPERATION_INVALID",
				`snapshot disk '${part.name}' was target of not completed snapshot delete`,
			);
	for (const { part } of merges) {
		let above = tree.parentOf(snapshot);
		while (above && !above.disks.some(({ name, snapshot: where }) => name === part.name && where !== "no"))
			above = tree.parentOf(above);
		if (above && !isExternal(above))
			refuse("deleting external snapshot that has internal snapshot as parent not supported");
	}
	if (!isAncestor(domain, merges)) {
		if (!tree.isLeaf(snapshot))
			refuse(
				`snapshot '${snapshot.name}' with children is not one that the domain goes on from: revert to one of them first`,
			);
		return;
	}
	const shared = [
		...tree.all().filter((one) => one !== snapshot),
		...(snapshot.revertDisks.length > 0 ? [snapshot] : []),
	];
	for (const { part, base } of merges)
		for (const other of shared)
			if (sourcePath(diskNamed(other.domain, part.name)?.source) === sourcePath(base.source))
				refuse(
					`'${sourcePath(base.source)}' cannot take in what was written since snapshot '${snapshot.name}': snapshot '${other.name}' was taken of it too`,
				);
}

/** Merges the snapshot's images, and forgets it. A daemon that comes after a killed one begins again, which does nothing twice. */
export async function mergeExternal(driver: Driver, domain: QemuDomain, snapshot: SnapshotDef): Promise<void> {
	const merges = mergesOf(snapshot);
	const tree = snapshots.of(driver, domain);
	await noteDeleting(driver, domain, snapshot.name);
	const wanted = merges.filter(({ part, overlay }) => {
		const disk = currentDisk(domain, part.name);
		return disk !== undefined && findLayer(disk, overlay) !== undefined;
	});
	if (domain.run) await mergeRunning(driver, domain, domain.run, wanted);
	else for (const merge of wanted) await mergeStopped(driver, domain, merge);
	for (const below of tree.descendantsOf(snapshot)) {
		for (const def of [below.domain, below.inactiveDomain]) for (const merge of merges) forgetImage(def, merge, false);
		await tree.save(below);
	}
	const used = imagesInUse(domain);
	for (const { overlay } of merges) if (!used.has(overlay)) rmSync(overlay, { force: true });
	if (snapshot.memory?.file !== undefined) rmSync(snapshot.memory.file, { force: true });
	await tree.forget(snapshot);
	dropDeleting(driver, domain);
}

/** Merges one disk of a guest that does not run: the base has everything before anything stands on it alone. */
async function mergeStopped(driver: Driver, domain: QemuDomain, { part, overlay, base }: Merge): Promise<void> {
	const disk = currentDisk(domain, part.name);
	const found = disk && findLayer(disk, overlay);
	const path = sourcePath(base.source) ?? "";
	const format = base.driver.type ?? "raw";
	if (!found) return;
	await qemuImg("commit", "-q", "-f", part.driver?.type ?? "qcow2", "-b", path, overlay);
	const { above } = found;
	const abovePath = sourcePath(above?.source);
	if (above && abovePath !== undefined)
		await qemuImg("rebase", "-u", "-f", above.format?.type ?? "qcow2", "-b", path, "-F", format, abovePath);
	const def = domain.config.copy();
	forgetImage(def, { part, overlay, base }, true);
	await storeDefinition(driver, domain, def);
}

/** Has the definition do without the overlay, whose content the base has; what lies below the base is told with `keepsChain`. */
function forgetImage(def: DomainDef | undefined, { part, overlay, base }: Merge, keepsChain: boolean): void {
	const disk = diskNamed(def, part.name);
	if (disk === undefined) return;
	if (sourcePath(disk.source) === overlay) {
		const then = structuredClone(base);
		disk.type = then.type;
		if (then.source) disk.source = then.source;
		disk.driver.type = then.driver.type;
		const below = disk.backingStore?.backingStore;
		if (keepsChain && below) disk.backingStore = below;
		else delete disk.backingStore;
		return;
	}
	let above: { backingStore?: BackingStoreDef | undefined } = disk;
	for (let below = disk.backingStore; below; below = below.backingStore) {
		if (sourcePath(below.source) === overlay) {
			above.backingStore = below.backingStore;
			return;
		}
		above = below;
	}
}
