// USB ports: the tree of controllers and hubs, and a port for every USB device.

import { VirtError } from "@virtkit/base/errors";
import { USB_MAX_PORT_DEPTH, type UsbAddress } from "@virtkit/model/domain/address";
import type { ControllerDef, UsbControllerModel } from "@virtkit/model/domain/controller";
import type { DeviceInfo } from "@virtkit/model/domain/device-common";
import { atElement } from "@virtkit/xml/read";
import type { DefineContext, DeviceEntry } from "../devices/entry.ts";
import { hasUsb } from "./controllers.ts";
import { type AddressedEntry, USB_HUBS, USB_STEPS } from "./order.ts";

/** Ports of a hub that QEMU emulates. */
export const HUB_PORTS = 8;
/** Ports of an xHCI controller that does not say how many. */
const XHCI_PORTS = 4;
const XEN_PORTS = 8;

/** Root ports of a controller; companions of an EHCI controller have none of their own. */
const PORTS: Partial<Record<UsbControllerModel, number>> = {
	"piix3-uhci": 2,
	"piix4-uhci": 2,
	"vt82c686b-uhci": 2,
	ehci: 6,
	"ich9-ehci1": 6,
	"pci-ohci": 3,
	"nec-xhci": XHCI_PORTS,
	"qemu-xhci": XHCI_PORTS,
	qusb1: XEN_PORTS,
	qusb2: XEN_PORTS,
};
/** Models whose number of ports can be chosen. */
const CHOOSABLE: ReadonlySet<string> = new Set(["nec-xhci", "qemu-xhci", "qusb1", "qusb2"]);
const DEFAULT_PORTS = 2;

function rootPorts({ model, ports }: ControllerDef): number {
	if (model === undefined) return DEFAULT_PORTS;
	if (ports !== undefined && CHOOSABLE.has(model)) return ports;
	return PORTS[model as UsbControllerModel] ?? 0;
}

/** A controller or hub: how many ports it has, which are taken, and the hubs in them. */
class Hub {
	readonly size: number;
	readonly taken = new Set<number>();
	readonly hubs = new Map<number, Hub>();

	constructor(size: number) {
		this.size = size;
	}

	/** The first free port here or in the hubs below, as a path. */
	findFree(depth = 1): number[] | undefined {
		for (let port = 1; port <= this.size; port++) if (!this.taken.has(port)) return [port];
		if (depth >= USB_MAX_PORT_DEPTH) return undefined;
		for (const [port, hub] of [...this.hubs].sort(([a], [b]) => a - b)) {
			const below = hub.findFree(depth + 1);
			if (below) return [port, ...below];
		}
		return undefined;
	}
}

/** The USB topology of a guest. */
export class UsbPorts {
	readonly #buses = new Map<number, Hub>();

	/** Adds the root ports of a controller. Throws XML_ERROR where its index is taken. */
	addController(controller: ControllerDef): void {
		const size = rootPorts(controller);
		const { index = 0 } = controller;
		if (size === 0) return;
		if (this.#buses.has(index)) throw new VirtError("XML_ERROR", `Duplicate USB controllers with index ${index}`);
		this.#buses.set(index, new Hub(size));
	}

	/** Adds the ports of a hub, which sits at `address`. */
	addHub(address: UsbAddress): void {
		atElement(address, () => this.#addHub(address));
	}

	#addHub(address: UsbAddress): void {
		const { hub, port } = this.#find(address);
		if (hub.hubs.has(port))
			throw new VirtError("XML_ERROR", `Duplicate USB hub on bus ${address.bus} port ${address.port?.join(".")}`);
		hub.taken.add(port);
		hub.hubs.set(port, new Hub(HUB_PORTS));
	}

	/** Takes the port at `address`. Throws XML_ERROR where there is none or it is taken. */
	reserve(address: UsbAddress): void {
		atElement(address, () => this.#reserve(address));
	}

	#reserve(address: UsbAddress): void {
		const { hub, port } = this.#find(address);
		if (hub.taken.has(port))
			throw new VirtError("XML_ERROR", `Duplicate USB address bus ${address.bus} port ${address.port?.join(".")}`);
		hub.taken.add(port);
	}

	/** Gives the port at `address` free. */
	release(address: UsbAddress): void {
		const { hub, port } = this.#find(address);
		hub.taken.delete(port);
	}

	/** Takes a free port: on bus `wanted`, or on any. */
	assign(wanted: number | undefined): UsbAddress {
		if (wanted !== undefined && !this.#buses.has(wanted))
			throw new VirtError("XML_ERROR", `USB bus ${wanted} requested but no controller with that index is present`);
		for (const bus of wanted === undefined ? [...this.#buses.keys()].sort((a, b) => a - b) : [wanted]) {
			const port = this.#buses.get(bus)?.findFree();
			if (!port) continue;
			const address: UsbAddress = { type: "usb", bus, port };
			this.reserve(address);
			return address;
		}
		throw new VirtError("INTERNAL_ERROR", "No free USB ports");
	}

	#find({ bus, port: path = [] }: UsbAddress): { hub: Hub; port: number } {
		const where = `bus: ${bus} port: ${path.join(".")}`;
		let hub = this.#buses.get(bus);
		if (!hub) throw new VirtError("XML_ERROR", `Missing USB bus ${bus}`);
		for (const port of path.slice(0, -1)) {
			if (port > hub.size) throw new VirtError("XML_ERROR", `port ${port} out of range in USB address ${where}`);
			const next = hub.hubs.get(port);
			if (!next) throw new VirtError("XML_ERROR", `there is no hub at port ${port} in USB address ${where}`);
			hub = next;
		}
		const last = path.at(-1) ?? 0;
		if (last < 1 || last > hub.size)
			throw new VirtError("XML_ERROR", `requested USB port ${path.join(".")} not present on USB bus ${bus}`);
		return { hub, port: last };
	}
}

const hubSteps = (): AddressedEntry[] => (USB_HUBS.entry ? [USB_HUBS.entry] : []);

const hasPort = ({ address }: DeviceInfo): boolean => address?.type === "usb" && (address.port?.length ?? 0) > 0;

function* usbDevices(context: DefineContext, steps: readonly DeviceEntry<DeviceInfo>[]): Generator<DeviceInfo> {
	for (const entry of steps)
		for (const device of entry.list(context.def)) if (entry.usb?.(device, context)) yield device;
}

/** Gives every USB device a port, adding hubs where the controllers have too few. */
export function assignUsbPorts(context: DefineContext): void {
	const { def, fresh } = context;
	const hubs = (): DeviceInfo[] => [...usbDevices(context, hubSteps())];
	// A guest that was made before ports were assigned keeps whatever QEMU gave its devices.
	if (!fresh && ![...hubs(), ...usbDevices(context, USB_STEPS)].every(hasPort)) return;
	addMissingHubs(context);
	const ports = new UsbPorts();
	for (const controller of def.devices.controllers) if (controller.type === "usb") ports.addController(controller);
	for (const hub of hubs()) if (hub.address?.type === "usb" && hasPort(hub)) ports.addHub(hub.address);
	for (const { address } of usbDevices(context, USB_STEPS))
		if (address?.type === "usb" && address.port?.length) ports.reserve(address);
	for (const hub of hubs()) {
		if (hasPort(hub)) continue;
		const address = ports.assign(hub.address?.type === "usb" ? hub.address.bus : undefined);
		hub.address = address;
		ports.addHub(address);
	}
	for (const device of usbDevices(context, USB_STEPS)) {
		const { address } = device;
		if (hasPort(device) || (address && address.type !== "usb")) continue;
		device.address = ports.assign(address?.bus);
	}
}

/** Gives a USB device that is to be plugged into the running guest a port, or checks the one that it names. */
export function plugIntoUsb(device: DeviceInfo, context: DefineContext): void {
	const { def } = context;
	const ports = new UsbPorts();
	for (const controller of def.devices.controllers) if (controller.type === "usb") ports.addController(controller);
	for (const hub of usbDevices(context, hubSteps()))
		if (hub.address?.type === "usb" && hasPort(hub)) ports.addHub(hub.address);
	for (const { address } of usbDevices(context, USB_STEPS))
		if (address?.type === "usb" && address.port?.length) ports.reserve(address);
	const { address } = device;
	if (address?.type === "usb" && hasPort(device)) ports.reserve(address);
	else if (address === undefined || address.type === "usb") device.address = ports.assign(address?.bus);
}

function addMissingHubs(context: DefineContext): void {
	const { def } = context;
	const hubs = [...usbDevices(context, hubSteps())].length;
	const devices = [...usbDevices(context, USB_STEPS)].length + hubs;
	if (devices > 0 && !hasUsb(def))
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			"USB is disabled for this domain, but USB devices are present in the domain XML",
		);
	const ports = def.devices.controllers
		.filter(({ type }) => type === "usb")
		.reduce((sum, controller) => sum + rootPorts(controller), hubs * HUB_PORTS);
	if (devices <= ports) return;
	// Each further hub takes one port and brings eight; one port is kept free.
	for (let missing = Math.ceil((devices - ports + 1) / (HUB_PORTS - 1)); missing > 0; missing--) USB_HUBS.add(def);
}
