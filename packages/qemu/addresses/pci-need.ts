// What kind of PCI slot a device asks for, from what it is and what the machine has.

import type { ControllerDef } from "@virtkit/model/domain/controller";
import type { DefineContext, PciNeed } from "../devices/entry.ts";

const CONVENTIONAL: PciNeed = { connection: "pci", automatic: true };
const EXPRESS: PciNeed = { connection: "pcie", automatic: true };

function rootModel({ def }: DefineContext): ControllerDef["model"] {
	return def.devices.controllers.find(({ type, index }) => type === "pci" && index === 0)?.model;
}

/** Whether the guest's root bus is PCI Express. */
export const hasPcieRoot = (context: DefineContext): boolean => rootModel(context) === "pcie-root";
/** Whether the guest's root bus is conventional PCI. */
export const hasPciRoot = (context: DefineContext): boolean => rootModel(context) === "pci-root";

/** The need of a device that wants a PCI slot although no bus takes it. */
export const impossibleSlot = (): PciNeed => ({ connection: "none", automatic: false });

/** The need of a conventional PCI device. */
export const conventionalSlot = (): PciNeed => CONVENTIONAL;

/** The need of a PCI Express device: a conventional slot in a machine without PCI Express. */
export const expressSlot = (context: DefineContext): PciNeed => (hasPcieRoot(context) ? EXPRESS : CONVENTIONAL);

/** The need of a virtio device of that model: transitional ones only work in conventional slots. */
export function virtioSlot(context: DefineContext, model?: string): PciNeed {
	if (model === "virtio-transitional") return CONVENTIONAL;
	return context.caps.has("virtio-blk-pci-transitional") ? expressSlot(context) : CONVENTIONAL;
}
