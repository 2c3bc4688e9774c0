// How much memory a guest has: totals that fit NUMA cells and memory devices, the balloon's target, limits of hot-plugging.

import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { copyPosition, documentError, positionOf } from "@virtkit/xml/read";
import type { DefineContext } from "../devices/entry.ts";

/** KiB of all memory devices. */
export function memoryDevicesKib(def: DomainDef): number {
	return def.devices.memories.reduce((sum, { target }) => sum + target.size, 0);
}

/** KiB of memory that the guest has before any memory device. */
export function initialMemoryKib(def: DomainDef): number {
	return (def.memory?.size ?? 0) - memoryDevicesKib(def);
}

/** KiB of all NUMA cells. */
function numaMemoryKib(def: DomainDef): number {
	return (def.cpu?.numa?.cell ?? []).reduce((sum, cell) => sum + cell.memory, 0);
}

/** Whether memory can be plugged into the running guest. */
export function hasMemoryHotplug(def: DomainDef): boolean {
	return Boolean(def.maxMemory?.size && def.maxMemory.slots);
}

/** Settles the amounts of memory against each other. */
export function completeMemory({ def, fresh }: DefineContext): void {
	const plugged = memoryDevicesKib(def);
	const inCells = fresh || !def.memory?.size ? numaMemoryKib(def) : 0;
	if (inCells > 0) def.memory = copyPosition(def.memory ?? def.cpu ?? def, { ...def.memory, size: inCells + plugged });
	else if (plugged > (def.memory?.size ?? 0))
		throw documentError(positionOf(def), "Total size of memory devices exceeds the total memory size");
	if (!def.memory || initialMemoryKib(def) <= 0)
		throw documentError(positionOf(def), "Memory size must be specified via <memory> or in the <numa> configuration");
	if (!def.currentMemory || def.currentMemory > def.memory.size) def.currentMemory = def.memory.size;
	completeMaxMemory(def, def.memory.size);
	forgetEmptyNodesets(def);
}

function completeMaxMemory(def: DomainDef, total: number): void {
	const { maxMemory } = def;
	if (!maxMemory) return;
	if (!maxMemory.size && !maxMemory.slots) {
		def.maxMemory = undefined;
		return;
	}
	if (!maxMemory.size || !maxMemory.slots)
		throw documentError(positionOf(maxMemory), "both maximum memory size and memory slot count must be specified");
	if (maxMemory.size < total)
		throw documentError(
			positionOf(maxMemory),
			`maximum memory size ${maxMemory.size} KiB is less than the actual memory size ${total} KiB`,
		);
}

/** Without NUMA cells, huge pages of "node 0" are huge pages of everything. */
function forgetEmptyNodesets(def: DomainDef): void {
	if (def.cpu?.numa?.cell.length) return;
	for (const page of def.memoryBacking?.hugepages?.page ?? [])
		if (page.nodeset?.every((node) => node === 0)) page.nodeset = undefined;
}

/** Throws where memory could not be plugged as configured. */
export function checkMemoryHotplug({ def }: DefineContext): void {
	const { memories } = def.devices;
	if (!hasMemoryHotplug(def)) {
		if (memories.length > 0)
			throw new VirtError(
				"CONFIG_UNSUPPORTED",
				"cannot use/hotplug a memory device when domain 'maxMemory' is not defined",
			);
		return;
	}
	const isPpc64 = def.os.type.arch?.startsWith("ppc64") === true;
	if (!isPpc64 && !def.cpu?.numa?.cell.length)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			"At least one numa node has to be configured when enabling memory hotplug",
		);
	const slots = def.maxMemory?.slots ?? 0;
	if (memories.length > slots)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`memory device count '${memories.length}' exceeds slots count '${slots}'`,
		);
	if (memoryDevicesKib(def) > (def.maxMemory?.size ?? 0) - initialMemoryKib(def))
		throw new VirtError("CONFIG_UNSUPPORTED", "memory device total size exceeds hotplug space");
}
