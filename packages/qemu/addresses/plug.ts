// Where a device sits that is plugged into a running guest: whatever else the guest has stays where it is.

import type { DeviceInfo } from "@virtkit/model/domain/device-common";
import type { DefineContext, DeviceEntry } from "../devices/entry.ts";
import { assignMemorySlots } from "../devices/memory.ts";
import { placePlugged, runningPciBuses } from "./pci-assign.ts";
import { assignSpaprVioAddresses } from "./spapr-vio.ts";
import { plugIntoUsb } from "./usb-ports.ts";
import { assignCcwAddresses, assignMmioAddresses } from "./virtio-bus.ts";
import { assignVirtioSerialPorts } from "./virtio-serial.ts";

/**
 * Gives `device` its address. `without` is the running guest; `withIt` the same with the device in it, where buses on
 * which nobody else can lack an address are assigned as in any definition.
 *
 * Throws XML_ERROR where it names a place that is taken or takes no such device, INTERNAL_ERROR where there is no room.
 */
export function assignPlugAddress(
	entry: DeviceEntry<DeviceInfo>,
	device: DeviceInfo,
	without: DefineContext,
	withIt: DefineContext,
): void {
	assignVirtioSerialPorts(withIt);
	assignSpaprVioAddresses(withIt);
	assignCcwAddresses(withIt);
	assignMmioAddresses(withIt);
	const buses = runningPciBuses(without);
	if (buses) placePlugged(entry, device, without, buses);
	if (entry.usb?.(device, without)) plugIntoUsb(device, without);
	assignMemorySlots(withIt);
}
