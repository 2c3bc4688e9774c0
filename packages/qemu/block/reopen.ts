// Makes images writable for a while that QEMU only reads otherwise.

import { formatProps } from "../devices/block-format.ts";
import type { DiskImage } from "../devices/disk-image.ts";
import type { LiveContext } from "../devices/entry.ts";
import type { Run } from "../domain/run.ts";

/** Does `work` while images that are only read otherwise can be written; the caller has lent them. */
export async function whileWritable(
	images: readonly DiskImage[],
	{ run }: Pick<LiveContext, "run">,
	work: () => Promise<void>,
): Promise<void> {
	const opened: DiskImage[] = [];
	try {
		for (const image of images) {
			await reopen(run, image, false);
			opened.push(image);
		}
		await work();
	} finally {
		for (const image of opened) if (!run.monitor.loss) await reopen(run, image, true);
	}
}

async function reopen(run: Run, image: DiskImage, readonly: boolean): Promise<void> {
	await run.monitor.executeUntyped("blockdev-reopen", { options: [formatProps({ ...image, readonly })] });
}
