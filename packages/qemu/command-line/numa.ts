// `-numa`: the guest's NUMA nodes with their memory, distances, latencies, bandwidths and caches.

import { VirtError } from "@virtkit/base/errors";
import type { NumaCellDef } from "@virtkit/model/domain/numa";
import { formatNumberSet } from "@virtkit/xml/bitmap";
import type { BuildContext } from "../devices/entry.ts";
import { usesHmat } from "./machine.ts";
import { buildMemoryPath } from "./memory.ts";
import { hostNodesOf, memoryBackend } from "./memory-backend.ts";

/** Distance of nodes whose distance is not told (QEMU's and ACPI's default). */
const REMOTE_DISTANCE = 20;
const LOCAL_DISTANCE = 10;

/** `-numa` in full, where the guest has NUMA cells. */
export function buildNuma(context: BuildContext): void {
	const { def } = context;
	const cells = def.cpu?.numa?.cell ?? [];
	if (cells.length === 0) return;
	for (const node of [undefined, ...cells.keys()]) hostNodesOf(context, node);
	buildNodes(context, cells);
	buildDistances(context, cells);
	if (usesHmat(context)) {
		buildInterconnects(context);
		for (const cell of cells) buildCaches(context, cell);
	}
}

function buildNodes(context: BuildContext, cells: readonly NumaCellDef[]): void {
	const { command, def, caps } = context;
	const hmat = usesHmat(context);
	const backends = cells.map((cell, node) => {
		const id = `ram-node${node}`;
		return memoryBackend(context, { id, file: id, kib: cell.memory, node });
	});
	const machine = caps.machine(def.os.type.machine ?? "");
	const needed = machine?.numa !== true || hmat || backends.some((backend) => backend.needed);
	if (!needed) buildMemoryPath(context);
	const first = cells.findIndex(({ cpus }) => cpus !== undefined);
	if (first < 0) throw new VirtError("CONFIG_UNSUPPORTED", "At least one NUMA node has to have CPUs");
	for (const [node, cell] of cells.entries())
		command.from({ element: cell, what: `NUMA node ${node}` }, () => {
			if (needed) command.addJson("-object", backends[node]?.object ?? {});
			const cpus = cell.cpus
				? formatNumberSet(cell.cpus)
						.split(",")
						.map((range) => `cpus=${range}`)
				: [];
			const initiator = hmat ? [`initiator=${initiatorOf(context, node) ?? first}`] : [];
			const memory = needed ? `memdev=ram-node${node}` : `mem=${Math.floor(cell.memory / 1024)}`;
			command.add("-numa", ["node", `nodeid=${node}`, ...cpus, ...initiator, memory].join(","));
		});
}

/** The node with the fastest way to `node`'s memory: itself where it has CPUs, else the one that the definition says. */
function initiatorOf({ def }: BuildContext, node: number): number | undefined {
	const numa = def.cpu?.numa;
	if (numa?.cell[node]?.cpus) return node;
	let best: { initiator: number; bandwidth: number; latency: number } | undefined;
	for (const { kind, of: link } of numa?.interconnects ?? []) {
		if (link.target !== node || (link.cache ?? 0) !== 0) continue;
		const candidate = {
			initiator: link.initiator,
			bandwidth: kind === "bandwidth" ? link.value : 0,
			latency: kind === "latency" ? link.value : Number.POSITIVE_INFINITY,
		};
		if (!best || candidate.bandwidth > best.bandwidth || candidate.latency < best.latency) best = candidate;
	}
	return best?.initiator;
}

/** Whether the node says more of its distances than QEMU takes for granted; what it leaves out counts as said. */
function tellsDistance({ distances }: NumaCellDef, src: number, count: number): boolean {
	if (!distances) return false;
	const told = new Map(distances.sibling.map(({ id, value }) => [id, value]));
	if (!told.has(src)) told.set(src, LOCAL_DISTANCE);
	return told.size < count || [...told.values()].some((value) => value !== LOCAL_DISTANCE && value !== REMOTE_DISTANCE);
}

function buildDistances({ command }: BuildContext, cells: readonly NumaCellDef[]): void {
	if (!cells.some((cell, src) => tellsDistance(cell, src, cells.length))) return;
	for (const [src, cell] of cells.entries())
		for (const [dst] of cells.entries()) {
			const told = cell.distances?.sibling.find(({ id }) => id === dst)?.value;
			const value = told ?? (src === dst ? LOCAL_DISTANCE : REMOTE_DISTANCE);
			command.from({ element: cell, what: `distances of NUMA node ${src}` }, () =>
				command.add("-numa", `dist,src=${src},dst=${dst},val=${value}`),
			);
		}
}

/** QEMU's words for the cache level that an access reaches. */
const HIERARCHY = ["memory", "first-level", "second-level", "third-level"];

function buildInterconnects({ command, def }: BuildContext): void {
	for (const { kind, of: link } of def.cpu?.numa?.interconnects ?? []) {
		const value = kind === "latency" ? `latency=${link.value}` : `bandwidth=${link.value}K`;
		command.from({ element: link, what: `${kind} from NUMA node ${link.initiator} to ${link.target}` }, () =>
			command.add(
				"-numa",
				`hmat-lb,initiator=${link.initiator},target=${link.target},hierarchy=${HIERARCHY[link.cache ?? 0]},data-type=${link.type}-${kind},${value}`,
			),
		);
	}
}

/** QEMU's words for how a cache maps addresses and when it writes. */
const ASSOCIATIVITY: Readonly<Record<string, string>> = { none: "none", direct: "direct", full: "complex" };
const POLICY: Readonly<Record<string, string>> = {
	none: "none",
	writeback: "write-back",
	writethrough: "write-through",
};

function buildCaches({ command }: BuildContext, cell: NumaCellDef): void {
	for (const cache of cell.cache)
		command.from({ element: cache, what: `cache of NUMA node ${cell.id}` }, () =>
			command.add(
				"-numa",
				[
					"hmat-cache",
					`node-id=${cell.id}`,
					`size=${cache.size.value}K`,
					`level=${cache.level}`,
					`associativity=${ASSOCIATIVITY[cache.associativity ?? "none"]}`,
					`policy=${POLICY[cache.policy ?? "none"]}`,
					`line=${cache.line.value}`,
				].join(","),
			),
		);
}
