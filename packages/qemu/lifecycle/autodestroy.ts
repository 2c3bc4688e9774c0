// Ends a guest with the client that asked for it.

import { toVirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { announceStop, endProcess, endRun } from "./end.ts";

/** Has the guest destroyed when the caller's connection ends. */
export function autodestroyWith(driver: Driver, domain: QemuDomain, run: Run, context: CallContext): void {
	domain.autodestroy = context.onClose(() => {
		destroyRun(driver, domain, run).catch((error) =>
			driver.log.error(`cannot end '${domain.name}' with its client: ${toVirtError(error).message}`, { error }),
		);
	});
}

/** Ends the run on purpose, at once; a start under way fails by it. */
export async function destroyRun(driver: Driver, domain: QemuDomain, run: Run, graceful = false): Promise<void> {
	const starting = run.phase === "starting";
	await endProcess(run, graceful);
	if (starting && run.phase !== "up") return run.ended;
	using _job = await domain.lock.begin("destroy", "virDomainDestroy");
	if (domain.run !== run) return;
	await endRun(driver, domain, run, "destroyed");
	announceStop(driver, domain, "destroyed");
}
