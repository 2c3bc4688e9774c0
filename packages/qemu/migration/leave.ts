// The end of a guest that has gone to another host: nothing of its run is left here.

import { toVirtError } from "@virtkit/base/errors";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { announceStop } from "../lifecycle/end.ts";
import { checkStillThere, endStillGuest } from "../save/hold-still.ts";

/** Ends the guest here, and has its definition forgotten by `forget`. The caller holds the domain's job. */
export async function leave(driver: Driver, domain: QemuDomain, run: Run, forget?: () => Promise<void>): Promise<void> {
	checkStillThere(domain, run);
	await endStillGuest(driver, domain, run, "migrated");
	const who = domain.ref;
	await forget?.();
	announceStop(driver, domain, "migrated", who);
}

/** The same where nobody leads the migration any more, once nothing else is done with the domain. */
export async function leaveUnattended(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	try {
		using _job = await domain.lock.begin("modify", "the end of a post-copy migration");
		if (domain.run === run && run.phase === "up") await leave(driver, domain, run);
	} catch (error) {
		driver.log.error(`cannot end '${domain.name}', which has left: ${toVirtError(error).message}`, { error });
	}
}
