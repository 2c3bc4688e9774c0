// What the driver asks of every kind of device: one entry a kind, collected in the registry, so that no shared code switches on kinds.

import type { UndoStack } from "@virtkit/base/undo-stack";
import type { PciAddress } from "@virtkit/model/domain/address";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { EmulatorCapabilities } from "../capabilities/emulator.ts";
import type { CommandLine } from "../command-line/command-line.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { ImageDescriptors } from "../domain/fd-groups.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import type { DriverHost } from "../driver-host.ts";
import type { DriverSettings } from "../settings.ts";

/** What is known while a definition is completed and checked. */
export interface DefineContext {
	readonly def: DomainDef;
	readonly caps: EmulatorCapabilities;
	readonly settings: DriverSettings;
	readonly host: DriverHost;
	/** True for a definition that is new; false for one that was stored, saved or migrated, whose guest ABI must stay. */
	readonly fresh: boolean;
	/** What stands for images whose files are opened already, by the image's source; absent where nothing starts. */
	readonly imageDescriptors?: ReadonlyMap<object, ImageDescriptors>;
}

/** What is known while a command line is built for a start (or for domxml-to-native, when nothing may be opened). */
export interface BuildContext extends DefineContext {
	readonly command: CommandLine;
	/** The guest's own folders and sockets of this run. */
	readonly paths: GuestPaths;
	/** True where only the text of the command line is wanted: nothing is created, opened or reserved. */
	readonly dryRun: boolean;
	/** Places in the boot order that follow from <os><boot>, by device; a device's own <boot order> comes before it. */
	readonly bootIndexes: ReadonlyMap<object, number>;
	/** Host NUMA nodes that numad advised, where the definition leaves the placement to it. */
	readonly autoNodes?: readonly number[];
	/** The guest's master key (32 bytes), which protects secrets on the command line; absent where nothing starts. */
	readonly masterKey?: Uint8Array;
	/** Descriptors opened for devices before the build (taps, vhost, sockets), by device. */
	readonly descriptors: ReadonlyMap<object, readonly number[]>;
}

/** Files and folders of one running guest. */
export interface GuestPaths {
	/** Private working folder: DIR/lib/qemu/domain-ID-NAME. */
	readonly work: string;
	/** Monitor socket. */
	readonly monitor: string;
	/** Folder of the guest's channel sockets. */
	readonly channels: string;
	/** Folder of files that back its memory; the one that the settings name where absent. */
	readonly memory?: string;
	readonly log: string;
}

/** What can be plugged into a PCI bus: devices of either kind, and the controllers that make further buses. */
export type PciConnection =
	| "pci"
	| "pcie"
	| "pci-bridge"
	| "pcie-to-pci-bridge"
	| "dmi-to-pci-bridge"
	| "pcie-root-port"
	| "pcie-switch-upstream-port"
	| "pcie-switch-downstream-port"
	| "pci-expander-bus"
	| "pcie-expander-bus"
	/** It counts among the PCI devices, but no bus takes it. */
	| "none";

/** On what kind of PCI slot a device may sit; libvirt's connect flags. Made by the functions of addresses/pci-need.ts. */
export interface PciNeed {
	readonly connection: PciConnection;
	/** Is put on buses made for devices only, when libvirt chooses: true of all but PCI controllers. */
	readonly automatic: boolean;
	/** Needs a slot that supports hot-plug: true while the guest runs. */
	readonly hotpluggable?: boolean;
	/** Sits on bus 0 itself. */
	readonly integrated?: boolean;
	/** Several such devices share one slot as its functions. */
	readonly aggregate?: boolean;
}

/** Where on bus 0 a machine's chipset has the device. */
export interface ChipsetSlot {
	/** Slots, the first free one is taken. */
	readonly slots: readonly number[];
	readonly function?: number;
	/** The device is part of the chipset: it can be nowhere else. Names it in the error. */
	readonly fixed?: string;
	readonly multifunction?: boolean;
	/** Where the slots are taken, any other is chosen at once rather than in the device's turn. */
	readonly orElsewhere?: boolean;
}

/** Which function of a slot a device is. */
export interface PciFunction {
	readonly function: number;
	readonly multifunction?: boolean;
	/** Address of a device in whose slot it belongs. */
	readonly beside?: PciAddress;
}

/** A running guest whose devices change. */
export interface LiveContext extends DefineContext {
	readonly driver: Driver;
	readonly domain: QemuDomain;
	readonly run: Run;
}

/** What is known while a device is plugged into a running guest. `def` has the device already; the guest's own has not. */
export interface PlugContext extends LiveContext {
	/** Takes back what was done where a later step fails. */
	readonly undo: UndoStack;
	/** Descriptors opened for the device, which are QEMU's once it is plugged in; closed here in any case. */
	readonly descriptors: Map<object, readonly number[]>;
	/** The same for images. */
	readonly imageDescriptors: Map<object, ImageDescriptors>;
}

/** What is known while a device of a running guest is changed. */
export interface UpdateContext extends LiveContext {
	/** Takes back what was done where a later step fails. */
	readonly undo: UndoStack;
	/** Change it although the guest holds on to it (VIR_DOMAIN_DEVICE_MODIFY_FORCE). */
	readonly force: boolean;
}

/**
 * How a kind of device comes, goes and changes while its guest runs.
 *
 * What QEMU is told to plug a device in is what `build` puts on the command line, option by option; what it is told once
 * the device is out is the same backwards. A kind without this cannot be plugged. Each member is asked for what is
 * particular to the kind alone; the steps that all have in common are in hotplug/.
 */
export interface Hotplug<D extends object> {
	/** Where it does not come and go: only the stored definition has it added and removed, or it is only changed in place. */
	readonly only?: "stored" | "update";
	/** False where only a running guest's can be changed, or neither can. */
	readonly storedUpdate?: true;
	/** Settles what a document that holds nothing but the device leaves open. */
	read?(device: D, context: DefineContext): void;
	/** Throws where the definition cannot have the device besides what it has; `live`: the guest runs. */
	checkAttach?(device: D, context: DefineContext, live: boolean): void;
	/** Takes over from the stored definition's device what must be the same in the running guest's. */
	matchStored?(device: D, stored: D): void;
	/** The device of the running guest that `wanted` changes rather than adds to: a drive that gets a medium. */
	replaces?(wanted: D, context: DefineContext): D | undefined;
	/** Devices that must be plugged in before: controllers. They have no addresses yet. */
	needs?(device: D, context: LiveContext): readonly { readonly entry: DeviceEntry<object>; readonly device: object }[];
	/** Makes ready what the device needs of the host: images, taps, servers. */
	prepare?(device: D, context: PlugContext): Promise<void> | void;
	/** Tells QEMU what can only be told once the device is there. */
	plugged?(device: D, context: PlugContext): Promise<void> | void;
	/** The definition's device that `wanted` describes. Throws DEVICE_MISSING, or libvirt's code where it is another. */
	find(wanted: D, context: DefineContext, live: boolean): D;
	/** Throws where the device cannot be taken out of the running guest. */
	checkDetach?(device: D, context: LiveContext): void;
	/** Asks for the device's removal in another way than device_del; `done` where it is gone at once. */
	unplug?(device: D, context: LiveContext): Promise<"done" | undefined>;
	/** Takes back what `prepare` made, once the device is out. */
	release?(device: D, context: LiveContext): Promise<void> | void;
	/** Changes what else the definition says of the guest: its memory, for one. `sign` is 1 when added, -1 when removed. */
	account?(device: D, def: DomainDef, sign: 1 | -1): void;
	/** The definition's device that `wanted` is a change of; `find` unless told. */
	findToUpdate?(wanted: D, context: DefineContext, live: boolean): D;
	/** Changes the running guest's `device` into `wanted`; the returned one takes its place in the definition. */
	update?(device: D, wanted: D, context: UpdateContext): Promise<D>;
}

/** One kind of device, everything the driver knows about it. `D` is its definition in the domain document. */
export interface DeviceEntry<D extends object> {
	/** The element's name: `disk`, `interface`, … */
	readonly kind: string;
	/** The definition's devices of this kind, in document order. */
	list(def: DomainDef): readonly D[];
	/** The id QEMU knows the device by. `index` counts within the kind. */
	alias(device: D, index: number, context: DefineContext): string;
	/** Fills what the document left out (libvirt's post-parse). */
	complete?(device: D, context: DefineContext): void;
	/** Throws where the device is contradictory whatever runs the guest; asked before its address is looked at. */
	checkCommon?(device: D, context: DefineContext): void;
	/** Throws where the device cannot be had: unsupported by this QEMU, or contradictory. */
	check?(device: D, context: DefineContext): void;
	/** The PCI slot it wants; undefined when it sits on no PCI bus. */
	pci?(device: D, context: DefineContext): PciNeed | undefined;
	/** Where the machine's chipset has it, if it has. */
	chipset?(device: D, index: number, context: DefineContext): ChipsetSlot | undefined;
	/** Whether its PCI address is one that PIIX3 has for it, so that the document's is not counted as taken. */
	chipsetOwns?(device: D): boolean;
	/** The function it takes of its slot, and the address of a companion whose slot it shares; any and none where absent. */
	pciFunction?(device: D, context: DefineContext): PciFunction | undefined;
	/** Group of host devices that must be kept apart from others (pSeries); 0 where absent, that of emulated devices. */
	isolationGroup?(device: D, context: DefineContext): number;
	/** Whether it sits on a USB bus. */
	usb?(device: D, context: DefineContext): boolean;
	/** Whether it is a port of a virtio-serial controller: consoles may have port 0. */
	virtioSerial?(device: D): "console" | "port" | undefined;
	/** The pSeries virtual bus: from which register on it looks for a free one, and whether it can sit nowhere else. */
	spaprVio?(device: D, context: DefineContext): { readonly register: number; readonly always: boolean } | undefined;
	/** Whether it is a virtio device that gets an address of the machine's own virtio bus (ccw, mmio) where it has one. */
	virtio?(device: D, bus: "ccw" | "virtio-mmio" | "pci"): boolean;
	/** False where the device gets none of the identifiers that s390x adds to PCI addresses. */
	readonly zpci?: false;
	/** Appends its options to the command line. */
	build(device: D, context: BuildContext): void;
	/** How it comes, goes and changes while the guest runs; absent where it cannot. */
	readonly hotplug?: Hotplug<D>;
}

/** One step of completing a definition that concerns more than one device: default devices, implied controllers, addresses. */
export type DomainStep = (context: DefineContext) => void;
