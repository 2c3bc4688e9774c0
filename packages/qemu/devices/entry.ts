// What the driver asks of every kind of device: one entry a kind, collected in the registry, so that no shared code switches on kinds.

import type { DomainDef } from "@virtkit/model/domain/domain";
import type { EmulatorCapabilities } from "../capabilities/emulator.ts";
import type { CommandLine } from "../command-line/command-line.ts";
import type { DriverSettings } from "../settings.ts";

/** What is known while a definition is completed and checked. */
export interface DefineContext {
	readonly def: DomainDef;
	readonly caps: EmulatorCapabilities;
	readonly settings: DriverSettings;
	/** True for a definition that is new; false for one that was stored, saved or migrated, whose guest ABI must stay. */
	readonly fresh: boolean;
}

/** What is known while a command line is built for a start (or for domxml-to-native, when nothing may be opened). */
export interface BuildContext extends DefineContext {
	readonly command: CommandLine;
	/** The guest's own folders and sockets of this run. */
	readonly paths: GuestPaths;
	/** True where only the text of the command line is wanted: nothing is created, opened or reserved. */
	readonly dryRun: boolean;
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
	readonly log: string;
}

/** On what kind of PCI slot a device may sit; libvirt's connect flags. */
export interface PciNeed {
	readonly bus: "pci" | "pcie" | "either";
	/** Needs a slot that supports hot-plug where there is one. */
	readonly hotpluggable: boolean;
	/** Several such devices may share one slot as functions (pcie-root-port, USB companions). */
	readonly aggregate?: boolean;
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
	/** Throws where the device cannot be had: unsupported by this QEMU, or contradictory. */
	check?(device: D, context: DefineContext): void;
	/** The PCI slot it wants; undefined when it sits on no PCI bus. */
	pci?(device: D, context: DefineContext): PciNeed | undefined;
	/** Appends its options to the command line. */
	build(device: D, context: BuildContext): void;
}
