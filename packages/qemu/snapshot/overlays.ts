// External snapshots of a running guest's disks: new images on top of all of them in one transaction of QEMU's.

import { UndoStack } from "@virtkit/base/undo-stack";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { SnapshotDef, SnapshotDiskDef } from "@virtkit/model/snapshot/snapshot";
import type { QmpCommands } from "@virtkit/qapi/schema.gen";
import { makeEmptyFile, openNewImage } from "../block/new-image.ts";
import { lendForWriting } from "../block/nodes.ts";
import { changeConfig } from "../config/impact.ts";
import { type DiskImage, formatNode, nextImageNumber, topImage } from "../devices/disk-image.ts";
import type { LiveContext } from "../devices/entry.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { liveContext } from "../hotplug/removal.ts";
import { lendFiles } from "../lifecycle/ownership.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { putOnTop, withOnTop } from "./overlay-disk.ts";

/** QEMU's block nodes, as they were before anything was done. */
export type Nodes = QmpCommands["query-named-block-nodes"]["ret"];

interface Overlay {
	readonly part: SnapshotDiskDef;
	readonly disk: DiskDef;
	readonly number: number;
}

function planOverlays(run: Run, { disks }: SnapshotDef): Overlay[] {
	const overlays: Overlay[] = [];
	let number = Math.max(run.lastImage + 1, nextImageNumber(run.live.def));
	for (const [index, part] of disks.entries()) {
		const disk = run.live.def.devices.disks[index];
		if (part.snapshot === "external" && disk) overlays.push({ part, disk, number: number++ });
	}
	run.lastImage = number - 1;
	return overlays;
}

/** `def` with the overlays; a disk that is not there any more has none. */
function withOverlays(def: DomainDef, overlays: readonly Overlay[]): DomainDef {
	const disks = def.devices.disks.map((disk) => {
		const overlay = overlays.find((one) => one.disk.target.dev === disk.target.dev);
		return overlay ? withOnTop(disk, overlay.part, overlay.number, true) : disk;
	});
	return { ...def, devices: { ...def.devices, disks } };
}

/** Opens the overlay, which QEMU does not see above anything yet; what the transaction is to do with it. */
async function openOverlay(
	{ part, disk, number }: Overlay,
	{ reuse, nodes }: OverlayOptions,
	context: LiveContext,
	undo: UndoStack,
): Promise<object[]> {
	const below = topImage(disk);
	const image: DiskImage = { ...topImage(withOnTop(disk, part, number, true)), backing: null };
	const path = sourcePath(image.source) ?? "";
	if (!reuse && image.type === "file") makeEmptyFile(path, `failed to create image file '${path}'`, undo);
	lendForWriting(disk, [image], context);
	const node = nodes.find((one) => one["node-name"] === formatNode(below));
	const size = reuse ? undefined : (node?.image["virtual-size"] ?? 0);
	await openNewImage(image, { size, below }, context, undo);
	return [
		...carriedBitmaps(node, formatNode(image)),
		{ type: "blockdev-snapshot", data: { node: formatNode(below), overlay: formatNode(image) } },
	];
}

/** Bitmaps that record what the guest writes go on doing so in the overlay: the image below is written to no more. */
function carriedBitmaps(node: Nodes[number] | undefined, overlay: string): object[] {
	const recording = (node?.["dirty-bitmaps"] ?? []).filter(
		({ persistent, recording, inconsistent }) => persistent && recording && !inconsistent,
	);
	return recording.map(({ name, granularity }) => ({
		type: "block-dirty-bitmap-add",
		data: { node: overlay, name, persistent: true, disabled: false, granularity },
	}));
}

export interface OverlayOptions {
	/** The images are there already, headers and all. */
	readonly reuse: boolean;
	readonly nodes: Nodes;
}

/** See the opening sentence. What fails leaves no image, no node and the definitions as they were. */
export async function putOverlays(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	snapshot: SnapshotDef,
	options: OverlayOptions,
): Promise<void> {
	const context = liveContext(driver, domain, run);
	const overlays = planOverlays(run, snapshot);
	if (overlays.length === 0) return;
	await using undo = new UndoStack();
	undo.defer("the owners of files", () => lendFiles(driver, run, run.live.def));
	const actions: object[] = [];
	for (const overlay of overlays) actions.push(...(await openOverlay(overlay, options, context, undo)));
	await transact(domain, run, overlays, actions);
	undo.commit();
	const before = overlays.map(({ disk }) => sourcePath(disk.source));
	for (const { disk, part, number } of overlays) putOnTop(disk, part, number, true);
	run.live.changed();
	lendFiles(driver, run, run.live.def);
	await saveStatusNow(domain, run);
	await followInConfig(driver, domain, snapshot, before);
}

/** QEMU switches all disks or none. What they are about to be is noted first: a daemon that comes after this one asks QEMU. */
async function transact(
	domain: QemuDomain,
	run: Run,
	overlays: readonly Overlay[],
	actions: readonly object[],
): Promise<void> {
	run.intended = (def) => withOverlays(def, overlays);
	try {
		await saveStatusNow(domain, run);
		await run.monitor.executeUntyped("transaction", { actions });
		run.intended = undefined;
	} catch (error) {
		run.intended = undefined;
		if (!run.monitor.loss) await saveStatusNow(domain, run);
		throw error;
	}
}

/** Stored disks that had the image which is now below get the new one too. `before`: paths of those images, in the order of the external disks. */
export async function followInConfig(
	driver: Driver,
	domain: QemuDomain,
	{ disks }: SnapshotDef,
	before: readonly (string | undefined)[],
): Promise<void> {
	if (!domain.persistent) return;
	const parts = disks.filter(({ snapshot }) => snapshot === "external");
	await changeConfig(driver, domain, (def) => {
		for (const [index, part] of parts.entries()) {
			const disk = def.devices.disks.find(({ target }) => target.dev === part.name);
			if (disk && sourcePath(disk.source) === before[index]) putOnTop(disk, part, undefined, true);
		}
	});
}
