// Whether another process can see the guest's memory, which vhost-user devices need.

import { VirtError } from "@virtkit/base/errors";
import { machineOf } from "../machine.ts";
import type { DefineContext } from "./entry.ts";

/** Throws CONFIG_UNSUPPORTED where the guest's memory, or that of one of its NUMA cells, is private. `what` names who needs it. */
export function requireSharedMemory(what: string, { def, caps }: DefineContext): void {
	const shared = def.memoryBacking?.access?.mode === "shared";
	const cells = def.cpu?.numa?.cell ?? [];
	const hasBackend = caps.machine(machineOf(def))?.defaultRamId !== undefined;
	const all =
		cells.length === 0
			? shared && hasBackend
			: cells.every(({ memAccess }) => (memAccess === undefined ? shared : memAccess === "shared"));
	if (!all) throw new VirtError("CONFIG_UNSUPPORTED", `'${what}' requires shared memory`);
}
