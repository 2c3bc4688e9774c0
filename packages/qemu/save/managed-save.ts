// The saved state that a domain is started from next, where it has one.

import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";

/** The file of a domain's managed save, whether it is there or not. */
export function managedSaveFile(driver: Driver, name: string): string {
	return join(driver.paths.save, `${name}.save`);
}

/** Starts the domain from its managed save. */
export async function restoreManagedSave(
	driver: Driver,
	domain: QemuDomain,
	_flags: number,
	_context: CallContext | undefined,
): Promise<void> {
	throw new VirtError("NO_SUPPORT", `starting from ${managedSaveFile(driver, domain.name)}`);
}
