// How a device's address is spelled in the properties of QEMU's -device and device_add.

import { VirtError } from "@virtkit/base/errors";
import type {
	AddressDef,
	CcwAddress,
	DriveAddress,
	PciAddress,
	UsbAddress,
	VirtioSerialAddress,
} from "@virtkit/model/domain/address";
import type { ControllerDef, ControllerType } from "@virtkit/model/domain/controller";
import type { DeviceInfo } from "@virtkit/model/domain/device-common";
import type { DiskBus } from "@virtkit/model/domain/disk";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { findController } from "../addresses/controllers.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { hasBuiltinIde, isMachine } from "../machine.ts";
import { pciBusName } from "./pci-bus-name.ts";

/** The properties that place `device`; `diskBus` says on which bus a drive address is. */
export function addressProps(device: DeviceInfo, def: DomainDef, diskBus?: DiskBus): JsonObject {
	const { address } = device;
	if (!address) return {};
	const render = PROPS[address.type] as ((address: AddressDef, def: DomainDef) => JsonObject) | undefined;
	if (address.type === "drive") return driveProps(address, def, diskBus);
	const acpiIndex = address.type === "pci" ? device.acpi?.index : undefined;
	return { ...render?.(address, def), "acpi-index": acpiIndex };
}

const PROPS: {
	readonly [T in AddressDef["type"]]?: (address: Extract<AddressDef, { type: T }>, def: DomainDef) => JsonObject;
} = {
	pci: pciProps,
	usb: usbProps,
	ccw: (address) => ({ devno: formatCcw(address) }),
	isa: ({ iobase = 0, irq }) => ({ iobase, irq }),
	dimm: ({ slot, base }) => ({ slot, addr: base }),
	"spapr-vio": ({ reg }) => ({ reg: reg || undefined }),
	"virtio-serial": virtioSerialProps,
};

function pciProps({ bus, slot, function: fn, multifunction }: PciAddress, def: DomainDef): JsonObject {
	const addr = `0x${slot.toString(16)}${fn === 0 ? "" : `.0x${fn.toString(16)}`}`;
	return { bus: pciBusName(bus, def), multifunction, addr };
}

function usbProps({ bus, port }: UsbAddress, def: DomainDef): JsonObject {
	return { bus: `${controllerAlias(def, "usb", bus)}.0`, port: port?.length ? port.join(".") : undefined };
}

function virtioSerialProps({ controller, bus, port }: VirtioSerialAddress, def: DomainDef): JsonObject {
	return { bus: `${controllerAlias(def, "virtio-serial", controller)}.${bus}`, nr: port };
}

/** `fe.0.0001`, the kernel's spelling of a channel device number. */
export function formatCcw({ cssid = 0, ssid = 0, devno = 0 }: CcwAddress): string {
	return `${cssid.toString(16)}.${ssid.toString(16)}.${devno.toString(16).padStart(4, "0")}`;
}

/** The id of the controller of that type and index. Throws INTERNAL_ERROR where there is none. */
export function controllerAlias(def: DomainDef, type: ControllerType, index: number): string {
	const { alias } = neededController(def, type, index);
	if (alias === undefined)
		throw new VirtError("INTERNAL_ERROR", `Device alias was not set for ${type} controller with index ${index}`);
	return alias;
}

function neededController(def: DomainDef, type: ControllerType, index: number): ControllerDef {
	const found = findController(def, type, index);
	if (!found)
		throw new VirtError("INTERNAL_ERROR", `Could not find ${type} controller with index ${index} required for device`);
	return found;
}

/** SCSI controllers with a narrow bus: units are targets. */
const NARROW: ReadonlySet<string | undefined> = new Set(["lsilogic", "ncr53c90", "dc390", "am53c974"]);

type DriveProps = (address: DriveAddress, def: DomainDef) => JsonObject;

const DRIVE_PROPS: Partial<Record<DiskBus, DriveProps>> = {
	ide: ({ controller, bus, unit }, def) => {
		const alias = hasBuiltinIde(def) ? "ide" : controllerAlias(def, "ide", controller);
		return { bus: `${alias}.${bus}`, unit };
	},
	sata: ({ controller, unit }, def) => {
		const builtIn = isMachine(def, "q35") && controller === 0;
		return { bus: `${builtIn ? "ide" : controllerAlias(def, "sata", controller)}.${unit}` };
	},
	fdc: ({ unit }) => ({ unit }),
	nvme: ({ controller, unit }, def) => ({ bus: controllerAlias(def, "nvme", controller), nsid: unit + 1 }),
	scsi: ({ controller, bus, target, unit }, def) => {
		const { model } = neededController(def, "scsi", controller);
		const alias = controllerAlias(def, "scsi", controller);
		if (NARROW.has(model)) return { bus: `${alias}.${bus}`, "scsi-id": unit };
		return { bus: `${alias}.0`, channel: bus, "scsi-id": target, lun: unit };
	},
};

function driveProps(address: DriveAddress, def: DomainDef, bus: DiskBus | undefined): JsonObject {
	const render = bus && DRIVE_PROPS[bus];
	if (!render) throw new VirtError("INTERNAL_ERROR", `address type drive is not supported for bus '${bus ?? ""}'`);
	return render(address, def);
}
