// The IOMMU: a device of its own, or a property of Arm's machine.

import type { IommuDef } from "@virtkit/model/domain/iommu";
import { expressSlot, virtioSlot } from "../addresses/pci-need.ts";
import { isMachine } from "../machine.ts";
import { addressProps } from "./device-address.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { BuildContext, DefineContext, DeviceEntry } from "./entry.ts";

const name = ({ model }: IommuDef): string => `IOMMU device: '${model}'`;

/** Whether the machine is one that has the model. */
const MACHINES: Readonly<Record<IommuDef["model"], { readonly names: string; has(context: DefineContext): boolean }>> =
	{
		intel: { names: "Q35 machines", has: ({ def }) => isMachine(def, "q35") },
		amd: { names: "Q35 machines", has: ({ def }) => isMachine(def, "q35") },
		smmuv3: { names: "ARM Virt machines", has: ({ def }) => isMachine(def, "armVirt") },
		virtio: {
			names: "Q35 and ARM Virt machines",
			has: ({ def }) => isMachine(def, "q35") || isMachine(def, "armVirt"),
		},
	};

/** Whether the emulator has the model. */
const EMULATORS: Readonly<Record<IommuDef["model"], (context: DefineContext) => boolean>> = {
	intel: ({ caps }) => caps.has("intel-iommu"),
	amd: ({ caps }) => caps.has("amd-iommu", "pci-id"),
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
	dma_translation: "dma-translation",
} as const;

/** Settings of the other models, with the property behind each. */
const OTHER_SETTINGS = {
	amd: { intremap: "intremap", iotlb: "device-iotlb", passthrough: "pt", xtsup: "xtsup" },
	virtio: { aw_bits: "aw-bits", granule: "granule" },
	smmuv3: {
		pciBus: "primary-bus",
		accel: "accel",
		ats: "ats",
		ril: "ril",
		ssidsize: "ssidsize",
		oas: "oas",
		cmdqv: "cmdqv",
	},
} as const;
/** The device that has those properties. */
const TYPES: Readonly<Record<IommuDef["model"], string>> = {
	intel: "intel-iommu",
	amd: "amd-iommu",
	virtio: "virtio-iommu-pci",
	smmuv3: "arm-smmuv3",
};

/** The settings that a model has. */
const settingsOf = (model: IommuDef["model"]): Readonly<Record<string, string>> =>
	model === "intel" ? SETTINGS : OTHER_SETTINGS[model];

/** What the document sets, in its own names. */
const given = ({ driver }: IommuDef): string[] =>
	Object.entries(driver ?? {}).flatMap(([setting, value]) => (value === undefined ? [] : [setting]));

const COMMON: readonly DeviceRule<IommuDef>[] = [
	{
		code: "XML_ERROR",
		broken: (iommu) =>
			given(iommu).some((setting) => !(setting in settingsOf(iommu.model))) &&
			`iommu model '${iommu.model}' doesn't support additional attributes`,
	},
	{
		code: "XML_ERROR",
		broken: ({ model, address }) =>
			model !== "virtio" && model !== "amd" && address && `iommu model '${model}' can't have address`,
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
		broken: (iommu) => iommu.address && iommu.address.type !== "pci" && `${name(iommu)} needs a PCI address`,
	},
	{
		broken: (iommu, { caps }) => {
			const properties = settingsOf(iommu.model);
			const missing = given(iommu).find((setting) => !caps.has(TYPES[iommu.model], properties[setting]));
			return missing && `iommu: ${missing} is not supported with this QEMU binary`;
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

/** AMD's has a PCI function of its own. Without `pci-id`, QEMU puts that into the first slot, which others have by then. */
function buildAmd(iommu: IommuDef, { command, def }: BuildContext): void {
	const { alias: id, driver } = iommu;
	command.addDevice({ driver: "AMDVI-PCI", id, ...addressProps(iommu, def) });
	command.addDevice({
		driver: "amd-iommu",
		"pci-id": id,
		intremap: onOff(driver?.intremap),
		pt: driver?.passthrough,
		xtsup: driver?.xtsup,
		"device-iotlb": driver?.iotlb,
	});
}

function buildIommu(iommu: IommuDef, context: BuildContext): void {
	const { command, def } = context;
	const { model, alias: id, driver } = iommu;
	if (model === "smmuv3") return;
	if (model === "virtio") {
		command.addDevice({
			driver: "virtio-iommu",
			id,
			"aw-bits": driver?.aw_bits,
			granule: driver?.granule && (driver.granule.mode ?? `${driver.granule.size}k`),
			...addressProps(iommu, def),
		});
		return;
	}
	if (model === "amd") {
		buildAmd(iommu, context);
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
		"dma-translation": driver?.dma_translation,
	});
}

export const iommu: DeviceEntry<IommuDef> = {
	kind: "iommu",
	list: ({ devices }) => (devices.iommu ? [devices.iommu] : []),
	alias: () => "iommu0",
	checkCommon: (device, context) => checkDeviceRules(COMMON, device, context),
	check: (device, context) => checkDeviceRules(RULES, device, context),
	pci: ({ model }, context) => {
		if (model === "virtio") return { ...virtioSlot(context), integrated: true };
		return model === "amd" ? { ...expressSlot(context), integrated: true } : undefined;
	},
	build: buildIommu,
};
