// What follows when QEMU tells that a device is gone, or that the guest would not let go of it.

import { toVirtError } from "@virtkit/base/errors";
import type { UnplugOutcome } from "../domain/run.ts";
import type { EventSource } from "../events/handler.ts";
import { findByAlias } from "./find.ts";
import { finishRemoval } from "./removal.ts";

/** Tells who waits; where nobody does, the guest has let go late, and the definition follows. */
export function unplugEnded(source: EventSource, id: string, outcome: UnplugOutcome): void {
	const { driver, domain, run } = source;
	if (outcome === "refused") driver.emit("device-removal-failed", domain.ref, { device: id });
	const waiting = run.unplugs.get(id);
	if (waiting) return waiting(outcome);
	if (outcome === "refused") return;
	removeLate(source, id).catch((error) =>
		driver.log.error(`removal of device '${id}' of '${domain.name}': ${toVirtError(error).message}`, { error }),
	);
}

async function removeLate({ driver, domain, run }: EventSource, id: string): Promise<void> {
	using _job = await domain.lock.begin("modify", `removal of device '${id}'`);
	if (domain.run !== run || run.phase !== "up") return;
	const found = findByAlias(run.live.def, id);
	if (found) await finishRemoval(driver, domain, run, found);
}
