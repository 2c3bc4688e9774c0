// Starts the domains that are to start with the host, once in each of its boots.

import { readFileSync } from "node:fs";
import { toVirtError } from "@virtkit/base/errors";
import { writeFileAtomicallySync } from "@virtkit/host/atomic-file";
import type { QemuDomain } from "../domain/domain.ts";
import { currentBoot } from "../domain/status.ts";
import type { Driver } from "../driver-context.ts";
import { startDomain } from "./start-operations.ts";

/** Starts them in the background, one after another; a daemon that comes back within the same boot starts none. */
export function startWithHost(driver: Driver): void {
	if (isDone(driver)) return;
	writeFileAtomicallySync(driver.paths.autostartMarker, `${currentBoot()}\n`);
	const wanted = [...driver.domains.all()].filter(({ autostart, autostartOnce }) => autostart || autostartOnce);
	if (wanted.length > 0) void startAll(driver, wanted);
}

function isDone({ paths }: Driver): boolean {
	try {
		return readFileSync(paths.autostartMarker, "latin1").trim() === currentBoot();
	} catch {
		return false;
	}
}

async function startAll(driver: Driver, domains: readonly QemuDomain[]): Promise<void> {
	for (const domain of domains) {
		try {
			if (domain.autostartOnce) {
				driver.store.setAutostart(domain.name, "once", false);
				domain.autostartOnce = false;
			}
			using _job = await domain.lock.beginAsync("start", "autostart");
			if (domain.run === undefined && !domain.removing) await startDomain(driver, domain, 0);
		} catch (error) {
			driver.log.error(`Failed to autostart VM '${domain.name}': ${toVirtError(error).message}`);
		}
	}
}
