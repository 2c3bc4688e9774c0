// In which order kinds of devices get addresses: libvirt's own, since the guest sees the outcome.

import type { AddressType } from "@virtkit/model/domain/address";
import type { DeviceInfo } from "@virtkit/model/domain/device-common";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { EmulatorCapabilities } from "../capabilities/emulator.ts";
import { channel } from "../devices/channel.ts";
import { consoleEntry } from "../devices/console.ts";
import { controller } from "../devices/controller.ts";
import { crypto } from "../devices/crypto.ts";
import { disk } from "../devices/disk.ts";
import type { DeviceEntry } from "../devices/entry.ts";
import { filesystem } from "../devices/filesystem.ts";
import { hostdev } from "../devices/hostdev.ts";
import { addHub, hub } from "../devices/hub.ts";
import { input } from "../devices/input.ts";
import { networkInterface } from "../devices/interface.ts";
import { iommu } from "../devices/iommu.ts";
import { memballoon } from "../devices/memballoon.ts";
import { memory } from "../devices/memory.ts";
import { nvram } from "../devices/nvram.ts";
import { pstore } from "../devices/pstore.ts";
import { redirdev } from "../devices/redirdev.ts";
import { COMPLETED } from "../devices/registry.ts";
import { rng } from "../devices/rng.ts";
import { serial } from "../devices/serial.ts";
import { shmem } from "../devices/shmem.ts";
import { sound } from "../devices/sound.ts";
import { tpm } from "../devices/tpm.ts";
import { video } from "../devices/video.ts";
import { vsock } from "../devices/vsock.ts";
import { watchdog } from "../devices/watchdog.ts";

export type AddressedEntry = DeviceEntry<DeviceInfo>;

/** The first console of a machine may be its first serial port under another name: the port's address is counted once. */
function withoutSerialConsole(entry: AddressedEntry): AddressedEntry {
	if (entry.kind !== "console") return entry;
	const isCopy = ({ os, devices }: DomainDef): boolean => {
		const type = devices.consoles[0]?.target.type;
		return os.type.type === "hvm" && (type === undefined || type === "serial");
	};
	return { ...entry, list: (def) => entry.list(def).slice(isCopy(def) ? 1 : 0) };
}

/** Every kind, in the order in which addresses of the document are counted as taken. */
export const ENTRIES: readonly AddressedEntry[] = COMPLETED.map(withoutSerialConsole);

/** One kind, or those of it that `only` picks, in the order of PCI slots. */
export interface PciStep {
	readonly entry: AddressedEntry;
	readonly only?: (device: DeviceInfo) => boolean;
	/** Whether a device whose address is of no PCI kind may have that one; any may unless told. */
	readonly mayHave?: (type: AddressType, caps: EmulatorCapabilities) => boolean;
}

/** An interface that is a device of the host, which gets its slot among those. */
const isHostInterface = (device: DeviceInfo): boolean => "type" in device && device.type === "hostdev";
const isPci = (device: DeviceInfo): boolean => "type" in device && device.type === "pci";

/** Order in which devices get PCI slots (libvirt's qemuDomainAssignDevicePCISlots). */
export const PCI_STEPS: readonly PciStep[] = [
	{ entry: controller, only: isPci },
	{ entry: filesystem },
	{ entry: networkInterface, only: (device) => !isHostInterface(device) },
	{ entry: sound },
	{ entry: controller, only: (device) => !isPci(device) },
	{ entry: disk, mayHave: (type, caps) => type === "ccw" || (type === "virtio-mmio" && caps.has("virtio-mmio")) },
	{ entry: networkInterface, only: isHostInterface },
	{ entry: hostdev },
	{ entry: memballoon },
	{ entry: rng },
	{ entry: watchdog },
	{ entry: video },
	{ entry: shmem },
	{ entry: input },
	{ entry: serial },
	{ entry: iommu },
	{ entry: vsock },
	{ entry: memory },
	{ entry: crypto },
	{ entry: pstore },
];

/** Kinds that a chipset has slots for: counted before its own functions, and after them. */
export const CHIPSET_BEFORE: readonly AddressedEntry[] = [controller];
export const CHIPSET_AFTER: readonly AddressedEntry[] = [video, sound];

/** USB hubs, and how one more is added. */
export const USB_HUBS: { readonly entry?: AddressedEntry; add(def: DomainDef): void } = {
	entry: hub,
	add: addHub,
};

/** Order in which USB devices other than hubs get ports (libvirt's virDomainUSBDeviceDefForeach). */
export const USB_STEPS: readonly AddressedEntry[] = [
	networkInterface,
	hostdev,
	disk,
	controller,
	input,
	serial,
	sound,
	filesystem,
	redirdev,
];

/** Order in which ports of virtio-serial controllers are given out. */
export const VIRTIO_SERIAL_STEPS: readonly AddressedEntry[] = [consoleEntry, channel];

/** Order in which registers of pSeries' virtual bus are given out. */
export const SPAPR_VIO_STEPS: readonly AddressedEntry[] = [networkInterface, controller, serial, nvram, tpm];
