// Watchdogs.

import { VirtError } from "@virtkit/base/errors";
import type { WatchdogDef } from "@virtkit/model/domain/watchdog";
import { conventionalSlot } from "../addresses/pci-need.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { isS390 } from "../machine.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { DefineContext, DeviceEntry, Hotplug } from "./entry.ts";
import { isDescribedBy } from "./plug-find.ts";

const RULES: readonly DeviceRule<WatchdogDef>[] = [
	{
		broken: ({ model, address }) =>
			model === "i6300esb" &&
			address !== undefined &&
			address.type !== "pci" &&
			`${model} model of watchdog can go only on PCI bus`,
	},
	{
		broken: ({ model, address }) =>
			model === "ib700" &&
			address !== undefined &&
			`${model} model of watchdog does not support configuring the address`,
	},
	{
		broken: ({ model, address }) =>
			model === "diag288" && address !== undefined && `${model} model of watchdog is virtual and cannot go on any bus.`,
	},
	{
		broken: ({ model }, { def }) =>
			model === "diag288" && !isS390(def) && `${model} model of watchdog is allowed for s390 and s390x only`,
	},
];

/** The properties of the watchdog, for -device and device_add. */
export function watchdogProps(device: WatchdogDef, { def }: DefineContext): JsonObject {
	return { driver: device.model, id: device.alias, ...addressProps(device, def) };
}

const watchdogHotplug: Hotplug<WatchdogDef> = {
	checkAttach: ({ model }, { def }, live) => {
		if (def.devices.watchdog) throw new VirtError("OPERATION_INVALID", "domain already has a watchdog");
		if (live && model !== "i6300esb")
			throw new VirtError("OPERATION_UNSUPPORTED", `hotplug of watchdog of model ${model} is not supported`);
	},
	find: (wanted, { def }, live) => {
		const { watchdog: device } = def.devices;
		if (!live) {
			if (device) return device;
			throw new VirtError("DEVICE_MISSING", "domain has no watchdog");
		}
		if (!device) throw new VirtError("DEVICE_MISSING", "watchdog device not present in domain configuration");
		if (isDescribedBy(wanted, device)) return device;
		throw new VirtError(
			"DEVICE_MISSING",
			`model '${device.model}' watchdog device not present in domain configuration`,
		);
	},
	checkDetach: ({ model }) => {
		if (model !== "i6300esb")
			throw new VirtError("OPERATION_UNSUPPORTED", `hot unplug of watchdog of model ${model} is not supported`);
	},
};

export const watchdog: DeviceEntry<WatchdogDef> = {
	kind: "watchdog",
	list: ({ devices: { watchdog: device } }) => (device ? [device] : []),
	alias: (_, index) => `watchdog${index}`,
	check: (device, context) => checkDeviceRules(RULES, device, context),
	pci: ({ model }) => (model === "i6300esb" ? conventionalSlot() : undefined),
	build: (device, context) => {
		addDevice(device, watchdogProps(device, context), context);
		// QEMU knows no dump: it pauses, and the driver dumps.
		const action = device.action === "dump" ? "pause" : device.action;
		context.command.add("-watchdog-action", action, { watchdog: action });
	},
	hotplug: watchdogHotplug,
};
