// Block nodes of images that jobs bring into a running QEMU and take out of it.

import type { DiskDef } from "@virtkit/model/domain/disk";
import { addImage, imageParts } from "../devices/disk-build.ts";
import type { DiskImage } from "../devices/disk-image.ts";
import type { LiveContext } from "../devices/entry.ts";
import { takeOutBackends } from "../hotplug/monitor-plug.ts";
import { PlugLine } from "../hotplug/plug-line.ts";
import { lendDisks } from "../lifecycle/ownership.ts";
import { readMasterKey } from "../lifecycle/work-folder.ts";

/** What opens the image alone, whatever lies below it. */
export function imageLine(image: DiskImage, context: LiveContext): PlugLine {
	const { run } = context;
	const line = new PlugLine(run.caps.binary, "image");
	addImage(line, imageParts(image, { ...context, masterKey: readMasterKey(run) }));
	return line;
}

/** Closes images, the first of them first. */
export async function closeImages(images: readonly DiskImage[], context: LiveContext): Promise<void> {
	for (const image of images) await takeOutBackends(context.driver, context.run, imageLine(image, context));
}

/** Lets QEMU's user write to images that it only reads otherwise, for as long as they are the guest's. */
export function lendForWriting(disk: DiskDef, images: readonly DiskImage[], { driver, run }: LiveContext): void {
	const writable = images.map(({ type, source }) => ({
		...disk,
		type,
		source,
		backingStore: undefined,
		readonly: undefined,
	}));
	lendDisks(driver, run, writable as DiskDef[]);
}
