// USB hubs.

import type { DomainDef } from "@virtkit/model/domain/domain";
import type { HubDef } from "@virtkit/model/domain/hub";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { DeviceEntry } from "./entry.ts";

const RULES: readonly DeviceRule<HubDef>[] = [
	{ broken: (_, { caps }) => !caps.has("usb-hub") && "usb-hub not supported by QEMU binary" },
];

export const hub: DeviceEntry<HubDef> = {
	kind: "hub",
	list: (def) => def.devices.hubs,
	alias: (_, index) => `hub${index}`,
	check: (device, context) => checkDeviceRules(RULES, device, context),
	usb: () => true,
	build: (device, context) =>
		addDevice(device, { driver: "usb-hub", id: device.alias, ...addressProps(device, context.def) }, context),
};

/** One more hub, where USB devices outnumber ports. */
export function addHub({ devices }: DomainDef): void {
	devices.hubs.push({ type: "usb" });
}
