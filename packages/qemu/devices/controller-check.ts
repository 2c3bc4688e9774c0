// What of a controller cannot be had: attributes of the wrong model, numbers out of range, devices that QEMU lacks.

import { VirtError } from "@virtkit/base/errors";
import type { ControllerDef, PciControllerModel, PciModelName } from "@virtkit/model/domain/controller";
import { atElement } from "@virtkit/xml/read";
import { VIRTIO_SCSI_TYPES } from "../addresses/controllers.ts";
import { hasBuiltinEsp, hasBuiltinIde, isMachine, machineOf } from "../machine.ts";
import type { DefineContext } from "./entry.ts";

function unsupported(message: string): never {
	throw new VirtError("CONFIG_UNSUPPORTED", message);
}

/** QEMU devices of SCSI models. */
export const SCSI_DRIVERS: Readonly<Record<string, string>> = {
	lsilogic: "lsi",
	ibmvscsi: "spapr-vscsi",
	lsisas1068: "mptsas1068",
	lsisas1078: "megasas",
	vmpvscsi: "pvscsi",
	am53c974: "am53c974",
	// libvirt says "dc-390", which QEMU does not know.
	dc390: "dc390",
};

const isVirtioScsi = ({ type, model }: ControllerDef): boolean =>
	type === "scsi" && model?.startsWith("virtio-") === true;

/** Throws where the controller cannot be had. */
export function checkController(controller: ControllerDef, context: DefineContext): void {
	if (controller.type === "pci") checkPciNumbers(controller);
	if (controller.type === "scsi") checkScsiModel(controller, context);
	if (!isVirtioScsi(controller)) refuseScsiOptions(controller);
	CHECKS[controller.type]?.(controller, context);
}

const CHECKS: Partial<Record<ControllerDef["type"], (controller: ControllerDef, context: DefineContext) => void>> = {
	ide: ({ index }, { def }) => {
		if (!hasBuiltinIde(def)) unsupported("IDE controllers are unsupported for this QEMU binary or machine type");
		if (index !== 0) unsupported("Only a single IDE controller is supported for this machine type");
	},
	sata: ({ index }, { def, caps }) => {
		if (!(index === 0 && isMachine(def, "q35")) && !caps.has("ich9-ahci"))
			unsupported("SATA is not supported with this QEMU binary");
	},
	nvme: ({ serial }, { caps }) => {
		if (!caps.has("nvme")) unsupported("NVMe controllers are not supported with this QEMU binary");
		if (serial === undefined) unsupported("an NVMe controller, or a disk on it, must have a <serial>");
	},
	scsi: checkScsi,
	pci: checkPci,
};

function refuseScsiOptions({ driver }: ControllerDef): void {
	for (const name of ["queues", "cmd_per_lun", "max_sectors", "ioeventfd", "iothread", "iothreads"] as const)
		if (driver?.[name] !== undefined) unsupported(`'${name}' is only supported by virtio-scsi controller`);
}

function checkScsiModel(controller: ControllerDef, { caps }: DefineContext): void {
	const { model = "auto" } = controller;
	if (model === "auto" || model === "buslogic") unsupported(`Unsupported controller model: ${model}`);
	if (model === "ibmvscsi" || model === "ncr53c90") return;
	const types = isVirtioScsi(controller) ? VIRTIO_SCSI_TYPES : [SCSI_TYPES[model] ?? model];
	if (!types.some((type) => caps.has(type))) unsupported(`This QEMU doesn't support the ${model} SCSI controller`);
}

/** QOM types of models whose -device name is an alias. */
const SCSI_TYPES: Readonly<Record<string, string>> = { ...SCSI_DRIVERS, lsilogic: "lsi53c895a" };

function checkScsi(controller: ControllerDef, { def }: DefineContext): void {
	if (controller.model === "ncr53c90") {
		if (controller.index !== 0) unsupported("ncr53c90 can only be used as first SCSI controller");
		if (!hasBuiltinEsp(def)) unsupported("ncr53c90 SCSI controller is not a built-in for this machine");
	}
	const iothread = controller.driver?.iothread;
	if (iothread === undefined) return;
	if (controller.address && controller.address.type !== "pci" && controller.address.type !== "ccw")
		unsupported("virtio-scsi IOThreads only available for virtio pci and virtio ccw controllers");
	if (!def.iothreadids.some(({ id }) => id === iothread))
		unsupported(`controller iothread '${iothread}' not defined in iothreadid`);
}

/** Ranges of a PCI controller's numbers; QEMU's own limits. */
const RANGES = {
	index: [0, 30],
	chassisNr: [1, 255],
	chassis: [0, 255],
	port: [0, 255],
	busNr: [1, 254],
} as const;

function checkPciNumbers({ model, index = 0, address, target }: ControllerDef): void {
	if ((model === "pci-root" || model === "pcie-root") && address)
		unsupported("pci-root and pcie-root controllers should not have an address");
	for (const [name, [min, max]] of Object.entries(RANGES)) {
		const value = target?.[name as keyof typeof RANGES];
		if (value !== undefined && (value < min || value > max))
			unsupported(`PCI controller ${name} '${value}' out of range - must be ${min}-${max}`);
	}
	if (target?.index !== undefined && (index === 0) !== (target.index === 0))
		unsupported("Only the PCI controller with index 0 can have target index 0, and vice versa");
	if (target?.node !== undefined && index === 0)
		unsupported("The PCI controller with index=0 can't be associated with a NUMA node");
}

type Option = "chassisNr" | "chassis" | "port" | "busNr" | "index" | "hotplug" | "node" | "memReserve";

interface PciRules {
	readonly names: readonly PciModelName[];
	/** What it must have; assigned where the document does not say. */
	readonly needs?: readonly Option[];
	readonly may?: readonly Option[];
}

const PORT_NEEDS = ["chassis", "port"] as const;

/** Options that each model of PCI controller has. */
const PCI_RULES: Readonly<Record<PciControllerModel, PciRules>> = {
	"pci-root": { names: [], may: ["hotplug"] },
	"pcie-root": { names: [] },
	"pci-bridge": { names: ["pci-bridge"], needs: ["chassisNr"] },
	"dmi-to-pci-bridge": { names: ["i82801b11-bridge"] },
	"pcie-to-pci-bridge": { names: ["pcie-pci-bridge"] },
	"pcie-root-port": { names: ["ioh3420", "pcie-root-port"], needs: PORT_NEEDS, may: ["hotplug", "memReserve"] },
	"pcie-switch-upstream-port": { names: ["x3130-upstream"] },
	"pcie-switch-downstream-port": { names: ["xio3130-downstream"], needs: PORT_NEEDS, may: ["hotplug"] },
	"pci-expander-bus": { names: ["pxb"], needs: ["busNr"], may: ["node"] },
	"pcie-expander-bus": { names: ["pxb-pcie"], needs: ["busNr"], may: ["node"] },
};

/** A host bridge of a pSeries machine; the first one is the machine's own. */
const HOST_BRIDGE: PciRules = { names: ["spapr-pci-host-bridge"], needs: ["index"], may: ["hotplug", "node"] };

const OPTIONS: readonly Option[] = ["index", "busNr", "node", "chassisNr", "chassis", "port", "hotplug", "memReserve"];

function checkPci(controller: ControllerDef, context: DefineContext): void {
	const { index, modelName } = controller;
	const model = controller.model as PciControllerModel;
	const pseries = isMachine(context.def, "pseries");
	const rules = model === "pci-root" && pseries ? HOST_BRIDGE : PCI_RULES[model];
	const name = modelName?.name;
	const where = `PCI controller with index '${index}', model '${model}' and modelName '${name ?? "none"}'`;
	if (name === undefined && rules.names.length > 0)
		throw new VirtError("INTERNAL_ERROR", `Required option 'modelName' is not set for ${where}`);
	if (name !== undefined && !rules.names.includes(name as PciModelName))
		unsupported(`Option 'modelName' has invalid value for ${where}`);
	const isRoot = model === "pci-root" || model === "pcie-root";
	if (isRoot !== (index === 0) && rules !== HOST_BRIDGE)
		unsupported(`Index for '${model}' controllers must be ${isRoot ? "0" : "> 0"}`);
	checkHole(controller, context);
	checkOptions(controller, rules, where);
	checkPciDevice(controller, context);
}

function checkHole({ model, pcihole64 }: ControllerDef, { def }: DefineContext): void {
	if (pcihole64 === undefined) return;
	if (!isMachine(def, model === "pci-root" ? "i440fx" : "q35"))
		unsupported(`Setting the 64-bit PCI hole size is not supported for machine '${machineOf(def)}'`);
}

function checkOptions({ target }: ControllerDef, { needs = [], may = [] }: PciRules, where: string): void {
	for (const option of OPTIONS) {
		const value = target?.[option];
		if (value === undefined && needs.includes(option))
			throw new VirtError("INTERNAL_ERROR", `Required option '${option}' is not set for ${where}`);
		if (value !== undefined && !needs.includes(option) && !may.includes(option))
			unsupported(`Option '${option}' is not valid for ${where}`);
	}
	if (target?.node !== undefined && target.index === 0) unsupported(`Option 'node' is not valid for ${where}`);
}

function checkPciDevice({ model, modelName, target }: ControllerDef, { caps }: DefineContext): void {
	const name = modelName?.name;
	if (target?.hotplug !== undefined) {
		const known =
			model === "pci-root"
				? caps.has("PIIX4_PM", "acpi-root-pci-hotplug")
				: caps.has(name ?? "pcie-root-port", "hotplug");
		if (!known)
			unsupported(`setting the 'hotplug' property on a '${name ?? model}' device is not supported by this QEMU binary`);
	}
	if (name !== undefined && !caps.has(name)) unsupported(`The '${name}' device is not supported by this QEMU binary`);
}

/** Throws XML_ERROR where two controllers of one type have the same index; USB companions share theirs. */
export function refuseDuplicateControllers({ def }: DefineContext): void {
	const seen = new Set<string>();
	for (const each of def.devices.controllers) {
		const { type, index } = each;
		if (type === "usb") continue;
		const name = `${type} ${index}`;
		atElement(each, () => {
			if (seen.has(name)) throw new VirtError("XML_ERROR", `Multiple '${type}' controllers with index '${index}'`);
		});
		seen.add(name);
	}
}
