// Ports of virtio-serial controllers for channels and consoles.

import { VirtError } from "@virtkit/base/errors";
import type { VirtioSerialAddress } from "@virtkit/model/domain/address";
import type { ControllerDef } from "@virtkit/model/domain/controller";
import type { DeviceInfo } from "@virtkit/model/domain/device-common";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { DefineContext } from "../devices/entry.ts";
import { ensureController, findController } from "./controllers.ts";
import { ENTRIES, VIRTIO_SERIAL_STEPS } from "./order.ts";

/** Ports of a controller that does not say how many; more than 31 do not fit its configuration space. */
const DEFAULT_PORTS = 31;

interface Ports {
	readonly size: number;
	readonly taken: Set<number>;
}

/** The ports of all virtio-serial controllers. */
export class VirtioSerialPorts {
	readonly #controllers = new Map<number, Ports>();

	add({ type, index = 0, ports }: ControllerDef): void {
		if (type !== "virtio-serial") return;
		if (this.#controllers.has(index))
			throw new VirtError(
				"INTERNAL_ERROR",
				`virtio serial controller with index ${index} already exists in the address set`,
			);
		this.#controllers.set(index, { size: ports ?? DEFAULT_PORTS, taken: new Set() });
	}

	/** Takes the port at `address`. Throws XML_ERROR where there is none or it is taken. */
	reserve({ controller, port }: VirtioSerialAddress): void {
		const found = this.#controllers.get(controller);
		if (!found) throw new VirtError("XML_ERROR", `virtio serial controller ${controller} is missing`);
		if (port >= found.size)
			throw new VirtError("XML_ERROR", `virtio serial controller ${controller} does not have port ${port}`);
		if (found.taken.has(port))
			throw new VirtError("XML_ERROR", `virtio serial port ${port} on controller ${controller} is already occupied`);
		found.taken.add(port);
	}

	/** The first free port from `first` up on any controller, adding one where all are full. */
	next(def: DomainDef, first: number): VirtioSerialAddress {
		if (this.#controllers.size === 0)
			throw new VirtError("INTERNAL_ERROR", "no virtio-serial controllers are available");
		for (const [controller, ports] of [...this.#controllers].sort(([a], [b]) => a - b)) {
			const port = freePort(ports, first);
			if (port !== undefined) return { type: "virtio-serial", controller, bus: 0, port };
		}
		let index = 0;
		while (findController(def, "virtio-serial", index)) index++;
		this.add(ensureController(def, "virtio-serial", index));
		return { type: "virtio-serial", controller: index, bus: 0, port: first };
	}

	/** The first free port of that controller, from 1. */
	nextOf(controller: number): VirtioSerialAddress {
		const ports = this.#controllers.get(controller);
		if (!ports) throw new VirtError("INTERNAL_ERROR", `virtio-serial controller ${controller} not available`);
		const port = freePort(ports, 1);
		if (port === undefined)
			throw new VirtError("XML_ERROR", `Unable to find a free port on virtio-serial controller ${controller}`);
		return { type: "virtio-serial", controller, bus: 0, port };
	}
}

function freePort({ size, taken }: Ports, first: number): number | undefined {
	for (let port = first; port < size; port++) if (!taken.has(port)) return port;
	return undefined;
}

const isComplete = ({ address }: DeviceInfo): boolean => address?.type === "virtio-serial" && address.port !== 0;

/** Gives channels their ports. Consoles take part in the count but keep the address that the document gives. */
export function assignVirtioSerialPorts({ def }: DefineContext): void {
	const ports = new VirtioSerialPorts();
	for (const controller of def.devices.controllers) ports.add(controller);
	for (const entry of ENTRIES)
		for (const device of entry.list(def))
			if (device.address?.type === "virtio-serial" && isComplete(device)) ports.reserve(device.address);
	for (const entry of VIRTIO_SERIAL_STEPS)
		for (const device of entry.list(def)) {
			const kind = entry.virtioSerial?.(device);
			if (kind !== undefined && !isComplete(device)) assignPort(device, kind, ports, def);
		}
}

function assignPort(device: DeviceInfo, kind: "console" | "port", ports: VirtioSerialPorts, def: DomainDef): void {
	const given = device.address?.type === "virtio-serial" ? device.address : undefined;
	// Port 0 is kept for the first console, as the guest expects it there.
	const isConsole = kind === "console";
	const address = given ? ports.nextOf(isConsole ? 0 : given.controller) : ports.next(def, isConsole ? 0 : 1);
	ports.reserve(address);
	if (!isConsole) device.address = address;
}
