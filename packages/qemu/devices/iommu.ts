// The IOMMU: a device of its own, or a property of Arm's machine.

import type { IommuDef } from "@virtkit/model/domain/iommu";
import { virtioSlot } from "../addresses/pci-need.ts";
import { isMachine } from "../machine.ts";
import { addressProps } from "./device-address.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { BuildContext, DefineContext, DeviceEntry } from "./entry.ts";

const name = ({ model }: IommuDef): string => `IOMMU device: '${model}'`;

/** Whether the machine is one that has the model. */
const MACHINES: Readonly<Record<IommuDef["model"], { readonly names: string; has(context: DefineContext): boolean }>> =
	{
		intel: { names: "Q35 machines", has: ({ def }) => isMachine(def, "q35") },
		smmuv3: { names: "ARM Virt machines", has: ({ def }) => isMachine(def, "armVirt") },
		virtio: {
			names: "Q35 and ARM Virt machines",
			has: ({ def }) => isMachine(def, "q35") || isMachine(def, "armVirt"),
		},
	};

/** Whether the emulator has the model. */
const EMULATORS: Readonly<Record<IommuDef["model"], (context: DefineContext) => boolean>> = {
	intel: ({ caps }) => caps.has("intel-iommu"),
	smmuv3: ({ def, caps }) => caps.hasMachineProperty(def.os.type.machine ?? "", "iommu"),
	virtio: ({ caps }) => caps.has("virtio-iommu-pci", "boot-bypass"),
};

/** Settings of Intel's model, with the property of QEMU's device behind each. */
const SETTINGS = {
	intremap: "intremap",
	caching_mode: "caching-mode",
	eim: "eim",
	iotlb: "device-iotlb",
	aw_bits: "aw-bits",
} as const;
const SETTING_NAMES = Object.keys(SETTINGS) as (keyof typeof SETTINGS)[];

const COMMON: readonly DeviceRule<IommuDef>[] = [
	{
		code: "XML_ERROR",
		broken: ({ model, driver }) =>
			model !== "intel" &&
			SETTING_NAMES.some((setting) => driver?.[setting] !== undefined) &&
			`iommu model '${model}' doesn't support additional attributes`,
	},
	{
		code: "XML_ERROR",
		broken: ({ model, address }) => model !== "virtio" && address && `iommu model '${model}' can't have address`,
	},
];

const RULES: readonly DeviceRule<IommuDef>[] = [
	{
		broken: (iommu, context) =>
			!MACHINES[iommu.model].has(context) && `${name(iommu)} is only supported with ${MACHINES[iommu.model].names}`,
	},
	{
		broken: (iommu, context) =>
			!EMULATORS[iommu.model](context) && `${name(iommu)} is not supported with this QEMU binary`,
	},
	{
		broken: (iommu, { def }) => iommu.model === "virtio" && !def.features?.acpi && `${name(iommu)} requires ACPI`,
	},
	{
		broken: (iommu) =>
			iommu.model === "virtio" && iommu.address && iommu.address.type !== "pci" && `${name(iommu)} needs a PCI address`,
	},
	{
		broken: ({ driver }, { caps }) => {
			const given = SETTING_NAMES.find((setting) => driver?.[setting] !== undefined);
			return given && !caps.has("intel-iommu", SETTINGS[given])
				? `iommu: ${given} is not supported with this QEMU binary`
				: undefined;
		},
	},
	{
		broken: ({ driver }, { def }) =>
			driver?.intremap &&
			def.features?.ioapic?.driver !== "qemu" &&
			"IOMMU interrupt remapping requires split I/O APIC (ioapic driver='qemu')",
	},
	{
		broken: ({ driver }) => driver?.eim && !driver.intremap && "IOMMU eim requires interrupt remapping to be enabled",
	},
];

/** QEMU's switch that can also be `auto`, where the definition does not say. */
const onOff = (value: boolean | undefined): string | undefined =>
	value === undefined ? undefined : value ? "on" : "off";

function buildIommu(iommu: IommuDef, { command, def }: BuildContext): void {
	const { model, alias: id, driver } = iommu;
	if (model === "smmuv3") return;
	if (model === "virtio") {
		command.addDevice({ driver: "virtio-iommu", id, ...addressProps(iommu, def) });
		return;
	}
	command.addDevice({
		driver: "intel-iommu",
		id,
		intremap: onOff(driver?.intremap),
		"caching-mode": driver?.caching_mode,
		eim: onOff(driver?.eim),
		"device-iotlb": driver?.iotlb,
		"aw-bits": driver?.aw_bits,
	});
}

export const iommu: DeviceEntry<IommuDef> = {
	kind: "iommu",
	list: ({ devices }) => (devices.iommu ? [devices.iommu] : []),
	alias: () => "iommu0",
	checkCommon: (device, context) => checkDeviceRules(COMMON, device, context),
	check: (device, context) => checkDeviceRules(RULES, device, context),
	pci: ({ model }, context) => (model === "virtio" ? { ...virtioSlot(context), integrated: true } : undefined),
	build: buildIommu,
};
