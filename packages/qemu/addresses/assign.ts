// Address assignment as a whole: every device that the document leaves without a place gets libvirt's.

import type { DefineContext } from "../devices/entry.ts";
import { assignMemorySlots } from "../devices/memory.ts";
import { assignPciAddresses } from "./pci-assign.ts";
import { assignSpaprVioAddresses } from "./spapr-vio.ts";
import { assignUsbPorts } from "./usb-ports.ts";
import { assignCcwAddresses, assignMmioAddresses } from "./virtio-bus.ts";
import { assignVirtioSerialPorts } from "./virtio-serial.ts";

/**
 * Gives the definition's devices addresses, adding the controllers they need.
 *
 * Run once devices and implicit controllers are complete. Throws XML_ERROR where addresses of the document collide or name
 * no slot, INTERNAL_ERROR or CONFIG_UNSUPPORTED where there is no room.
 */
export function assignAddresses(context: DefineContext): void {
	assignVirtioSerialPorts(context);
	assignSpaprVioAddresses(context);
	assignCcwAddresses(context);
	assignMmioAddresses(context);
	assignPciAddresses(context);
	assignUsbPorts(context);
	assignMemorySlots(context);
}
