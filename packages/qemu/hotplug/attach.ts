// Attaches a device: to the running guest, to the stored definition, or to both.

import { closeSync } from "node:fs";
import { UndoStack } from "@virtkit/base/undo-stack";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { impactOf, storeDefinition } from "../config/impact.ts";
import { completeDomain, contextOf } from "../defaults/complete.ts";
import type { LiveContext, PlugContext } from "../devices/entry.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { helperFailure } from "../helpers/spawn.ts";
import { startPluggedHelpers } from "../helpers/start.ts";
import { addMemoryFolders } from "../lifecycle/memory-folders.ts";
import { lendFiles } from "../lifecycle/ownership.ts";
import { saveStatus, saveStatusNow } from "../lifecycle/status-file.ts";
import { plugLine } from "./build.ts";
import { checkCompatible } from "./compatible.ts";
import { type KnownPluggable, type Pluggable, withDevice, withOnly } from "./kinds.ts";
import { plugIn } from "./monitor-plug.ts";
import { readDevice, refuseUsedAlias, settlePlugs } from "./prepare-device.ts";
import { adoptDevices, liveContext } from "./removal.ts";
import { changeDevice } from "./update.ts";

/** Attaches the device that `xml` spells. Leaves everything as it was where it fails. */
export async function attachDevice(driver: Driver, domain: QemuDomain, xml: string, flags: number): Promise<void> {
	const { run, config } = impactOf(domain, flags);
	const stored = config ? await driver.host.withEmulators(() => attachToStored(driver, domain, xml)) : undefined;
	if (run) {
		const context = await driver.host.withEmulators(() => liveContext(driver, domain, run));
		const found = readDevice(xml, context, { action: "attach", live: true, liveDocument: false });
		if (stored) found.hotplug.matchStored?.(found.device, stored.device);
		refuseUsedAlias(found, context.def);
		await attachToGuest(found, context);
	}
	if (stored) await storeDefinition(driver, domain, stored.def);
}

/** The stored definition with the device in it. */
function attachToStored(driver: Driver, domain: QemuDomain, xml: string): { def: DomainDef; device: object } {
	const context = contextOf(domain.config.copy(), driver.host, true);
	const found = readDevice(xml, context, { action: "attach", live: false, liveDocument: false });
	refuseUsedAlias(found, context.def);
	checkCompatible(found, context, false);
	found.hotplug.checkAttach?.(found.device, context, false);
	const def = withDevice(context.def, found);
	found.hotplug.account?.(found.device, def, 1);
	completeDomain(def, driver.host, { fresh: true });
	return { def, device: found.device };
}

async function attachToGuest(found: KnownPluggable, context: LiveContext): Promise<void> {
	const { device, hotplug } = found;
	checkCompatible(found, context, true);
	const replaced = hotplug.replaces?.(device, context);
	if (replaced) return changeDevice({ ...found, device: replaced }, device, context, false);
	hotplug.checkAttach?.(device, context, true);
	const { plugs, def } = settlePlugs(found, context);
	await plugAll(plugs, def, context);
}

/** Plugs the devices in; `def` is the guest's definition with all of them. */
async function plugAll(plugs: readonly Pluggable[], def: DomainDef, live: LiveContext): Promise<void> {
	const { driver, domain, run } = live;
	const descriptors = new Map<object, readonly number[]>();
	const imageDescriptors: PlugContext["imageDescriptors"] = new Map();
	const context: PlugContext = { ...live, def, undo: new UndoStack(), descriptors, imageDescriptors };
	await using undo = context.undo;
	undo.defer("the note of the attachment", () => saveStatus(driver, domain));
	const helpers = [...run.helpers];
	try {
		await startPluggedHelpers({ driver, domain, run, def: withOnly(def, plugs), undo });
		for (const { entry, device } of plugs) await entry.hotplug?.prepare?.(device, context);
		undo.defer("the owners of files", () => lendFiles(driver, run, run.live.def));
		lendFiles(driver, run, def);
		run.intended = (now) => ({ ...now, devices: def.devices });
		undo.defer("the intention", () => void (run.intended = undefined));
		await saveStatusNow(domain, run);
		for (const plug of plugs) {
			const line = plugLine(run, plug, context, descriptors);
			addMemoryFolders(driver, run, line);
			await plugIn(run, line, undo);
			await plug.entry.hotplug?.plugged?.(plug.device, context);
		}
	} catch (error) {
		throw helperFailure(run, helpers) ?? error;
	} finally {
		for (const fd of [...descriptors.values()].flat()) closeSync(fd);
		for (const { fds } of imageDescriptors.values()) fds.forEach(closeSync);
	}
	undo.commit();
	accept(plugs, context);
}

/** The devices are the guest's. */
function accept(plugs: readonly Pluggable[], { driver, domain, run, def }: PlugContext): void {
	adoptDevices(run, def);
	run.intended = undefined;
	for (const { entry, device } of plugs) entry.hotplug?.account?.(device, run.live.def, 1);
	// The file says so already, but for what QEMU alone knew.
	saveStatus(driver, domain);
	// As libvirt has it: what came along is no news.
	const attached = plugs.at(-1)?.device as { readonly alias?: string } | undefined;
	driver.emit("device-added", domain.ref, { device: attached?.alias ?? "" });
}
