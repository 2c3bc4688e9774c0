// New images over those of an external snapshot, for a domain that goes back to it, and the end of those it had.

import { existsSync, rmSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { UndoStack } from "@virtkit/base/undo-stack";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { SnapshotDef, SnapshotDiskDef } from "@virtkit/model/snapshot/snapshot";
import { imageChain } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { snapshots } from "./metadata.ts";
import { putOnTop } from "./overlay-disk.ts";
import { notePending } from "./pending.ts";
import type { Reverted } from "./revert.ts";
import { makeOverlay } from "./take-stopped.ts";

const isExternalDisk = ({ snapshot }: SnapshotDiskDef): boolean => snapshot === "external";

const diskNamed = ({ devices }: DomainDef, name: string): DiskDef | undefined =>
	devices.disks.find(({ target }) => target.dev === name);

/** See the opening sentence. */
export interface NewOverlays {
	readonly parts: readonly SnapshotDiskDef[];
	/** Makes the images; those of a revert that fails go again. */
	make(driver: Driver, domain: QemuDomain): Promise<void>;
	/** They are the domain's from now on. */
	keep(): void;
}

/** A file beside the image that is not there yet. */
function freeName(image: string): string {
	const stem = image.replace(/\.[^./]*$/, "");
	for (let number = Math.floor(Date.now() / 1000); ; number++)
		if (!existsSync(`${stem}.${number}`)) return `${stem}.${number}`;
}

/** Plans the images, and puts them into the definitions. */
export function planNewOverlays(snapshot: SnapshotDef, { config, inactive }: Reverted): NewOverlays {
	const made: { part: SnapshotDiskDef; below: DiskDef }[] = [];
	for (const { name } of snapshot.disks.filter(isExternalDisk)) {
		const disk = diskNamed(config, name);
		const path = disk && sourcePath(disk.source);
		if (disk === undefined || path === undefined || !existsSync(path))
			throw new VirtError(
				"OPERATION_INVALID",
				`the image of disk '${name}' in snapshot '${snapshot.name}' is not there`,
			);
		const file = freeName(path);
		const part: SnapshotDiskDef = {
			name,
			snapshot: "external",
			type: "file",
			driver: { type: "qcow2" },
			source: { host: [], seclabels: [], file },
		};
		made.push({ part, below: structuredClone(disk) });
		putOnTop(disk, part, undefined, true);
		const stored = diskNamed(inactive, name);
		if (stored) putOnTop(stored, part, undefined, true);
	}
	const undo = new UndoStack();
	return {
		parts: made.map(({ part }) => part),
		make: async (driver, domain) => {
			const created = made.map(({ part }) => part.source?.file ?? "");
			const noted = { ...snapshot, revertDisks: made.map(({ part }) => part) };
			await notePending(driver, domain, { snapshot: noted, created, metadata: false, frozen: false, revert: true });
			for (const { part, below } of made) await makeOverlay(part, below, undo);
		},
		keep: () => undo.commit(),
	};
}

/** Paths of all images that snapshots of the domain, but not their own overlays, are made of. */
function imagesOfSnapshots(all: readonly SnapshotDef[]): Set<string> {
	const paths = new Set<string>();
	for (const { domain, inactiveDomain } of all)
		for (const def of [domain, inactiveDomain])
			for (const disk of def?.devices.disks ?? [])
				for (const { source } of imageChain(disk)) paths.add(sourcePath(source) ?? "");
	return paths;
}

/** Where a snapshot's disks went on: after it was taken, or after the domain was brought back to it. */
const overlaysOf = ({ disks, revertDisks }: SnapshotDef): string[] =>
	[...disks, ...revertDisks].filter(isExternalDisk).map(({ source }) => sourcePath(source) ?? "");

/** Notes where the domain goes on from the snapshot, and removes the images that it had on top `before` and that nothing stands on. */
export async function discardOverlays(
	driver: Driver,
	domain: QemuDomain,
	snapshot: SnapshotDef,
	parts: readonly SnapshotDiskDef[],
	before: DomainDef | undefined,
): Promise<void> {
	const tree = snapshots.of(driver, domain);
	const all = tree.all();
	const ours = new Set(all.flatMap(overlaysOf));
	const kept = imagesOfSnapshots(all);
	if (tree.isLeaf(snapshot))
		snapshot.disks = snapshot.disks.map((disk) => parts.find(({ name }) => name === disk.name) ?? disk);
	else snapshot.revertDisks = [...parts];
	await tree.save(snapshot);
	const now = imagesInUse(domain);
	for (const disk of before?.devices.disks ?? []) {
		const path = sourcePath(disk.source);
		if (path !== undefined && ours.has(path) && !kept.has(path) && !now.has(path)) rmSync(path, { force: true });
	}
}

/** Paths of the images that the domain runs with or is stored with. */
export function imagesInUse(domain: QemuDomain): Set<string> {
	const defs = [domain.run?.live.def, domain.persistent ? domain.config.def : undefined];
	const disks = defs.flatMap((def) => def?.devices.disks ?? []);
	return new Set(disks.flatMap(imageChain).map(({ source }) => sourcePath(source) ?? ""));
}
