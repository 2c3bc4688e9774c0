// A device that QEMU has removed goes from everything else: what stood behind it, the host, the definition.

import { toVirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { contextOf } from "../defaults/complete.ts";
import type { LiveContext } from "../devices/entry.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { lendFiles } from "../lifecycle/ownership.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { removalLine } from "./build.ts";
import { type KnownPluggable, withoutDevice } from "./kinds.ts";
import { takeOutBackends } from "./monitor-plug.ts";

/** The running guest as its devices' entries see it. */
export function liveContext(driver: Driver, domain: QemuDomain, run: Run): LiveContext {
	return { ...contextOf(run.live.def, driver.host, true), caps: run.caps, driver, domain, run };
}

/** The running guest's definition becomes `def`, which differs from it in devices and what follows from them. */
export function adoptDevices(run: Run, def: DomainDef): void {
	run.live.def.devices = def.devices;
	run.live.changed();
}

/** Takes back all there is of a device that QEMU no longer has. When this settles, it is noted, and everybody is told. */
export async function finishRemoval(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	found: KnownPluggable,
): Promise<void> {
	const { device, hotplug } = found;
	const { def } = run.live;
	const context = liveContext(driver, domain, run);
	try {
		await takeOutBackends(driver, run, removalLine(run, found, context));
		await hotplug.release?.(device, context);
	} catch (error) {
		driver.log.warn(`what a removed device of '${domain.name}' used stays: ${toVirtError(error).message}`, { error });
	}
	adoptDevices(run, withoutDevice(def, found));
	hotplug.account?.(device, def, -1);
	lendFiles(driver, run, def);
	await saveStatusNow(domain, run);
	driver.emit("device-removed", domain.ref, { device: (device as { readonly alias?: string }).alias ?? "" });
}
