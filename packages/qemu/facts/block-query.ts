// Counters and sizes of a running guest's disks, as QEMU tells them of devices and of block nodes.

import type { DiskDef } from "@virtkit/model/domain/disk";
import type { BlockDeviceInfo, BlockStats } from "@virtkit/qapi/schema.gen";
import { formatNode, topImage } from "../devices/disk-image.ts";
import { findDisk } from "../domain/find-device.ts";
import type { Run } from "../domain/run.ts";

/** What is known of one block node. */
export interface NodeFigures {
	/** End of what was written to its file, bytes; undefined where QEMU does not tell. */
	readonly highestOffset: number | undefined;
	/** Bytes that the layer above sees. */
	readonly capacity: number;
	/** Bytes in use on the host. */
	readonly physical: number;
	/** Bytes after which an event is sent; 0 for none. */
	readonly threshold: number;
}

export type DeviceCounters = BlockStats["stats"];

/** All disks of a guest at one moment. */
export interface BlockFigures {
	/** Counters of each disk's device. */
	readonly devices: ReadonlyMap<DiskDef, DeviceCounters>;
	readonly nodes: ReadonlyMap<string, NodeFigures>;
}

/** Counters by disk. */
export async function deviceCounters(run: Run): Promise<Map<DiskDef, DeviceCounters>> {
	return countersByDisk(run, await run.monitor.execute("query-blockstats"));
}

function countersByDisk(run: Run, answer: readonly BlockStats[]): Map<DiskDef, DeviceCounters> {
	const found = new Map<DiskDef, DeviceCounters>();
	for (const one of answer) {
		const disk = findDisk(run.live.def, one.qdev ?? one.device ?? "", one["node-name"]);
		if (disk) found.set(disk, one.stats);
	}
	return found;
}

/** Counters and sizes. */
export async function blockFigures(run: Run): Promise<BlockFigures> {
	const [devices, nodes, sizes] = await Promise.all([
		run.monitor.execute("query-blockstats"),
		run.monitor.execute("query-blockstats", { "query-nodes": true }),
		run.monitor.execute("query-named-block-nodes", { flat: true }),
	]);
	const offsets = new Map(nodes.map((node) => [node["node-name"] ?? "", node.parent?.stats.wr_highest_offset]));
	return {
		devices: countersByDisk(run, devices),
		nodes: new Map(sizes.map((node) => [node["node-name"] ?? "", figuresOf(node, offsets)])),
	};
}

function figuresOf(node: BlockDeviceInfo, offsets: ReadonlyMap<string, number | undefined>): NodeFigures {
	const { image, write_threshold: threshold } = node;
	const capacity = image["virtual-size"];
	return {
		highestOffset: offsets.get(node["node-name"] ?? ""),
		capacity,
		physical: image["actual-size"] ?? capacity,
		threshold,
	};
}

/** The node that the disk's device sees. */
export const nodeOf = (disk: DiskDef, { nodes }: BlockFigures): NodeFigures | undefined =>
	nodes.get(formatNode(topImage(disk)));
