// New images of a running guest's disks: their files, their headers, and their nodes in QEMU.

import { closeSync, existsSync, openSync, truncateSync, unlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { VirtError } from "@virtkit/base/errors";
import type { UndoStack } from "@virtkit/base/undo-stack";
import { systemError } from "@virtkit/host/system-error";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import { type DiskImage, formatNode, storageNode, topImage } from "../devices/disk-image.ts";
import type { LiveContext } from "../devices/entry.ts";
import type { Run } from "../domain/run.ts";
import { plugIn } from "../hotplug/monitor-plug.ts";
import { imageLine } from "./nodes.ts";

/** Makes the file where it is not there; then it is removed with `undo`. Throws SYSTEM_ERROR that begins with `failure`. */
export function makeEmptyFile(file: string, failure: string, undo: UndoStack): void {
	try {
		const isNew = !existsSync(file);
		closeSync(openSync(file, "a", 0o600));
		if (isNew) undo.defer("the new image's file", () => unlinkSync(file));
	} catch (error) {
		throw systemError(failure, error);
	}
}

/** What a new image's header is to say. */
export interface NewImage {
	/** Bytes that the guest sees; undefined for an image that has its header already. */
	readonly size: number | undefined;
	/** The image that it names as its backing. */
	readonly below: DiskImage | undefined;
}

/** Opens the image, formatted where it is new. */
export async function openNewImage(
	image: DiskImage,
	{ size, below }: NewImage,
	context: LiveContext,
	undo: UndoStack,
): Promise<void> {
	const { run } = context;
	const line = imageLine(image, context);
	if (size === undefined) return plugIn(run, line, undo);
	if (image.type === "file" && image.format === "raw") truncateSync(image.source.file ?? "", size);
	const last = line.options.length - 1;
	await plugIn(run, line.part(0, last), undo);
	if (image.format !== "raw") await formatImage(image, size, below, run);
	await plugIn(run, line.part(last), undo);
}

/** Bytes that the guest sees of its disk. */
export async function virtualSize(run: Run, disk: DiskDef): Promise<number> {
	const node = formatNode(topImage(disk));
	const nodes = await run.monitor.execute("query-named-block-nodes", { flat: true });
	const size = nodes.find((each) => each["node-name"] === node)?.image["virtual-size"];
	if (size === undefined)
		throw new VirtError("INTERNAL_ERROR", `QEMU does not tell the size of disk '${disk.target.dev}'`);
	return size;
}

/** How the ids of QEMU's jobs begin that write headers. */
const CREATION = "create-";

/** Has QEMU write the image's header, which names what lies below it. */
async function formatImage(image: DiskImage, size: number, below: DiskImage | undefined, run: Run): Promise<void> {
	const id = `${CREATION}${formatNode(image)}`;
	await run.monitor.executeUntyped("blockdev-create", {
		"job-id": id,
		options: {
			driver: image.format,
			file: storageNode(image),
			size,
			"backing-file": below && sourcePath(below.source),
			"backing-fmt": below?.format,
		},
	});
	const failure = await jobEnd(run, id);
	if (failure !== undefined) throw new VirtError("INTERNAL_ERROR", `failed to format image: '${failure}'`);
}

const LOOK_MS = 10;

/** Waits for the end of one of QEMU's jobs that nobody else follows, and forgets it; comes to its error, if it has one. */
export async function jobEnd(run: Run, id: string): Promise<string | undefined> {
	for (;;) {
		const jobs = await run.monitor.execute("query-jobs", {}, { deadlineMs: Number.POSITIVE_INFINITY });
		const job = jobs.find((each) => each.id === id);
		if (job && job.status !== "concluded") {
			await delay(LOOK_MS);
			continue;
		}
		if (job) await run.monitor.execute("job-dismiss", { id });
		return job?.error;
	}
}

/** Has QEMU forget the headers that it was writing when a former daemon was killed. */
export async function endCreations(run: Run): Promise<void> {
	for (const { id, type } of await run.monitor.execute("query-jobs"))
		if (type === "create" && id.startsWith(CREATION)) await jobEnd(run, id);
}
