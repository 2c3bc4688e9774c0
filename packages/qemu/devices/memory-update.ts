// Live resize of virtio-mem: how much of the module the guest is to have.

import { VirtError } from "@virtkit/base/errors";
import type { MemoryDeviceDef } from "@virtkit/model/domain/memory-device";
import type { DefineContext, UpdateContext } from "./entry.ts";
import { isDescribedBy } from "./plug-find.ts";

const BYTES_PER_KIB = 1024;

/** The module that has the id, or sits at the place, that `wanted` names. */
export function findModule(wanted: MemoryDeviceDef, { def }: DefineContext, live: boolean): MemoryDeviceDef {
	const { alias, address } = wanted;
	const found = def.devices.memories.find(
		(module) =>
			(alias !== undefined && module.alias === alias) ||
			(address !== undefined && isDescribedBy(address, module.address)),
	);
	if (found) return found;
	throw live
		? new VirtError("CONFIG_UNSUPPORTED", `memory '${alias ?? "(null)"}' not found`)
		: new VirtError("INVALID_ARG", "memory not found");
}

/** Has the guest take or give memory until it has what `wanted` says; it does so in its own time, and an event tells. */
export async function resizeModule(
	module: MemoryDeviceDef,
	wanted: MemoryDeviceDef,
	{ run }: UpdateContext,
): Promise<MemoryDeviceDef> {
	if (module.model !== "virtio-mem")
		throw new VirtError("CONFIG_UNSUPPORTED", `cannot modify memory of model '${module.model}'`);
	const { requested = 0, current: _, ...rest } = wanted.target;
	const same: readonly (readonly [what: string, before: unknown, after: unknown])[] = [
		["model", module.model, wanted.model],
		["access", module.access, wanted.access],
		["discard", module.discard, wanted.discard],
		["source", module.source ?? {}, wanted.source ?? {}],
		["target", module.target, rest],
	];
	for (const [what, before, after] of same)
		if (!isDescribedBy(after, before)) throw new VirtError("CONFIG_UNSUPPORTED", `cannot modify memory ${what}`);
	const value = requested * BYTES_PER_KIB;
	await run.monitor.execute("qom-set", {
		path: `/machine/peripheral/${module.alias}`,
		property: "requested-size",
		value,
	});
	return { ...module, target: { ...module.target, requested } };
}
