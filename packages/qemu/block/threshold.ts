// Write thresholds: QEMU tells once when an image, in whatever role of a disk, was written to beyond so many bytes.

import { VirtError } from "@virtkit/base/errors";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import { storageNode } from "../devices/disk-image.ts";
import type { Run } from "../domain/run.ts";
import type { EventHandlers } from "../events/handler.ts";
import { allImages } from "./all-images.ts";

/** Nodes whose threshold was set by number: of those the event tells by number alone. */
const BY_NUMBER = new WeakMap<Run, Set<string>>();

function byNumber(run: Run): Set<string> {
	const known = BY_NUMBER.get(run) ?? new Set();
	BY_NUMBER.set(run, known);
	return known;
}

/** The storage node of `vda`, or of `vda[3]`. Throws INVALID_ARG. */
function thresholdNode(run: Run, device: string): { readonly node: string; readonly numbered: boolean } {
	const [, dev = device, number] = /^([^[\]]+)\[(\d+)\]$/.exec(device) ?? [];
	const disk = run.live.def.devices.disks.find(({ target }) => target.dev === dev);
	if (disk === undefined) throw new VirtError("INVALID_ARG", `failed to find disk '${dev}'`);
	if (disk.type === "vhostuser")
		throw new VirtError("OPERATION_UNSUPPORTED", "setting device threshold is not supported for vhostuser disk");
	const image = allImages(run, disk).find(({ id }) => number === undefined || id === Number(number));
	if (image === undefined) throw new VirtError("INVALID_ARG", `failed to find disk '${device}'`);
	return { node: storageNode(image), numbered: number !== undefined };
}

export async function setThreshold(run: Run, device: string, threshold: bigint): Promise<void> {
	const { node, numbered } = thresholdNode(run, device);
	await run.monitor.executeUntyped("block-set-write-threshold", { "node-name": node, "write-threshold": threshold });
	if (numbered) byNumber(run).add(node);
	else byNumber(run).delete(node);
}

export const thresholdEvents: EventHandlers = {
	BLOCK_WRITE_THRESHOLD({ driver, domain, run }, data) {
		const node = data["node-name"];
		for (const disk of run.live.def.devices.disks) {
			const image = allImages(run, disk).find((one) => storageNode(one) === node);
			if (image === undefined) continue;
			const { dev = "" } = disk.target;
			const common = {
				path: image.type === "network" ? undefined : sourcePath(image.source),
				threshold: BigInt(data["write-threshold"]),
				excess: BigInt(data["amount-exceeded"]),
			};
			const isTop = image.id === disk.source?.index;
			if (isTop && !byNumber(run).has(node)) driver.emit("block-threshold", domain.ref, { device: dev, ...common });
			if (image.id !== undefined)
				driver.emit("block-threshold", domain.ref, { device: `${dev}[${image.id}]`, ...common });
			return;
		}
	},
};
