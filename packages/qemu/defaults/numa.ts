// The guest's NUMA cells and the host's nodes behind them, settled against the virtual CPUs.

import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { documentError, positionOf } from "@virtkit/xml/read";
import type { DefineContext } from "../devices/entry.ts";
import { maxVcpus } from "./vcpus.ts";

/** Checks cells against the CPUs and settles where memory and CPUs are placed (what libvirt does while parsing). */
export function placeNuma(def: DomainDef): void {
	const cells = def.cpu?.numa?.cell ?? [];
	const count = cells.reduce((sum, { cpus = [] }) => sum + cpus.length, 0);
	if (count > maxVcpus(def))
		throw new VirtError("INTERNAL_ERROR", `Number of CPUs in <numa> (${count}) exceeds the <vcpu> count`);
	const highest = Math.max(-1, ...cells.map(({ cpus = [] }) => cpus.at(-1) ?? -1));
	if (highest >= maxVcpus(def))
		throw new VirtError("INTERNAL_ERROR", `CPU IDs in <numa> exceed the <vcpu> count: ${highest}`);
	placeMemory(def);
	checkMemnodes(def);
	if (def.numatune?.memory?.placement === "auto" && !isPinned(def)) def.vcpu.placement = "auto";
}

function isPinned(def: DomainDef): boolean {
	const { cputune, vcpu } = def;
	return Boolean(vcpu.cpuset || cputune?.vcpupin.length || cputune?.emulatorpin || cputune?.iothreadpin.length);
}

/** Where all memory comes from: named nodes, or nodes that numad is asked for. */
function placeMemory(def: DomainDef): void {
	const isStatic = def.vcpu.placement !== "auto";
	const memory = def.numatune?.memory ?? (isStatic ? undefined : { placement: "auto" as const });
	if (!memory) return;
	if (!memory.mode && !memory.placement && !memory.nodeset) return;
	memory.mode ??= "strict";
	memory.placement ??= memory.nodeset || isStatic ? "static" : "auto";
	if (memory.placement === "static" && !memory.nodeset)
		throw documentError(
			positionOf(memory),
			"nodeset for NUMA memory tuning must be set if 'placement' is 'static'",
			"CONFIG_UNSUPPORTED",
		);
	if (memory.placement === "auto") memory.nodeset = undefined;
	def.numatune = { memnode: [], ...def.numatune, memory };
}

function checkMemnodes(def: DomainDef): void {
	const { memnode = [], memory } = def.numatune ?? {};
	const cells = def.cpu?.numa?.cell.length ?? 0;
	if (memnode.length === 0) return;
	if (memory?.placement === "auto")
		throw new VirtError("CONFIG_UNSUPPORTED", "Per-node binding is not compatible with automatic NUMA placement.");
	if (cells === 0) throw new VirtError("XML_ERROR", "Element 'memnode' is invalid without any guest NUMA cells");
	for (const [index, node] of memnode.entries()) {
		if (node.cellid >= cells)
			throw documentError(
				positionOf(node),
				`cellid '${node.cellid}' in memnode element is none of the guest's ${cells} NUMA cells`,
			);
		if (memnode[index - 1]?.cellid === node.cellid)
			throw documentError(positionOf(node), `Multiple memnode elements with cellid ${node.cellid}`);
		if (memory?.mode === "restrictive" && node.mode !== "restrictive")
			throw documentError(
				positionOf(node),
				"'restrictive' mode is required in memnode element when mode is 'restrictive' in memory element",
			);
	}
}

/** CPUs that no cell has belong to cell 0. */
export function fillNumaCells({ def }: Pick<DefineContext, "def">): void {
	const cells = def.cpu?.numa?.cell ?? [];
	const [first] = cells;
	if (!first) return;
	const taken = new Set(cells.slice(1).flatMap(({ cpus = [] }) => cpus));
	const free = Array.from({ length: maxVcpus(def) }, (_, cpu) => cpu).filter((cpu) => !taken.has(cpu));
	const assigned = cells.reduce((sum, { cpus = [] }) => sum + cpus.length, 0);
	if (assigned < maxVcpus(def)) first.cpus = free;
}

/** Throws for caches and interconnects that contradict each other (virDomainNumaDefValidate). */
export function checkNuma({ def }: DefineContext): void {
	const numa = def.cpu?.numa;
	if (!numa) return;
	for (const { id, cache } of numa.cell) {
		const seen = new Set<number>();
		for (const { level } of cache) {
			if (level > 3 || seen.has(level))
				throw documentError(positionOf(numa), `NUMA cell ${id}: cache level '${level}' is above 3 or already defined`);
			seen.add(level);
		}
	}
	checkInterconnects(numa);
}

type Numa = NonNullable<NonNullable<DomainDef["cpu"]>["numa"]>;

function checkInterconnects(numa: Numa): void {
	const refuse = (message: string): never => {
		throw documentError(positionOf(numa), message);
	};
	const all = numa.interconnects ?? [];
	for (const [index, { kind, of: link }] of all.entries()) {
		const initiator = numa.cell[link.initiator];
		const target = numa.cell[link.target];
		if (!initiator) refuse(`'initiator' ${link.initiator} refers to a non-existent NUMA node`);
		if (!target) refuse(`'target' ${link.target} refers to a non-existent NUMA node`);
		if (!initiator?.cpus) refuse(`NUMA node ${link.initiator} without CPUs can't be initiator`);
		if (link.cache && !target?.cache.some(({ level }) => level === link.cache))
			refuse(`'cache' ${link.cache} refers to a non-existent NUMA node cache`);
		for (const other of all.slice(0, index)) {
			const { initiator: from, target: to, cache, type } = other.of;
			if (
				kind === other.kind &&
				link.initiator === from &&
				link.target === to &&
				link.cache === cache &&
				link.type === type
			)
				refuse(`Duplicate info for the ${kind} from NUMA node ${from} to ${to}`);
			if (link.initiator !== link.target && link.initiator === to && link.target === from)
				refuse(`Link between NUMA nodes ${from} and ${to} already defined`);
		}
	}
}
