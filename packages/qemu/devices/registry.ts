// Every kind of device the driver knows, in the orders that matter: completing, default devices, addresses, command line.

import type { DeviceEntry, DomainStep } from "./entry.ts";

/** Any kind's entry, seen without its type of definition. */
export type AnyEntry = DeviceEntry<object>;

/** Order in which devices are completed and checked (libvirt's device iteration). */
export const COMPLETED: readonly AnyEntry[] = [
	// disk, interface, sound, hostdev, video, controller, smartcard, serial, parallel, channel, console, input, filesystem,
	// watchdog, memballoon, rng, nvram, hub, shmem, tpm, panic, memory, redirdev, iommu, vsock, graphics, audio, lease
];

/** Devices the driver gives a guest that names none (libvirt's qemuDomainDefAddDefaultDevices), before any is completed. */
export const DEFAULT_DEVICES: readonly DomainStep[] = [
	// inputs (ps2), controllers (usb, sata, pci root), memballoon, inputs (usb), panic, audio
];

/** Devices that others imply (libvirt's virDomainDefAddImplicitDevices), after all are completed. */
export const IMPLIED_DEVICES: readonly DomainStep[] = [
	// consoles from serials, controllers of disks, channels and smartcards, video of graphics
];

/** Checks that concern devices of several kinds, before each device is checked. */
export const DOMAIN_CHECKS: readonly DomainStep[] = [];

/** Gives every device its address. */
export const ADDRESSES: readonly DomainStep[] = [];

/** Order of devices on the command line (libvirt's qemuBuildCommandLine), up to memballoon, rng and nvram. */
export const BUILT: readonly AnyEntry[] = [
	// iommu, controller, memory, hub, (ccid controllers), disk, filesystem, interface, smartcard, serial, parallel, channel,
	// console, tpm, input, audio, graphics, video, sound, watchdog, redirdev, hostdev, memballoon, rng, nvram
];

/** Devices whose options come after the sandbox's. */
export const BUILT_LAST: readonly AnyEntry[] = [
	// panic, shmem, vsock
];

/** Makes devices ready for a start, once they have their ids: ports, sockets, secrets, storage nodes. */
export const PREPARED: readonly DomainStep[] = [];
