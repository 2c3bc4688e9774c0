// The guest's devices: every kind, in the order in which libvirt writes them.

import { str } from "@virtkit/xml/codec";
import { elementsOf, type XmlElement } from "@virtkit/xml/node";
import { documentError, positionOf, type ReadContext } from "@virtkit/xml/read";
import { child, element, type Infer, type Loose, leaf, list, type Schema } from "@virtkit/xml/schema";
import { audio } from "./audio.ts";
import { channel } from "./channel.ts";
import { consoleDevice } from "./console.ts";
import { controller } from "./controller.ts";
import { crypto } from "./crypto.ts";
import { checkUsbControllers, orderControllers, orderDisks } from "./device-order.ts";
import { disk } from "./disk.ts";
import { filesystem } from "./filesystem.ts";
import { graphics } from "./graphics.ts";
import { hostdev } from "./hostdev.ts";
import { hub } from "./hub.ts";
import { defaultInputBus, input } from "./input.ts";
import { networkInterface } from "./interface.ts";
import { iommu } from "./iommu.ts";
import { lease } from "./lease.ts";
import { memballoon } from "./memballoon.ts";
import { memoryDevice } from "./memory-device.ts";
import { nvramDevice } from "./nvram-device.ts";
import { panic } from "./panic.ts";
import { parallel } from "./parallel.ts";
import { pstore } from "./pstore.ts";
import { redirdev, redirfilter } from "./redirdev.ts";
import { rng } from "./rng.ts";
import { serial } from "./serial.ts";
import { shmem } from "./shmem.ts";
import { smartcard } from "./smartcard.ts";
import { sound } from "./sound.ts";
import { tpm } from "./tpm.ts";
import { video } from "./video.ts";
import { vsock } from "./vsock.ts";
import { watchdog } from "./watchdog.ts";

const devicesFields = element({
	emulator: leaf(str, { doc: "Path of the emulator that runs the guest." }),
	disks: list(disk, { name: "disk", doc: "A disk." }),
	controllers: list(controller, { name: "controller", doc: "A bus or an adapter of one." }),
	leases: list(lease, { name: "lease", doc: "A lock that must be held while the guest runs." }),
	filesystems: list(filesystem, { name: "filesystem", doc: "A folder of the host that the guest mounts." }),
	interfaces: list(networkInterface, { name: "interface", doc: "A network card." }),
	smartcards: list(smartcard, { name: "smartcard", doc: "A smartcard." }),
	serials: list(serial, { name: "serial", doc: "A serial port." }),
	parallels: list(parallel, { name: "parallel", doc: "A parallel port." }),
	consoles: list(consoleDevice, { name: "console", doc: "A console." }),
	channels: list(channel, { name: "channel", doc: "A named stream between guest and host." }),
	inputs: list(input, { name: "input", doc: "A mouse, tablet or keyboard.", showItem: isInputWritten }),
	tpms: list(tpm, { name: "tpm", doc: "A trusted platform module." }),
	graphics: list(graphics, { name: "graphics", doc: "A graphical console." }),
	sounds: list(sound, { name: "sound", doc: "A sound card." }),
	audios: list(audio, { name: "audio", doc: "An audio backend." }),
	videos: list(video, { name: "video", doc: "A video card." }),
	hostdevs: list(hostdev, { name: "hostdev", doc: "A device of the host." }),
	redirdevs: list(redirdev, { name: "redirdev", doc: "A USB device of a client." }),
	redirfilter: child(redirfilter, { doc: "Which USB devices of clients may be redirected." }),
	hubs: list(hub, { name: "hub", doc: "A USB hub." }),
	watchdog: child(watchdog, { doc: "The watchdog." }),
	memballoon: child(memballoon, { doc: "The memory balloon." }),
	rngs: list(rng, { name: "rng", doc: "A source of randomness." }),
	nvram: child(nvramDevice, { keepEmpty: true, doc: "The NVRAM device of pSeries guests." }),
	panics: list(panic, { name: "panic", doc: "A panic device." }),
	shmems: list(shmem, { name: "shmem", doc: "Memory shared with other guests." }),
	memories: list(memoryDevice, { name: "memory", doc: "A memory module." }),
	iommu: child(iommu, { doc: "The IOMMU." }),
	vsock: child(vsock, { keepEmpty: true, doc: "The socket device." }),
	cryptos: list(crypto, { name: "crypto", doc: "A cryptographic accelerator." }),
	pstore: child(pstore, { doc: "The store that keeps a guest's last words." }),
});

/** The guest's devices. */
export type DevicesDef = Infer<typeof devicesFields>;
/** The <devices> element. */
export const devices: Schema<DevicesDef> = { ...devicesFields, onRead: settleDevices };

/** PS/2 keyboards came later than the machines that have them: documents for migration leave them out. */
function isInputWritten(item: Loose, { migratable }: { readonly migratable?: boolean }): boolean {
	return !(migratable && item.type === "keyboard" && (item.bus === "ps2" || item.bus === "xen"));
}

/** Devices of which there may be only so many, and the code where there are more. */
const LIMITS = {
	watchdog: [1, "INTERNAL_ERROR"],
	memballoon: [1, "INTERNAL_ERROR"],
	nvram: [1, "INTERNAL_ERROR"],
	redirfilter: [1, "INTERNAL_ERROR"],
	tpm: [2, "XML_ERROR"],
	iommu: [1, "XML_ERROR"],
	vsock: [1, "XML_ERROR"],
	pstore: [1, "XML_ERROR"],
} as const;

function settleDevices(value: DevicesDef, found: XmlElement, { parent }: ReadContext): void {
	const elements = elementsOf(found);
	for (const [name, [most, code]] of Object.entries(LIMITS))
		if (elements.filter((each) => each.name === name).length > most)
			throw documentError(found, `only ${most} ${name} device${most > 1 ? "s are" : " is"} supported`, code);
	value.disks = orderDisks(value.disks);
	checkUsbControllers(value.controllers, found);
	value.controllers = orderControllers(value.controllers);
	settlePorts(value);
	settleInputBuses(value, parent);
	refuseUsb(value);
	const primaries = value.videos.filter(({ model }) => model.primary);
	if (primaries[1])
		throw documentError(positionOf(primaries[1]), "Only one primary video device is supported", "CONFIG_UNSUPPORTED");
	// The card that the firmware uses comes first.
	for (const video of primaries) value.videos = [video, ...value.videos.filter((each) => each !== video)];
}

function settlePorts({ parallels, consoles }: DevicesDef): void {
	for (const [index, { target }] of parallels.entries())
		target.port ??= 1 + Math.max(-1, ...parallels.slice(0, index).map((before) => before.target.port ?? -1));
	for (const [index, { target }] of consoles.entries()) target.port = index;
}

function settleInputBuses({ inputs }: DevicesDef, domain: Loose | undefined): void {
	const os = domain?.os as { type?: { type?: string; arch?: string } } | undefined;
	for (const device of inputs) {
		const bus = device.bus ?? defaultInputBus(device.type, os?.type?.type ?? "hvm", os?.type?.arch);
		if (bus !== undefined) device.bus = bus;
		if (bus === "usb" && device.address && device.address.type !== "usb")
			throw documentError(positionOf(device), "Invalid address for a USB device");
	}
}

/** Where the document says that there is no USB, it must not name USB devices. */
function refuseUsb({ controllers, inputs, hostdevs, hubs }: DevicesDef): void {
	if (!controllers.some(({ type, model }) => type === "usb" && model === "none")) return;
	const device: object | undefined =
		inputs.find(({ bus }) => bus === "usb") ?? hostdevs.find(({ type }) => type === "usb") ?? hubs[0];
	if (device)
		throw documentError(positionOf(device), "Can't add USB device. USB bus is disabled", "CONFIG_UNSUPPORTED");
}
