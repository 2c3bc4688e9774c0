// Puts another medium into a running guest's drive, or takes the one that is in it out.

import { setTimeout as delay } from "node:timers/promises";
import { VirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { plugIn, takeOutBackends } from "../hotplug/monitor-plug.ts";
import { PlugLine } from "../hotplug/plug-line.ts";
import { settleChain } from "../lifecycle/backing-chain.ts";
import { lendDisks } from "../lifecycle/ownership.ts";
import { readMasterKey } from "../lifecycle/work-folder.ts";
import { addImage, diskParts } from "./disk-build.ts";
import { formatNode, imageChain, isEmptyDisk, numberPluggedImages, topImage } from "./disk-image.ts";
import { checkDescriptors } from "./disk-start-check.ts";
import { diskQomPath, throttleArguments } from "./disk-throttle.ts";
import type { UpdateContext } from "./entry.ts";

/** How long a guest that holds on to its medium may take to open the tray, in milliseconds (libvirt's own). */
const TRAY_WAIT_MS = 5000;
const TRAY_LOOK_MS = 20;

/** Block nodes and secrets of the drive's images. */
function imageLine(disk: DiskDef, context: UpdateContext): PlugLine {
	const { run } = context;
	const line = new PlugLine(run.caps.binary, disk.alias ?? "drive");
	if (isEmptyDisk(disk)) return line;
	for (const parts of diskParts(disk, { ...context, masterKey: readMasterKey(run) })) addImage(line, parts);
	return line;
}

/**
 * Replaces what is in drive `disk` by what `changed` has. The new images are opened first, so that a bad one costs the
 * guest nothing; where a later step fails, the old medium is put back.
 *
 * Throws OPERATION_FAILED where the guest does not open the tray and force is not asked for.
 */
export async function changeMedium(disk: DiskDef, changed: DiskDef, context: UpdateContext): Promise<void> {
	const { driver, run, undo } = context;
	const { monitor } = run;
	if (!isEmptyDisk(changed)) {
		for (const image of imageChain(changed)) checkDescriptors(image, context);
		settleChain(changed);
		numberPluggedImages(run, changed);
	}
	lendDisks(driver, run, [changed]);
	await plugIn(run, imageLine(changed, context), undo);
	const id = diskQomPath(disk);
	if (disk.target.tray !== "open" && (await hasTray(id, context))) await openTray(disk, id, context);
	undo.defer("the medium", () => putBack(disk, id, context));
	await monitor.executeUntyped("blockdev-remove-medium", { id });
	if (!isEmptyDisk(changed)) {
		await monitor.executeUntyped("blockdev-insert-medium", { id, "node-name": formatNode(topImage(changed)) });
		const limits = throttleArguments(changed);
		if (limits) await monitor.executeUntyped("block_set_io_throttle", limits);
	}
	await monitor.executeUntyped("blockdev-close-tray", { id });
	delete changed.target.tray;
	await takeOutBackends(driver, run, imageLine(disk, context));
	if (isEmptyDisk(changed)) delete changed.source;
}

/** Whether the guest sees a tray: a removable USB disk has none, even where the definition calls it a CD-ROM. */
async function hasTray(id: string | undefined, { run }: UpdateContext): Promise<boolean> {
	const drives = await run.monitor.execute("query-block");
	return drives.some(({ qdev, tray_open: open }) => qdev === id && open !== undefined);
}

async function openTray(disk: DiskDef, id: string | undefined, { run, force }: UpdateContext): Promise<void> {
	await run.monitor.executeUntyped("blockdev-open-tray", { id, force });
	if (force) return;
	for (const deadline = performance.now() + TRAY_WAIT_MS; disk.target.tray !== "open"; await delay(TRAY_LOOK_MS)) {
		if (run.monitor.loss) throw run.monitor.loss;
		if (performance.now() > deadline)
			throw new VirtError("OPERATION_FAILED", `timed out waiting to open tray of '${disk.target.dev}'`);
	}
}

async function putBack(disk: DiskDef, id: string | undefined, { run }: UpdateContext): Promise<void> {
	const { monitor } = run;
	if (monitor.loss) return;
	await monitor.executeUntyped("blockdev-remove-medium", { id }).catch(() => undefined);
	if (!isEmptyDisk(disk))
		await monitor.executeUntyped("blockdev-insert-medium", { id, "node-name": formatNode(topImage(disk)) });
	await monitor.executeUntyped("blockdev-close-tray", { id });
}
