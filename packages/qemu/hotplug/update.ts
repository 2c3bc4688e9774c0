// Changes a device in place: of the running guest, of the stored definition, or of both.

import { VirtError } from "@virtkit/base/errors";
import { UndoStack } from "@virtkit/base/undo-stack";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { impactOf, storeDefinition } from "../config/impact.ts";
import { completeDomain, contextOf } from "../defaults/complete.ts";
import type { LiveContext } from "../devices/entry.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { lendFiles } from "../lifecycle/ownership.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { checkCompatible } from "./compatible.ts";
import { type KnownPluggable, kindName, withReplaced } from "./kinds.ts";
import { readDevice } from "./prepare-device.ts";
import { adoptDevices, liveContext } from "./removal.ts";

/** VIR_DOMAIN_DEVICE_MODIFY_FORCE. */
const FORCE = 4;

/** Changes the device that `xml` spells anew. */
export async function updateDevice(driver: Driver, domain: QemuDomain, xml: string, flags: number): Promise<void> {
	const { run, config } = impactOf(domain, flags);
	const stored = config
		? await driver.host.withEmulators(() => updateStored(driver, domain, xml, run !== undefined))
		: undefined;
	if (run) {
		const context = await driver.host.withEmulators(() => liveContext(driver, domain, run));
		const wanted = readDevice(xml, context, { action: "update", live: true, liveDocument: true });
		const { hotplug, entry } = wanted;
		if (hotplug.update === undefined)
			throw new VirtError("CONFIG_UNSUPPORTED", `live update of device '${kindName(entry.kind)}' is not supported`);
		const device = (hotplug.findToUpdate ?? hotplug.find)(wanted.device, context, true);
		await changeDevice({ ...wanted, device }, wanted.device, context, (flags & FORCE) !== 0);
	}
	if (stored) await storeDefinition(driver, domain, stored);
}

/** The stored definition with the device changed. */
function updateStored(driver: Driver, domain: QemuDomain, xml: string, liveDocument: boolean): DomainDef {
	const context = contextOf(domain.config.copy(), driver.host, false);
	const wanted = readDevice(xml, context, { action: "update", live: false, liveDocument });
	const { hotplug, entry, device: changed } = wanted;
	if (hotplug.storedUpdate === undefined)
		throw new VirtError(
			"OPERATION_UNSUPPORTED",
			`persistent update of device '${kindName(entry.kind)}' is not supported`,
		);
	const device = (hotplug.findToUpdate ?? hotplug.find)(changed, context, false);
	checkCompatible(wanted, context, false, device);
	const def = withReplaced(context.def, { ...wanted, device }, changed);
	completeDomain(def, driver.host, { fresh: false });
	return def;
}

/** Changes the running guest's device into `wanted`; when this settles, it is noted. */
export async function changeDevice(
	found: KnownPluggable,
	wanted: object,
	context: LiveContext,
	force: boolean,
): Promise<void> {
	const { driver, domain, run } = context;
	const { device, hotplug } = found;
	checkCompatible({ ...found, device: wanted }, context, true, device);
	if (hotplug.update === undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", `live update of device '${kindName(found.entry.kind)}' is not supported`);
	await using undo = new UndoStack();
	undo.defer("the owners of files", () => lendFiles(driver, run, run.live.def));
	const changed = await hotplug.update(device, wanted, { ...context, force, undo });
	undo.commit();
	adoptDevices(run, withReplaced(run.live.def, found, changed));
	lendFiles(driver, run, run.live.def);
	await saveStatusNow(domain, run);
}
