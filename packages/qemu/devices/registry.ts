// Every kind of device the driver knows, in the orders that matter: completing, default devices, command line. Orders of addresses: addresses/order.ts.

import { addDiskControllers, addMachineControllers, assignControllerIndexes } from "../addresses/controllers.ts";
import { addDefaultAudio, audio } from "./audio.ts";
import { addSerialControllers, channel, chooseChannelSockets } from "./channel.ts";
import { checkConsoles, consoleEntry, copySerialConsole, linkSerialConsole } from "./console.ts";
import { builtControllers, builtSmartcardReaders, completeScsiControllers, controller } from "./controller.ts";
import { copyNvmeSerials, legacyUsb, pciHoles } from "./controller-build.ts";
import { refuseDuplicateControllers } from "./controller-check.ts";
import { crypto } from "./crypto.ts";
import { disk } from "./disk.ts";
import { floppyController } from "./disk-build.ts";
import { numberImages } from "./disk-image.ts";
import { checkDisksToStart, checkImagesToStart } from "./disk-start-check.ts";
import type { DeviceEntry, DomainStep } from "./entry.ts";
import { filesystem } from "./filesystem.ts";
import { checkGraphicsToStart, completeGraphics, graphics } from "./graphics.ts";
import { prepareGraphics } from "./graphics-prepare.ts";
import { addHostdevControllers, hostdev, hostInterfaces } from "./hostdev.ts";
import { checkHostdevsToStart } from "./hostdev-build.ts";
import { checkHostdevs } from "./hostdev-check.ts";
import { hub } from "./hub.ts";
import { addMachineInputs, addUsbInputs, input } from "./input.ts";
import { networkInterface } from "./interface.ts";
import { iommu } from "./iommu.ts";
import { checkIOThreads } from "./iothread.ts";
import { addDefaultMemballoon, memballoon } from "./memballoon.ts";
import { checkMemoryPlugs, memory } from "./memory.ts";
import { nvram } from "./nvram.ts";
import { addMachinePanic, checkPanics, panic, refuseDuplicatePanics } from "./panic.ts";
import { parallel } from "./parallel.ts";
import { pstore } from "./pstore.ts";
import { redirdev } from "./redirdev.ts";
import { rng } from "./rng.ts";
import { numberIsaSerials, serial } from "./serial.ts";
import { shmem } from "./shmem.ts";
import { addSmartcardReaders, smartcard } from "./smartcard.ts";
import { sound } from "./sound.ts";
import { checkTpms, checkTpmsToStart, tpm } from "./tpm.ts";
import { settleVideos, video } from "./video.ts";
import { checkVideosToStart } from "./video-start-check.ts";
import { vsock } from "./vsock.ts";
import { watchdog } from "./watchdog.ts";

/** Any kind's entry, seen without its type of definition. */
export type AnyEntry = DeviceEntry<object>;

/** Order in which devices are completed and checked (libvirt's device iteration). */
export const COMPLETED: readonly AnyEntry[] = [
	disk,
	networkInterface,
	sound,
	hostdev,
	video,
	controller,
	smartcard,
	serial,
	parallel,
	channel,
	consoleEntry,
	input,
	filesystem,
	watchdog,
	memballoon,
	rng,
	nvram,
	hub,
	shmem,
	tpm,
	panic,
	memory,
	redirdev,
	iommu,
	vsock,
	crypto,
	pstore,
	graphics,
	audio,
	// lease
];

/** Devices the driver gives a guest that names none (libvirt's qemuDomainDefAddDefaultDevices), before any is completed. */
export const DEFAULT_DEVICES: readonly DomainStep[] = [
	({ def }) => assignControllerIndexes(def),
	addHostdevControllers,
	addMachineInputs,
	addMachineControllers,
	addDefaultMemballoon,
	addUsbInputs,
	addMachinePanic,
	addDefaultAudio,
	numberIsaSerials,
];

/** Devices that others imply (libvirt's virDomainDefAddImplicitDevices), after all are completed. */
export const IMPLIED_DEVICES: readonly DomainStep[] = [
	refuseDuplicateControllers,
	refuseDuplicatePanics,
	linkSerialConsole,
	({ def }) => addDiskControllers(def),
	copyNvmeSerials,
	addSerialControllers,
	addSmartcardReaders,
	addHostdevControllers,
	completeScsiControllers,
	settleVideos,
	completeGraphics,
];

/** What follows once every device has its address. */
export const ADDRESSED: readonly DomainStep[] = [copySerialConsole];

/** Checks that concern devices of several kinds, before each device is checked. */
export const DOMAIN_CHECKS: readonly DomainStep[] = [
	checkIOThreads,
	checkConsoles,
	checkPanics,
	checkTpms,
	checkMemoryPlugs,
];

/** The same, after each device is checked. */
export const LAST_CHECKS: readonly DomainStep[] = [checkHostdevs];

/** Order of devices on the command line (libvirt's qemuBuildCommandLine), up to memballoon, rng and nvram. */
export const BUILT: readonly AnyEntry[] = [
	iommu,
	pciHoles,
	builtControllers,
	legacyUsb,
	memory,
	hub,
	builtSmartcardReaders,
	floppyController,
	disk,
	filesystem,
	networkInterface,
	smartcard,
	serial,
	parallel,
	channel,
	consoleEntry,
	tpm,
	input,
	audio,
	graphics,
	video,
	sound,
	watchdog,
	redirdev,
	hostInterfaces,
	hostdev,
	memballoon,
	rng,
	nvram,
];

/** Devices whose options come after the sandbox's. */
export const BUILT_LAST: readonly AnyEntry[] = [panic, shmem, vsock, crypto, pstore];

/** What keeps a guest that may be defined from starting, before anything is made ready (libvirt's qemuProcessStartValidate). */
export const START_CHECKS: readonly DomainStep[] = [checkDisksToStart, checkGraphicsToStart];

/** Makes devices ready for a start, once they have their ids: ports, sockets, secrets, storage nodes. */
export const PREPARED: readonly DomainStep[] = [
	copySerialConsole,
	checkImagesToStart,
	checkHostdevsToStart,
	checkTpmsToStart,
	checkVideosToStart,
	({ def }) => numberImages(def),
	prepareGraphics,
	chooseChannelSockets,
];
