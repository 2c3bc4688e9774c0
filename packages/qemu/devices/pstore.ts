// The store that keeps a guest's last words: memory of a file of the host, reached by ACPI.

import { join } from "node:path";
import type { PstoreDef } from "@virtkit/model/domain/pstore";
import { conventionalSlot } from "../addresses/pci-need.ts";
import { isX86 } from "../machine.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { BuildContext, DeviceEntry } from "./entry.ts";
import { findDescribed } from "./plug-find.ts";

/** KiB of the smallest store (QEMU's ERST device). */
const MIN_SIZE = 4;

const RULES: readonly DeviceRule<PstoreDef>[] = [
	{
		broken: (_, { caps }) => !caps.has("acpi-erst") && "acpi backend of pstore device is not supported",
	},
	{
		broken: ({ backend }, { def }) =>
			(!isX86(def) || !def.features?.acpi) &&
			`backend '${backend}' of pstore device is only supported with ACPI on x86`,
	},
	{
		broken: ({ address }) =>
			address !== undefined && address.type !== "pci" && "pstore device with 'acpi-erst' backend needs a PCI address",
	},
	{
		broken: ({ size = 0 }) => size < MIN_SIZE && `pstore of ${size} KiB is too small, must be at least ${MIN_SIZE} KiB`,
	},
];

function buildPstore(device: PstoreDef, context: BuildContext): void {
	const { alias: id, path, size = 0 } = device;
	const memdev = `mem${id}`;
	context.command.addJson("-object", {
		"qom-type": "memory-backend-file",
		id: memdev,
		"mem-path": path,
		size: size * 1024,
		share: true,
	});
	addDevice(device, { driver: "acpi-erst", id, memdev, ...addressProps(device, context.def) }, context);
}

export const pstore: DeviceEntry<PstoreDef> = {
	kind: "pstore",
	list: ({ devices }) => (devices.pstore ? [devices.pstore] : []),
	alias: () => "pstore0",
	complete: (device, { def, host }) => {
		device.path ??= join(host.nvramDir, `${def.name}_PSTORE.raw`);
	},
	check: (device, context) => checkDeviceRules(RULES, device, context),
	pci: () => conventionalSlot(),
	build: buildPstore,
	hotplug: {
		only: "stored",
		find: findDescribed(
			({ def }) => (def.devices.pstore ? [def.devices.pstore] : []),
			() => "matching pstore device not found",
		),
	},
};
