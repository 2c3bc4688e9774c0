// Controllers: what the document leaves out of them, what cannot be had, and their -device options.

import { VirtError } from "@virtkit/base/errors";
import type { ControllerDef, PciControllerModel } from "@virtkit/model/domain/controller";
import { defaultScsiModel, defaultUsbModel, findController, isUsb2 } from "../addresses/controllers.ts";
import { controllerConnection } from "../addresses/pci-bus.ts";
import { conventionalSlot, expressSlot, impossibleSlot, virtioSlot } from "../addresses/pci-need.ts";
import { hasBuiltinIde, isMachine } from "../machine.ts";
import { buildController, controllersInBuildOrder } from "./controller-build.ts";
import { checkController } from "./controller-check.ts";
import type { ChipsetSlot, DefineContext, DeviceEntry, PciFunction, PciNeed } from "./entry.ts";
import { pciControllerAlias } from "./pci-bus-name.ts";
import { isDescribedBy } from "./plug-find.ts";

const VIRTIO_SCSI: ReadonlySet<string | undefined> = new Set([
	"virtio-scsi",
	"virtio-transitional",
	"virtio-non-transitional",
]);
/** Most ports of an xHCI controller. */
const XHCI_MAX_PORTS = 15;

function completeController(controller: ControllerDef, context: DefineContext): void {
	COMPLETE[controller.type]?.(controller, context);
	const isVirtioScsi = controller.type === "scsi" && VIRTIO_SCSI.has(controller.model);
	if (controller.driver?.iothread !== undefined && !isVirtioScsi)
		throw new VirtError("XML_ERROR", "'iothread' attribute only supported for virtio scsi controllers");
}

const COMPLETE: Partial<Record<ControllerDef["type"], (controller: ControllerDef, context: DefineContext) => void>> = {
	scsi: (controller, context) => {
		if (controller.model === undefined || controller.model === "auto")
			controller.model = defaultScsiModel(context, controller.index);
	},
	usb: completeUsb,
	pci: completePci,
};

function completeUsb(controller: ControllerDef, context: DefineContext): void {
	if (controller.model === undefined) {
		const model = defaultUsbModel(context, controller);
		if (model !== undefined) controller.model = model;
	}
	const { model, ports = 0 } = controller;
	if (model === "qusb1" || model === "qusb2")
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`USB controller model type 'qusb1' or 'qusb2' is not supported in ${context.def.type}`,
		);
	if ((model === "nec-xhci" || model === "qemu-xhci") && ports > XHCI_MAX_PORTS)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`'${model}' controller only supports up to '${XHCI_MAX_PORTS}' ports, not ${ports}`,
		);
}

function completePci({ model, index, target }: ControllerDef, { def }: DefineContext): void {
	if ((model === "pci-root" || model === "pcie-root") && index !== 0 && !isMachine(def, "pseries"))
		throw new VirtError("XML_ERROR", "pci-root and pcie-root controllers should have index 0");
	if (model === "pci-expander-bus" && !isMachine(def, "i440fx"))
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			"pci-expander-bus controllers are only supported on 440fx-based machinetypes",
		);
	if (model === "pcie-expander-bus" && !isMachine(def, "q35") && !isMachine(def, "armVirt"))
		throw new VirtError("CONFIG_UNSUPPORTED", "pcie-expander-bus controllers are not supported with this machine type");
	const nodes = def.cpu?.numa?.cell.length ?? 0;
	if (target?.node !== undefined && target.node >= nodes)
		throw new VirtError(
			"XML_ERROR",
			`${model} with index ${index} is configured for a NUMA node (${target.node}) not present in the domain's <cpu><numa> array (${nodes})`,
		);
}

function pciNeed(controller: ControllerDef, context: DefineContext): PciNeed | undefined {
	return NEEDS[controller.type]?.(controller, context);
}

const NEEDS: Partial<Record<ControllerDef["type"], (c: ControllerDef, context: DefineContext) => PciNeed | undefined>> =
	{
		pci: ({ model }) => {
			const connection = controllerConnection(model as PciControllerModel | undefined);
			return connection && { connection, automatic: false, aggregate: connection === "pcie-root-port" };
		},
		nvme: (_, context) => expressSlot(context),
		xenbus: impossibleSlot,
		isa: impossibleSlot,
		sata: conventionalSlot,
		// The first is part of the chipset.
		ide: ({ index }) => (index === 0 ? undefined : conventionalSlot()),
		usb: ({ model }, context) => {
			if (model === "none" || model === "qusb1" || model === "qusb2") return undefined;
			return model === "nec-xhci" || model === "qemu-xhci" ? expressSlot(context) : conventionalSlot();
		},
		scsi: ({ model }, context) => {
			if (model === undefined) return impossibleSlot();
			if (model === "ncr53c90") return undefined;
			return model === "virtio-scsi" || model === "virtio-non-transitional" ? virtioSlot(context) : conventionalSlot();
		},
		"virtio-serial": ({ model }, context) => virtioSlot(context, model),
	};

/** Functions of the slot that EHCI and its companions share. */
const USB2_FUNCTIONS: Readonly<Record<string, PciFunction>> = {
	"ich9-ehci1": { function: 7 },
	"ich9-uhci1": { function: 0, multifunction: true },
	"ich9-uhci2": { function: 1 },
	"ich9-uhci3": { function: 2 },
};

function pciFunction(controller: ControllerDef, { def }: DefineContext): PciFunction | undefined {
	const own = isUsb2(controller) ? USB2_FUNCTIONS[controller.model ?? ""] : undefined;
	const companion = def.devices.controllers.find(
		(each) => isUsb2(each) && each.index === controller.index && each.address?.type === "pci" && hasPlace(each),
	);
	return own && companion?.address?.type === "pci" ? { ...own, beside: companion.address } : own;
}

function hasPlace({ address }: ControllerDef): boolean {
	return address?.type === "pci" && (address.domain > 0 || address.bus > 0 || address.slot > 0);
}

const isPiix3Usb = ({ type, index, model }: ControllerDef): boolean =>
	type === "usb" && index === 0 && (model === undefined || model === "piix3-uhci");

function chipsetSlot(controller: ControllerDef, context: DefineContext): ChipsetSlot | undefined {
	const { type, index, model } = controller;
	if (isMachine(context.def, "i440fx")) {
		if (type === "ide" && index === 0) return { slots: [1], function: 1, fixed: "Primary IDE controller" };
		if (isPiix3Usb(controller)) return { slots: [1], function: 2, fixed: "PIIX3 USB controller at index 0" };
		return undefined;
	}
	if (type === "sata" && index === 0) return { slots: [0x1f], function: 2, fixed: "Primary SATA controller" };
	if (type === "usb" && model === "ich9-uhci1") return { slots: [0x1d, 0x1a], multifunction: true };
	return type === "pci" && model === "dmi-to-pci-bridge" ? { slots: [0x1e] } : undefined;
}

/** PIIX3's own IDE and USB functions, which are not counted as taken by the document. */
function isPiix3Function(controller: ControllerDef): boolean {
	const { type, index, address } = controller;
	if (address?.type !== "pci" || address.domain !== 0 || address.bus !== 0 || address.slot !== 1) return false;
	if (type === "ide") return index === 0 && address.function === 1;
	return isPiix3Usb(controller) && address.function === 2;
}

/** First register of SCSI controllers on pSeries' virtual bus. */
const SPAPR_VSCSI_REGISTER = 0x2000;

function alias(controller: ControllerDef, { def }: DefineContext): string {
	const { type, index = 0, model } = controller;
	if (type === "pci") return pciControllerAlias(controller, def);
	if (index === 0) {
		if (type === "ide" && hasBuiltinIde(def)) return "ide";
		if (type === "sata" && isMachine(def, "q35")) return "ide";
		if (type === "usb") return "usb";
		if (type === "scsi" && model === "ncr53c90") return "scsi";
	}
	return `${type}${index}`;
}

function refuseAllButScsi(type: string, live: boolean, what: string): void {
	if (live && type !== "scsi") throw new VirtError("OPERATION_UNSUPPORTED", `'${type}' controller cannot be ${what}.`);
}

export const controller: DeviceEntry<ControllerDef> = {
	kind: "controller",
	list: (def) => def.devices.controllers,
	alias: (device, _, context) => alias(device, context),
	complete: completeController,
	check: checkController,
	pci: pciNeed,
	pciFunction,
	chipset: (device, _, context) => chipsetSlot(device, context),
	chipsetOwns: isPiix3Function,
	usb: ({ type }) => type === "ccid",
	hotplug: {
		checkAttach: ({ type, index }, { def }, live) => {
			refuseAllButScsi(type, live, "hot plugged");
			if (index === undefined || !findController(def, type, index)) return;
			if (live) throw new VirtError("OPERATION_FAILED", `target ${type}:${index} already exists`);
			throw new VirtError("OPERATION_INVALID", `controller index='${index}' already exists`);
		},
		checkDetach: ({ type }) => refuseAllButScsi(type, true, "hot unplugged"),
		find: (wanted, { def }, live) => {
			refuseAllButScsi(wanted.type, live, "hot unplugged");
			const found = def.devices.controllers.find((each) => isDescribedBy(wanted, each));
			if (found) return found;
			const what = live
				? `controller ${wanted.type}:${wanted.index} not found`
				: "device not present in domain configuration";
			throw new VirtError("DEVICE_MISSING", what);
		},
	},
	spaprVio: ({ type, model }) => ({
		register: SPAPR_VSCSI_REGISTER,
		always: type === "scsi" && model === "ibmvscsi",
	}),
	virtio: ({ type }) => type === "virtio-serial" || type === "scsi",
	build: buildController,
};

/** Gives a model to SCSI controllers that were added because disks need them. */
export function completeScsiControllers(context: DefineContext): void {
	for (const each of context.def.devices.controllers)
		if (each.type === "scsi" && each.model === undefined) completeController(each, context);
}

/** Controllers as the command line has them: type by type. */
export const builtControllers: DeviceEntry<ControllerDef> = { ...controller, list: controllersInBuildOrder };
/** Smartcard readers, which come behind the USB hubs that they may be plugged into. */
export const builtSmartcardReaders: DeviceEntry<ControllerDef> = {
	...controller,
	list: ({ devices }) => devices.controllers.filter(({ type }) => type === "ccid"),
};
