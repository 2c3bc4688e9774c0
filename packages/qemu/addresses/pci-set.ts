// All PCI buses of a guest and which of their slots are taken; finds free ones, and in a trial run adds buses for more.

import { VirtError } from "@virtkit/base/errors";
import type { PciControllerModel } from "@virtkit/model/domain/controller";
import { atElement } from "@virtkit/xml/read";
import type { PciConnection, PciNeed } from "../devices/entry.ts";
import { PciBus } from "./pci-bus.ts";

/** Place of one function. */
export interface PciPlace {
	domain: number;
	bus: number;
	slot: number;
	function: number;
}

/** Buses that PCI can number. */
const MAX_BUSES = 256;
const FUNCTIONS = 8;

/** `0000:00:1f.2`. */
export function formatPciPlace({ domain, bus, slot, function: fn }: PciPlace): string {
	const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
	return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${fn}`;
}

const CONNECTION_NAMES: Partial<Record<PciConnection, string>> = {
	pci: "standard PCI device",
	pcie: "PCI Express device",
};

export interface PciSetOptions {
	/** Only find out which buses are needed: add those that are missing. */
	readonly trial: boolean;
	/** The machine can have several root buses (pSeries). */
	readonly manyRoots: boolean;
	/** QEMU has pcie-pci-bridge, so that dmi-to-pci-bridge is not used for new guests. */
	readonly hasPcieToPci: boolean;
}

type Check = (message: string) => false;

export class PciAddressSet {
	readonly buses: PciBus[] = [];
	readonly options: PciSetOptions;

	constructor(options: PciSetOptions) {
		this.options = options;
	}

	/** Whether any function of the slot is taken. */
	isSlotUsed({ bus, slot }: Pick<PciPlace, "bus" | "slot">): boolean {
		return (this.buses[bus]?.slot(slot).functions ?? 0) !== 0;
	}

	/**
	 * Takes the function at `place` for a device with `need`.
	 *
	 * `given`: the document asked for the place, so that a conventional device may sit in an express slot and the other
	 * way around, and mistakes are XML_ERROR rather than INTERNAL_ERROR. In a trial run `place.bus` may be raised.
	 */
	reserve(place: PciPlace, need: PciNeed, group = 0, given = true): void {
		atElement(place, () => this.#reserve(place, need, group, given));
	}

	#reserve(place: PciPlace, need: PciNeed, group: number, given: boolean): void {
		const name = formatPciPlace(place);
		if (this.options.trial) this.#grow(place, need);
		this.validate(place, need, given, name);
		const bus = this.#bus(place.bus);
		const slot = bus.slot(place.slot);
		const bit = 1 << place.function;
		if (slot.functions & bit)
			throw new VirtError(given ? "XML_ERROR" : "INTERNAL_ERROR", `Attempted double use of PCI Address ${name}`);
		if (slot.functions === 0 && need.aggregate) slot.aggregate = true;
		if (bus.isEmpty && !bus.isolationLocked) bus.isolationGroup = group;
		else if (bus.isolationGroup !== group && given) bus.isolationGroup = 0;
		slot.functions |= bit;
	}

	/** Takes the next free place for a device with `need`; function 0 (or the next of a shared slot) unless told. */
	reserveNext(need: PciNeed, group = 0, fn?: number): PciPlace {
		const place = this.#findFree(need, group, fn);
		this.reserve(place, need, group, false);
		return place;
	}

	/** Throws where there is no such place or a device with `need` cannot be there. */
	validate(place: PciPlace, need: PciNeed, given: boolean, name = formatPciPlace(place)): void {
		const fail: Check = (message) => {
			throw new VirtError(given ? "XML_ERROR" : "INTERNAL_ERROR", message);
		};
		if (this.buses.length === 0) fail("No PCI buses available");
		if (place.domain !== 0) fail(`Invalid PCI address ${name}. Only PCI domain 0 is available`);
		if (place.bus >= this.buses.length)
			fail(`Invalid PCI address ${name}. Only PCI buses up to ${this.buses.length - 1} are available`);
		const bus = this.#bus(place.bus);
		fits(bus, place, need, given, name, fail);
		if (place.slot < bus.firstSlot) fail(`Invalid PCI address ${name}. slot must be >= ${bus.firstSlot}`);
		if (place.slot > bus.lastSlot) fail(`Invalid PCI address ${name}. slot must be <= ${bus.lastSlot}`);
		if (place.function >= FUNCTIONS) fail(`Invalid PCI address ${name}. function must be <= ${FUNCTIONS - 1}`);
	}

	#bus(number: number): PciBus {
		const bus = this.buses[number];
		if (!bus) throw new VirtError("INTERNAL_ERROR", `no PCI bus ${number}`);
		return bus;
	}

	#findFree(need: PciNeed, group: number, fn: number | undefined): PciPlace {
		if (this.buses.length === 0) throw new VirtError("XML_ERROR", "No PCI buses available");
		const sameGroup = (bus: PciBus): boolean => bus.isolationGroup === group;
		// A bus takes on the isolation group of the first device on it, so that an empty one suits any.
		const unclaimed = (bus: PciBus): boolean => bus.isEmpty && !bus.isolationLocked;
		for (const suits of [sameGroup, unclaimed])
			for (const [number, bus] of this.buses.entries()) {
				const found = suits(bus) ? findOnBus(bus, number, need, fn) : undefined;
				if (found) return found;
			}
		if (!this.options.trial) throw new VirtError("INTERNAL_ERROR", "No more available PCI slots");
		const place: PciPlace = { domain: 0, bus: this.buses.length, slot: 0, function: fn ?? 0 };
		this.#grow(place, need);
		place.slot = this.#bus(place.bus).firstSlot;
		return place;
	}

	/** Adds buses up to that of `place`, of the kind that a device with `need` can be plugged into. */
	#grow(place: PciPlace, { connection }: PciNeed): void {
		let missing = place.bus - this.buses.length + 1;
		if (missing <= 0) return;
		if (place.bus >= MAX_BUSES)
			throw new VirtError("INTERNAL_ERROR", `more than ${MAX_BUSES} PCI buses would be needed`);
		const model = this.#expansionModel(connection);
		if (model === "pci-bridge" && !this.buses.some((bus) => bus.accepts.has("pci-bridge"))) {
			// The guest is all PCI Express: conventional slots begin with a bridge from one world to the other.
			if (missing === 1) {
				missing++;
				place.bus++;
			}
			missing -= this.#addConventionalBridge();
		}
		for (; missing > 0; missing--) this.buses.push(new PciBus(model));
	}

	#expansionModel(connection: PciConnection): PciControllerModel {
		if (connection === "pci") return this.options.manyRoots ? "pci-root" : "pci-bridge";
		if (connection === "pcie" || connection === "pcie-switch-upstream-port") return "pcie-root-port";
		if (connection === "none")
			throw new VirtError("INTERNAL_ERROR", "Cannot automatically add a PCI bus for a device that no PCI bus takes");
		if (connection === "pcie-to-pci-bridge")
			throw new VirtError("INTERNAL_ERROR", "Cannot automatically add a new PCI bus for a pcie-to-pci-bridge");
		throw new VirtError(
			"INTERNAL_ERROR",
			`a PCI slot is needed to connect a PCI controller model='${connection}', but none is available, and it cannot be automatically added`,
		);
	}

	/** Returns how many buses it added. */
	#addConventionalBridge(): number {
		if (!this.options.hasPcieToPci) {
			this.buses.push(new PciBus("dmi-to-pci-bridge", false));
			return 1;
		}
		const port = new PciBus("pcie-root-port");
		// Kept for the bridge: a free port is wanted besides for devices that come later.
		port.accepts = new Set(["pcie-to-pci-bridge"]);
		this.buses.push(port, new PciBus("pcie-to-pci-bridge"));
		return 2;
	}
}

function findOnBus(bus: PciBus, number: number, need: PciNeed, fn: number | undefined): PciPlace | undefined {
	const place: PciPlace = { domain: 0, bus: number, slot: bus.firstSlot, function: fn ?? 0 };
	if (!fits(bus, place, need, false, "", () => false)) return undefined;
	for (; place.slot <= bus.lastSlot; place.slot++) {
		const { functions, aggregate } = bus.slot(place.slot);
		if (functions === 0) return place;
		if (!need.aggregate || !aggregate) continue;
		const candidates = fn === undefined ? [...Array(FUNCTIONS).keys()] : [fn];
		const free = candidates.find((candidate) => (functions & (1 << candidate)) === 0);
		if (free !== undefined) return { ...place, function: free };
	}
	return undefined;
}

/** Whether a device with `need` can sit on `bus`; tells `fail` why not. */
function fits(bus: PciBus, place: PciPlace, need: PciNeed, given: boolean, name: string, fail: Check): boolean {
	if (need.integrated && place.bus !== 0)
		return fail(`The device at PCI address ${name} needs to be an integrated device (bus=0)`);
	const automatic = bus.automatic || need.integrated === true;
	if (!given && need.automatic && !automatic)
		return fail(
			`The device at PCI address ${name} was auto-assigned this address, but the PCI controller with index='${place.bus}' doesn't allow auto-assignment`,
		);
	if (need.hotpluggable && !bus.hotplug)
		return fail(
			`The device at PCI address ${name} requires hotplug capability, but the PCI controller with index='${place.bus}' doesn't support hotplug`,
		);
	if (!accepted(bus, need.connection, given))
		return fail(
			`The device at PCI address ${name} cannot be plugged into the PCI controller with index='${place.bus}'. It requires a controller that accepts a ${CONNECTION_NAMES[need.connection] ?? need.connection}.`,
		);
	return true;
}

function accepted({ accepts }: PciBus, connection: PciConnection, given: boolean): boolean {
	if (accepts.has(connection)) return true;
	if (!given) return false;
	const endpoints = accepts.has("pci") || accepts.has("pcie");
	return endpoints && (connection === "pci" || connection === "pcie" || connection === "pci-bridge");
}
