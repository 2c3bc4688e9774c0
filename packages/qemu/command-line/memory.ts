// `-m` and the objects of the guest's memory outside NUMA cells; whether it may be swapped out.

import { hasMemoryHotplug, initialMemoryKib } from "../defaults/memory.ts";
import type { BuildContext } from "../devices/entry.ts";
import { memoryBackend } from "./memory-backend.ts";

/** `-m` with what backs it, and `-overcommit`. */
export function buildMemory(context: BuildContext): void {
	const { command, def } = context;
	command.from({ element: def.memory ?? def, what: "memory" }, () => {
		const initial = initialMemoryKib(def);
		command.add(
			"-m",
			hasMemoryHotplug(def)
				? `size=${initial}k,slots=${def.maxMemory?.slots},maxmem=${def.maxMemory?.size}k`
				: String(Math.floor(initial / 1024)),
		);
		if (!def.cpu?.numa?.cell.length) buildRam(context, initial);
	});
	command.from({ element: def.memoryBacking ?? def, what: "locked memory" }, () =>
		command.add("-overcommit", `mem-lock=${def.memoryBacking?.locked ? "on" : "off"}`),
	);
}

/** The object that the machine takes for its RAM, or the older options where the machine takes none. */
function buildRam(context: BuildContext, kib: number): void {
	const { command, def, caps } = context;
	const id = caps.machine(def.os.type.machine ?? "")?.defaultRamId;
	if (id !== undefined) {
		const { object } = memoryBackend(context, { id, file: id, kib, isSystem: true });
		command.addJson("-object", object);
	} else buildMemoryPath(context);
}

/** `-mem-prealloc` and `-mem-path`, which back all memory at once. */
export function buildMemoryPath(context: BuildContext): void {
	const { command } = context;
	const { object } = memoryBackend(context, { id: "ram", file: "ram", kib: 0 });
	if (object.prealloc === true) command.add("-mem-prealloc");
	if (typeof object["mem-path"] === "string") command.add("-mem-path", object["mem-path"]);
}
