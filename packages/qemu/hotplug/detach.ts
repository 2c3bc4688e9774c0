// Detaches a device: from the running guest, which must let go of it, from the stored definition, or from both.

import { VirtError } from "@virtkit/base/errors";
import type { PciAddress } from "@virtkit/model/domain/address";
import type { DeviceInfo } from "@virtkit/model/domain/device-common";
import { memberOf } from "@virtkit/model/domain/device-document";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { findController } from "../addresses/controllers.ts";
import { formatPciPlace } from "../addresses/pci-set.ts";
import { impactOf, storeDefinition } from "../config/impact.ts";
import { completeDomain, contextOf } from "../defaults/complete.ts";
import type { LiveContext } from "../devices/entry.ts";
import { COMPLETED } from "../devices/registry.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { type KnownPluggable, kindName, knownPluggable, type Pluggable, withoutDevice } from "./kinds.ts";
import { UNPLUG_WAIT_MS, unplugDevice } from "./monitor-plug.ts";
import { readDevice } from "./prepare-device.ts";
import { finishRemoval, liveContext } from "./removal.ts";

/** Finds the device that is to go, in one definition. */
type Pick = (context: ReturnType<typeof contextOf>, live: boolean) => KnownPluggable;

/** Detaches the device that `xml` describes. A guest may take its time to let go: then this returns, and an event tells. */
export async function detachDevice(driver: Driver, domain: QemuDomain, xml: string, flags: number): Promise<void> {
	const { run } = impactOf(domain, flags);
	await detach(driver, domain, flags, UNPLUG_WAIT_MS, (context, live) => {
		const options = { action: "detach", live, liveDocument: run !== undefined, unchecked: true };
		const wanted = readDevice(xml, context, options);
		return { ...wanted, device: wanted.hotplug.find(wanted.device, context, live) };
	});
}

/** Detaches the device of that id; only asks the guest to let go, an event tells when it has. */
export function detachDeviceAlias(driver: Driver, domain: QemuDomain, alias: string, flags: number): Promise<void> {
	return detach(driver, domain, flags, 0, ({ def }, live) => knownPluggable(findAny(def, alias), "detach", live));
}

function findAny(def: DomainDef, alias: string): Pluggable {
	for (const entry of COMPLETED)
		for (const device of entry.list(def))
			if ((device as DeviceInfo).alias === alias) return { entry, device, member: memberOf(entry.kind) };
	throw new VirtError("INTERNAL_ERROR", `no device found with alias ${alias}`, { domain: "DOMAIN" });
}

async function detach(driver: Driver, domain: QemuDomain, flags: number, waitMs: number, pick: Pick): Promise<void> {
	const { run, config } = impactOf(domain, flags);
	const stored = config ? await driver.host.withEmulators(() => detachFromStored(driver, domain, pick)) : undefined;
	if (run) {
		const context = await driver.host.withEmulators(() => liveContext(driver, domain, run));
		await detachFromGuest(pick(context, true), context, waitMs);
	}
	if (stored) await storeDefinition(driver, domain, stored);
}

/** The stored definition without the device. */
function detachFromStored(driver: Driver, domain: QemuDomain, pick: Pick): DomainDef {
	const context = contextOf(domain.config.copy(), driver.host, false);
	const found = pick(context, false);
	const def = withoutDevice(context.def, found);
	found.hotplug.account?.(found.device, def, -1);
	completeDomain(def, driver.host, { fresh: false, unchecked: true });
	return def;
}

async function detachFromGuest(found: KnownPluggable, context: LiveContext, waitMs: number): Promise<void> {
	const { driver, domain, run } = context;
	const { device, hotplug } = found;
	hotplug.checkDetach?.(device, context);
	refusePlace(found, context);
	const { alias } = device as DeviceInfo;
	if (alias === undefined)
		throw new VirtError("INTERNAL_ERROR", `Cannot detach ${kindName(found.entry.kind)} device with no alias`);
	const outcome = (await hotplug.unplug?.(device, context)) ?? (await unplugDevice(run, alias, waitMs));
	if (outcome === "refused") throw new VirtError("OPERATION_FAILED", "unplug of device was rejected by the guest");
	if (outcome !== "pending") return await finishRemoval(driver, domain, run, found);
	await saveStatusNow(domain, run);
}

/** Devices that share a slot go together or not at all, and some slots let nothing go. */
function refusePlace({ entry, device }: KnownPluggable, { def }: LiveContext): void {
	const { address } = device as DeviceInfo;
	if (address?.type !== "pci") return;
	const refuse = (what: string, why = ""): never => {
		throw new VirtError(
			"OPERATION_FAILED",
			`cannot hot unplug ${kindName(entry.kind)} device with ${what} guest address: ${formatPciPlace(address)}${why}`,
		);
	};
	if (sharesSlot(address, def)) refuse("multifunction PCI");
	const controller = findController(def, "pci", address.bus);
	if (!controller) refuse("PCI", " - controller not found");
	if (controller?.target?.hotplug === false) refuse("PCI", " - not allowed by controller");
}

function sharesSlot(place: PciAddress, def: DomainDef): boolean {
	const inSlot = COMPLETED.flatMap((entry) => entry.list(def)).filter((device) => {
		const { address } = device as DeviceInfo;
		return (
			address?.type === "pci" &&
			address.domain === place.domain &&
			address.bus === place.bus &&
			address.slot === place.slot
		);
	});
	return inSlot.length > 1;
}
