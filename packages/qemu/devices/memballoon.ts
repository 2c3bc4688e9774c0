// The memory balloon.

import type { MemballoonDef } from "@virtkit/model/domain/memballoon";
import { impossibleSlot, virtioSlot } from "../addresses/pci-need.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { archOf } from "../machine.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { DefineContext, DeviceEntry, DomainStep } from "./entry.ts";
import { virtioDriver, virtioProps } from "./virtio.ts";

const RULES: readonly DeviceRule<MemballoonDef>[] = [
	{
		broken: ({ model }) =>
			model === "xen" && `Memory balloon device type '${model}' is not supported by this version of qemu`,
	},
	{
		broken: ({ autodeflate }, { caps }) =>
			autodeflate !== undefined &&
			!caps.has("virtio-balloon-pci", "deflate-on-oom") &&
			"deflate-on-oom is not supported by this QEMU binary",
	},
	{
		broken: ({ freePageReporting }, { caps }) =>
			freePageReporting !== undefined &&
			!caps.has("virtio-balloon-pci", "free-page-reporting") &&
			"freePageReporting is not supported by this QEMU binary",
	},
];

/** Architectures whose guests have no balloon unless they ask for one. */
const WITHOUT: ReadonlySet<string> = new Set(["armv6l", "armv7l", "aarch64", "sparc"]);

/** Gives a guest that says nothing of a balloon the usual one. */
export const addDefaultMemballoon: DomainStep = ({ def }) => {
	if (!WITHOUT.has(archOf(def))) def.devices.memballoon ??= { model: "virtio" };
};

/** The properties of the balloon, for -device. */
export function memballoonProps(device: MemballoonDef, context: DefineContext): JsonObject {
	return {
		driver: virtioDriver("virtio-balloon", device, context, device.model),
		...virtioProps(device.driver),
		id: device.alias,
		"deflate-on-oom": device.autodeflate,
		"free-page-reporting": device.freePageReporting,
		...addressProps(device, context.def),
	};
}

export const memballoon: DeviceEntry<MemballoonDef> = {
	kind: "memballoon",
	// A balloon of model none is no device.
	list: ({ devices: { memballoon: device } }) => (device && device.model !== "none" ? [device] : []),
	alias: (_, index) => `balloon${index}`,
	check: (device, context) => checkDeviceRules(RULES, device, context),
	pci: ({ model }, context) => (model === "xen" ? impossibleSlot() : virtioSlot(context, model)),
	virtio: () => true,
	build: (device, context) => addDevice(device, memballoonProps(device, context), context),
};
