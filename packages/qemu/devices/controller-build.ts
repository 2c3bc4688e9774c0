// The -device options of controllers.

import { VirtError } from "@virtkit/base/errors";
import type { ControllerDef, UsbControllerModel } from "@virtkit/model/domain/controller";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { findController } from "../addresses/controllers.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { hasBuiltinEsp, hasBuiltinIde, isMachine, isS390 } from "../machine.ts";
import { SCSI_DRIVERS } from "./controller-check.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { refuseDevice } from "./device-rule.ts";
import { queueThreads } from "./disk-device.ts";
import type { BuildContext, DefineContext, DeviceEntry, DomainStep } from "./entry.ts";
import { virtioDriver, virtioProps } from "./virtio.ts";

const USB_DRIVERS: Partial<Record<UsbControllerModel, string>> = {
	"piix3-uhci": "piix3-usb-uhci",
	"piix4-uhci": "piix4-usb-uhci",
	ehci: "usb-ehci",
	"ich9-ehci1": "ich9-usb-ehci1",
	"ich9-uhci1": "ich9-usb-uhci1",
	"ich9-uhci2": "ich9-usb-uhci2",
	"ich9-uhci3": "ich9-usb-uhci3",
	"vt82c686b-uhci": "vt82c686b-usb-uhci",
	"pci-ohci": "pci-ohci",
	"nec-xhci": "nec-usb-xhci",
	"qemu-xhci": "qemu-xhci",
};

type Props = (controller: ControllerDef, context: DefineContext) => JsonObject | undefined;

const PROPS: Partial<Record<ControllerDef["type"], Props>> = {
	pci: pciProps,
	usb: usbProps,
	scsi: scsiProps,
	sata: ({ alias }) => ({ driver: "ahci", id: alias }),
	"virtio-serial": (controller, context) => ({
		driver: virtioDriver("virtio-serial", controller, context, controller.model),
		...virtioProps(controller.driver),
		id: controller.alias,
		max_ports: controller.ports,
		vectors: controller.vectors,
	}),
	nvme: ({ alias, serial }) => ({ driver: "nvme", id: alias, serial }),
	ccid: ({ alias }) => ({ driver: "usb-ccid", id: alias }),
};

function pciProps({ model, modelName, target = {}, alias: id }: ControllerDef): JsonObject | undefined {
	const driver = modelName?.name;
	switch (model) {
		case "pci-root":
			return target.index === 0 ? undefined : { driver, index: target.index, id, numa_node: target.node };
		case "pci-bridge":
			return { driver, chassis_nr: target.chassisNr, id };
		case "pci-expander-bus":
		case "pcie-expander-bus":
			return { driver, bus_nr: target.busNr, id, numa_node: target.node };
		case "pcie-root-port":
		case "pcie-switch-downstream-port":
			return {
				driver,
				port: target.port,
				chassis: target.chassis,
				id,
				hotplug: target.hotplug,
				"mem-reserve": target.memReserve && target.memReserve * 1024,
			};
		default:
			return { driver, id };
	}
}

function usbProps(controller: ControllerDef, { def, caps }: DefineContext): JsonObject {
	const { model, ports, master } = controller;
	const driver = USB_DRIVERS[model as UsbControllerModel];
	if (model === undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", `no model provided for USB controller ${controller.index}`);
	if (driver === undefined || !caps.has(driver))
		throw new VirtError("CONFIG_UNSUPPORTED", `USB controller model '${model}' not supported in this QEMU binary`);
	if (ports !== undefined && model !== "nec-xhci" && model !== "qemu-xhci")
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`usb controller type '${model}' doesn't support 'ports' with this QEMU binary`,
		);
	const props = { driver, p2: ports, p3: ports };
	if (!master) return { ...props, id: controller.alias };
	return { ...props, masterbus: `${masterAlias(controller, def)}.0`, firstport: master.startport };
}

function masterAlias({ index }: ControllerDef, def: DomainDef): string {
	const found = def.devices.controllers.find((each) => each.type === "usb" && each.index === index && !each.master);
	if (found?.alias === undefined)
		throw new VirtError("INTERNAL_ERROR", `masterbus not found for USB controller ${index}`);
	return found.alias;
}

function scsiProps(controller: ControllerDef, context: DefineContext): JsonObject {
	const { model = "", alias: id, driver } = controller;
	if (!model.startsWith("virtio-")) return { driver: SCSI_DRIVERS[model], id };
	return {
		driver: virtioDriver("virtio-scsi", controller, context, model === "virtio-scsi" ? undefined : model),
		...virtioProps(driver),
		"iothread-vq-mapping": queueThreads(driver?.iothreads),
		iothread: driver?.iothread === undefined ? undefined : `iothread${driver.iothread}`,
		id,
		num_queues: driver?.queues,
		cmd_per_lun: driver?.cmd_per_lun,
		max_sectors: driver?.max_sectors,
		ioeventfd: driver?.ioeventfd,
	};
}

/** The properties of the controller as a device of its own; undefined where it is part of the machine. */
export function controllerProps(controller: ControllerDef, context: DefineContext): JsonObject | undefined {
	if (isBuiltIn(controller, context.def)) return undefined;
	const props = PROPS[controller.type];
	if (!props) {
		if (controller.type === "fdc") return undefined;
		throw new VirtError("CONFIG_UNSUPPORTED", `Unsupported controller type: ${controller.type}`);
	}
	const own = props(controller, context);
	return own && { ...own, ...addressProps(controller, context.def) };
}

function isBuiltIn({ type, model, index }: ControllerDef, def: DomainDef): boolean {
	if (type === "pci") return model === "pcie-root" || (model === "pci-root" && !isMachine(def, "pseries"));
	if (type === "usb") return model === "none" || (model === undefined && !isLegacyFree(def));
	if (index !== 0) return false;
	if (type === "sata") return isMachine(def, "q35");
	if (type === "ide") return hasBuiltinIde(def);
	return type === "scsi" && model === "ncr53c90" && hasBuiltinEsp(def);
}

/** Machines that never had `-usb`. */
function isLegacyFree(def: DomainDef): boolean {
	return isMachine(def, "q35") || isMachine(def, "armVirt") || isMachine(def, "riscvVirt");
}

export function buildController(controller: ControllerDef, context: BuildContext): void {
	const { type, model, index, target } = controller;
	if (type === "pci" && model === "pci-root" && index === 0 && target?.hotplug !== undefined)
		context.command.add("-global", `PIIX4_PM.acpi-root-pci-hotplug=${target.hotplug ? "on" : "off"}`);
	const props = controllerProps(controller, context);
	if (props) addDevice(controller, props, context);
}

/** A controller of NVMe disks has the serial number that its disks name. Throws CONFIG_UNSUPPORTED for two of one controller. */
export const copyNvmeSerials: DomainStep = ({ def }) => {
	for (const disk of def.devices.disks) {
		if (disk.target.bus !== "nvme" || disk.address?.type !== "drive" || disk.serial === undefined) continue;
		const holder = findController(def, "nvme", disk.address.controller);
		if (!holder) continue;
		holder.serial ??= disk.serial;
		if (holder.serial !== disk.serial)
			refuseDevice(disk, `serial '${disk.serial}' of an NVMe disk is not that of its controller, '${holder.serial}'`);
	}
};

/** Types in the order of the command line; smartcard readers come later, behind the hubs. */
const BUILD_ORDER: readonly ControllerDef["type"][] = ["pci", "usb", "scsi", "ide", "sata", "virtio-serial", "nvme"];

/** Controllers in the order of the command line. */
export function controllersInBuildOrder({ devices }: DomainDef): ControllerDef[] {
	return BUILD_ORDER.flatMap((type) => devices.controllers.filter((controller) => controller.type === type));
}

/** `-usb`, for a guest whose only USB controller has no model. */
export const legacyUsb: DeviceEntry<object> = {
	kind: "the machine's own USB controller",
	list: (def) => (needsLegacyUsb(def) ? [def.devices] : []),
	alias: () => "usb",
	build: (_, { command }) => command.add("-usb"),
};

function needsLegacyUsb(def: DomainDef): boolean {
	const usb = def.devices.controllers.filter(({ type }) => type === "usb");
	if (usb.some(({ model }) => model === "none")) return false;
	const legacy = usb.filter(({ model }) => model === undefined);
	if (legacy.length > 1) throw new VirtError("CONFIG_UNSUPPORTED", "Multiple legacy USB controllers are not supported");
	return usb.length === legacy.length && !isLegacyFree(def) && !isS390(def);
}

/** Host bridges whose room for 64-bit PCI addresses can be set, by the model of the root bus. */
const HOST_BRIDGES: Readonly<Record<string, string>> = { "pci-root": "i440FX-pcihost", "pcie-root": "q35-pcihost" };

/** The room for 64-bit PCI addresses above the guest's memory: a property of the host bridge that the machine has anyway. */
export const pciHoles: DeviceEntry<ControllerDef> = {
	kind: "64-bit PCI hole",
	list: (def) => def.devices.controllers.filter(({ pcihole64 }) => pcihole64 !== undefined),
	alias: () => "pci",
	build: ({ model, pcihole64 }, { command }) => {
		const bridge = HOST_BRIDGES[model ?? ""];
		if (bridge === undefined)
			throw new VirtError("INTERNAL_ERROR", "64-bit PCI hole setting is only for root PCI controllers");
		command.add("-global", `${bridge}.pci-hole64-size=${pcihole64}K`);
	},
};
