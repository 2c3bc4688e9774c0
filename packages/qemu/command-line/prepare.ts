// Makes a complete definition ready for a start: ids of devices, firmware, CPU, aligned memory. The definition is the run's own copy.

import { assignAddresses } from "../addresses/assign.ts";
import type { DefineContext } from "../devices/entry.ts";
import { COMPLETED, PREPARED, START_CHECKS } from "../devices/registry.ts";
import { alignMemory } from "./align-memory.ts";
import { checkTsc } from "./check-tsc.ts";
import { selectFirmware } from "./firmware-select.ts";
import { settleCpu } from "./settle-cpu.ts";
import { settleHyperv } from "./settle-hyperv.ts";

/** Prepares `context.def` in place (qemuProcessPrepareDomain). Throws VirtError where the guest cannot start as defined. */
export function prepareDomain(context: DefineContext): void {
	for (const check of START_CHECKS) check(context);
	checkTsc(context);
	// Stored by an older version, a definition may lack addresses that devices get today.
	assignAddresses(context);
	for (const entry of COMPLETED)
		for (const [index, device] of entry.list(context.def).entries()) {
			const named = device as { alias?: string | undefined };
			named.alias ??= entry.alias(device, index, context);
		}
	for (const step of PREPARED) step(context);
	selectFirmware(context);
	alignMemory(context.def);
	settleCpu(context);
	settleHyperv(context);
}
