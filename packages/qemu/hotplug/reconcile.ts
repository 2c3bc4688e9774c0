// Makes a guest's definition agree with QEMU after the daemon was away: devices may have come or gone meanwhile.

import type { DeviceInfo } from "@virtkit/model/domain/device-common";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { endHelpers } from "../helpers/end.ts";
import { releaseStrays } from "../host-devices/claim.ts";
import { removalLine } from "./build.ts";
import { findByAlias } from "./find.ts";
import { type KnownPluggable, pluggables } from "./kinds.ts";
import { finishRemoval, liveContext } from "./removal.ts";

/** Where QEMU keeps the devices that have an id. */
const PERIPHERALS = "/machine/peripheral";

/**
 * Drops devices that QEMU has not: let go of while nobody listened, or noted before a daemon that was killed could plug
 * them in. A device is noted before QEMU is told of it, so QEMU has none that the definition lacks.
 */
export async function reconcileDevices(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	try {
		await dropMissing(driver, domain, run);
		await endStrays(run);
		await releaseStrays(driver, run);
	} catch (error) {
		// A guest that runs is worth more than a definition that is right in every device.
		driver.log.error(`devices of '${domain.name}' could not be compared with QEMU's`, { error });
	}
}

/** Ends helpers whose device is not there: it was still to be plugged in when their daemon was killed. */
async function endStrays(run: Run): Promise<void> {
	const names = new Set(run.helpers.map(({ name }) => name));
	for (const name of names) {
		const alias = / of (\S+)$/.exec(name)?.[1];
		if (alias !== undefined && !findByAlias(run.live.def, alias)) await endHelpers(run, name);
	}
}

async function dropMissing(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	const there = new Set((await run.monitor.execute("qom-list", { path: PERIPHERALS })).map(({ name }) => name));
	const context = liveContext(driver, domain, run);
	const gone = [...pluggables(run.live.def)].filter(({ device }) => {
		const { alias } = device as DeviceInfo;
		return alias !== undefined && !there.has(alias);
	});
	for (const found of gone) if (isOwnDevice(run, found, context)) await finishRemoval(driver, domain, run, found);
}

/** Whether QEMU was given the device under its id: part of the machine, it is among no peripherals. */
function isOwnDevice(run: Run, found: KnownPluggable, context: ReturnType<typeof liveContext>): boolean {
	const { alias } = found.device as DeviceInfo;
	try {
		return removalLine(run, found, context).plugs.some(({ isDevice, arguments: { id } }) => isDevice && id === alias);
	} catch {
		// What cannot be plugged has not gone either.
		return false;
	}
}
