// Controllers that a definition does not name but has: those of the machine, and those that disks and channels need.

import { VirtError } from "@virtkit/base/errors";
import type { ControllerDef, ControllerModel, ControllerType } from "@virtkit/model/domain/controller";
import type { DiskBus } from "@virtkit/model/domain/disk";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { atElement } from "@virtkit/xml/read";
import type { EmulatorCapabilities } from "../capabilities/emulator.ts";
import type { DefineContext } from "../devices/entry.ts";
import { archOf, hasBuiltinEsp, isArm, isMachine, isPpc64, isRiscv, isS390, type MachineFamily } from "../machine.ts";

/** More controllers of one type than this are refused, before the addresses of all their ports are worked out. */
const MAX_CONTROLLERS = 1024;

/** EHCI and its UHCI companions, which share one index and one PCI slot. */
const USB2_MODELS: ReadonlySet<string | undefined> = new Set(["ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3"]);

/** Whether the controller is an ICH9 EHCI or one of its companions. */
export function isUsb2({ type, model }: ControllerDef): boolean {
	return type === "usb" && USB2_MODELS.has(model);
}

/** The controller of that type and index. */
export function findController(def: DomainDef, type: ControllerType, index: number): ControllerDef | undefined {
	return def.devices.controllers.find((each) => each.type === type && each.index === index);
}

/** Adds a controller; at the lowest free index where none is given. */
export function addController(
	def: DomainDef,
	type: ControllerType,
	index?: number,
	model?: ControllerModel,
): ControllerDef {
	const added: ControllerDef = { type, index: index ?? unusedIndex(def, type) };
	if (model !== undefined) added.model = model;
	def.devices.controllers.push(added);
	return added;
}

/** The controller of that type and index, added where there is none. */
export function ensureController(
	def: DomainDef,
	type: ControllerType,
	index: number,
	model?: ControllerModel,
): ControllerDef {
	return findController(def, type, index) ?? addController(def, type, index, model);
}

function unusedIndex(def: DomainDef, type: ControllerType): number {
	let index = 0;
	while (findController(def, type, index)) index++;
	return index;
}

/** Gives controllers without an index the lowest free one of their type; USB 2 companions that of the controller before them. */
export function assignControllerIndexes(def: DomainDef): void {
	const all = def.devices.controllers;
	for (const [position, each] of all.entries())
		each.index ??= companionIndex(all, position, each) ?? unusedIndex(def, each.type);
}

function companionIndex(
	all: readonly ControllerDef[],
	position: number,
	controller: ControllerDef,
): number | undefined {
	if (!isUsb2(controller)) return undefined;
	const before = all.slice(0, position).findLast(({ type }) => type === "usb");
	if (!before || !isUsb2(before)) return undefined;
	const taken = all.some(
		({ type, index, model }) => type === "usb" && index === before.index && model === controller.model,
	);
	return taken ? undefined : before.index;
}

/** What a machine has without being told. */
interface MachineBuses {
	readonly root?: "pci-root" | "pcie-root";
	readonly sata?: boolean;
	/** Model of the USB controller: the emulator's default where undefined, none where false. */
	readonly usb?: ControllerModel | false;
}

const NO_USB: MachineBuses = { usb: false };
const PCI: MachineBuses = { root: "pci-root" };

/** The newest USB generation that q35 guests can be given. */
function q35Usb(caps: EmulatorCapabilities): ControllerModel | false {
	if (caps.has("qemu-xhci")) return "qemu-xhci";
	if (caps.has("nec-usb-xhci")) return "nec-xhci";
	return caps.has("ich9-usb-ehci1") && "ich9-ehci1";
}

const virtBuses = (caps: EmulatorCapabilities): MachineBuses =>
	caps.has("gpex-pcihost") ? { root: "pcie-root", usb: false } : NO_USB;

const BY_MACHINE: readonly (readonly [MachineFamily, (caps: EmulatorCapabilities) => MachineBuses])[] = [
	["isapc", () => NO_USB],
	["q35", (caps) => ({ root: "pcie-root", sata: true, usb: q35Usb(caps) })],
	["i440fx", () => PCI],
	["versatilepb", () => ({ root: "pci-root", usb: false })],
	["armVirt", virtBuses],
	["riscvVirt", virtBuses],
	["malta", () => PCI],
];

/** Architectures whose every machine has a PCI root. */
const PCI_ARCHES = ["ppc64", "ppc64le", "alpha", "ppc", "ppcemb", "sh4", "sh4eb", "sparc64"];

function machineBuses({ def, caps }: DefineContext): MachineBuses {
	const family = BY_MACHINE.find(([name]) => isMachine(def, name));
	if (family) return family[1](caps);
	if (isS390(def)) return caps.has("zpci") ? { root: "pci-root", usb: false } : NO_USB;
	if (isArm(def) || isRiscv(def) || archOf(def) === "sparc") return NO_USB;
	return PCI_ARCHES.includes(archOf(def)) ? PCI : {};
}

/** Adds the controllers that the guest's machine has: USB, SATA, the PCI root. */
export function addMachineControllers(context: DefineContext): void {
	const { def } = context;
	const { root, sata, usb } = machineBuses(context);
	if (usb !== false && !findController(def, "usb", 0)) addUsbController(def, 0, usb);
	if (sata) ensureController(def, "sata", 0);
	if (root === undefined) return;
	const first = ensureController(def, "pci", 0, root);
	if (first.model === root) return;
	atElement(first, () => {
		const wanted = `must be model='${root}' for this machine type`;
		throw new VirtError(
			"XML_ERROR",
			`The PCI controller with index='0' ${wanted}, but model='${first.model}' was found instead`,
		);
	});
}

/** Ports at which the companions of an ICH9 EHCI controller begin. */
const COMPANIONS = [
	["ich9-uhci1", 0],
	["ich9-uhci2", 2],
	["ich9-uhci3", 4],
] as const;

/** Adds a USB controller, with the companions of an ICH9 EHCI one. */
export function addUsbController(def: DomainDef, index: number, model: ControllerModel | undefined): void {
	addController(def, "usb", index, model);
	if (model !== "ich9-ehci1") return;
	for (const [companion, startport] of COMPANIONS) addController(def, "usb", index, companion).master = { startport };
}

const DISK_CONTROLLERS: readonly (readonly [ControllerType, DiskBus])[] = [
	["scsi", "scsi"],
	["fdc", "fdc"],
	["ide", "ide"],
	["sata", "sata"],
	["nvme", "nvme"],
];

/** Adds the controllers that disks on IDE, SCSI, SATA and floppy buses are plugged into. */
export function addDiskControllers(def: DomainDef): void {
	for (const [type, bus] of DISK_CONTROLLERS) {
		const indexes = def.devices.disks.flatMap(({ target, address }) =>
			target.bus === bus && address?.type === "drive" ? [address.controller] : [],
		);
		ensureControllersUpTo(def, type, Math.max(-1, ...indexes));
	}
}

/** Adds controllers of that type so that there is one for each index up to `last`. Throws XML_ERROR for absurd numbers. */
export function ensureControllersUpTo(
	def: DomainDef,
	type: ControllerType,
	last: number,
	model?: ControllerModel,
): void {
	if (last >= MAX_CONTROLLERS)
		throw new VirtError(
			"XML_ERROR",
			`address names ${type} controller ${last}, but only ${MAX_CONTROLLERS} are allowed`,
		);
	for (let index = 0; index <= last; index++) ensureController(def, type, index, model);
}

/** Whether the guest has USB: a controller of any model but `none`. */
export function hasUsb(def: DomainDef): boolean {
	return def.devices.controllers.some(({ type, model }) => type === "usb" && model !== "none");
}

/** QEMU's virtio SCSI controllers: any of them will do to know that it has them. */
export const VIRTIO_SCSI_TYPES = ["virtio-scsi-pci", "virtio-scsi-ccw", "virtio-scsi-device"];

/** The model a SCSI controller without one gets. Throws INTERNAL_ERROR where the emulator has none. */
export function defaultScsiModel({ def, caps }: DefineContext, index: number | undefined): ControllerModel {
	if (isMachine(def, "pseries")) return "ibmvscsi";
	if (isS390(def)) return "virtio-scsi";
	if (caps.has("lsi53c895a")) return "lsilogic";
	if (VIRTIO_SCSI_TYPES.some((type) => caps.has(type))) return "virtio-scsi";
	if (hasBuiltinEsp(def)) return "ncr53c90";
	throw new VirtError("INTERNAL_ERROR", `Unable to determine model for SCSI controller idx=${index}`);
}

/** The model a USB controller without one gets; undefined for whatever `-usb` makes. */
export function defaultUsbModel(
	{ def, caps, fresh }: DefineContext,
	controller: ControllerDef,
): ControllerModel | undefined {
	const piix3 = caps.has("piix3-usb-uhci") ? "piix3-uhci" : undefined;
	const xhci = caps.has("qemu-xhci") ? "qemu-xhci" : caps.has("nec-usb-xhci") ? "nec-xhci" : undefined;
	if (isS390(def)) return controller.address === undefined ? "none" : piix3;
	if (isPpc64(def)) return (fresh ? xhci : undefined) ?? (caps.has("pci-ohci") ? "pci-ohci" : undefined);
	if (archOf(def) === "aarch64") return xhci ?? piix3;
	return piix3;
}
