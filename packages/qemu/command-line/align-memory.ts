// Memory in sizes that QEMU takes: whole MiB, and steps of 256 MiB on ppc64.

import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { initialMemoryKib, memoryDevicesKib } from "../defaults/memory.ts";
import { alignModule, moduleStep } from "../devices/memory.ts";

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** KiB that sizes of `def` are multiples of. */
export function memoryStepKib(def: DomainDef): number {
	return def.os.type.arch?.startsWith("ppc64") ? 256 * 1024 : 1024;
}

/** KiB above which a size cannot be told in bytes of 63 bits. */
const MAX_KIB = Number.MAX_SAFE_INTEGER;

function refuseOverflow(kib: number, what: string): void {
	if (kib > MAX_KIB) throw new VirtError("CONFIG_UNSUPPORTED", `${what} overflowed after alignment`);
}

/** Rounds cells, initial and maximum memory up (qemuDomainAlignMemorySizes). */
export function alignMemory(def: DomainDef): void {
	if (!def.memory) return;
	const step = memoryStepKib(def);
	const cells = def.cpu?.numa?.cell ?? [];
	let initial = roundUp(initialMemoryKib(def), step);
	if (cells.length > 0) {
		for (const cell of cells) {
			cell.memory = roundUp(cell.memory, step);
			refuseOverflow(cell.memory, `memory size of NUMA node '${cell.id}'`);
		}
		initial = cells.reduce((sum, { memory }) => sum + memory, 0);
	}
	refuseOverflow(initial, "initial memory size");
	if (def.maxMemory) {
		def.maxMemory.size = roundUp(def.maxMemory.size, step);
		refuseOverflow(def.maxMemory.size, "maximum memory size");
	}
	for (const module of def.devices.memories) {
		alignModule(module, moduleStep({ def }));
		refuseOverflow(module.target.size, "size of memory module");
	}
	def.memory.size = initial + memoryDevicesKib(def);
}
