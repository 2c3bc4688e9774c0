// PCI addresses: every device that wants one gets it, in libvirt's order, so that the guest sees the same machine.

import { VirtError } from "@virtkit/base/errors";
import { isEmptyPciAddress, type PciAddress } from "@virtkit/model/domain/address";
import type { ControllerDef, PciControllerModel } from "@virtkit/model/domain/controller";
import type { DeviceInfo } from "@virtkit/model/domain/device-common";
import type { ChipsetSlot, DefineContext, DeviceEntry, PciNeed } from "../devices/entry.ts";
import { isMachine, supportsPci } from "../machine.ts";
import { addController, findController } from "./controllers.ts";
import { CHIPSET_AFTER, CHIPSET_BEFORE, ENTRIES, PCI_STEPS } from "./order.ts";
import { controllerConnection, PciBus } from "./pci-bus.ts";
import { completePciController } from "./pci-controller.ts";
import { conventionalSlot, expressSlot, hasPcieRoot, hasPciRoot } from "./pci-need.ts";
import { PciAddressSet, type PciPlace } from "./pci-set.ts";
import { assignZpci } from "./zpci.ts";

/** Buses that PCI can number. */
const MAX_INDEX = 255;

/** Functions of bus 0 that the chipset itself has: [slot, function]. */
const CHIPSETS = {
	i440fx: [
		[1, 0],
		[1, 3],
	],
	q35: [
		[31, 0],
		[31, 3],
	],
} as const;

/** Gives every PCI device an address, adding the bridges and ports that are needed. */
export function assignPciAddresses(context: DefineContext): void {
	const plan = planBuses(context);
	const set = createSet(context, plan.buses, false);
	if (!supportsPci(context.def, context.caps)) return;
	placeChipset(context, set);
	placeDevices(context, set);
	if (context.caps.has("zpci")) assignZpci(context, plan.added);
	markMultifunction(context);
	for (const controller of pciControllers(context)) completePciController(controller, context);
}

/** The buses of a running guest and what of them is taken; undefined where it has none. */
export function runningPciBuses(context: DefineContext): PciAddressSet | undefined {
	const highest = Math.max(-1, ...pciControllers(context).map(({ index }) => index ?? 0));
	if (highest < 0 || !supportsPci(context.def, context.caps)) return undefined;
	const set = createSet(context, highest + 1, false);
	// Parts of the chipset that no document names have their places too.
	placeChipset(context, set);
	return set;
}

/** Gives a device that is to be plugged into the running guest a slot, or checks the one that it names. */
export function placePlugged(
	entry: DeviceEntry<DeviceInfo>,
	device: DeviceInfo,
	context: DefineContext,
	set: PciAddressSet,
): void {
	const need = entry.pci?.(device, context);
	if (!need || (device.address !== undefined && device.address.type !== "pci")) return;
	const hotpluggable = { ...need, hotpluggable: true };
	if (isWanted(device)) placeDevice(entry, device, hotpluggable, context, set);
	else if (device.address?.type === "pci")
		set.reserve(device.address, hotpluggable, entry.isolationGroup?.(device, context));
	const { address } = device;
	if (address?.type !== "pci" || entry.kind !== "controller") return;
	const controller = device as ControllerDef;
	if (controller.type === "pci") completePciController(controller, context);
}

interface Plan {
	/** How many buses there are. */
	readonly buses: number;
	/** Controllers that were added for them. */
	readonly added: ReadonlySet<object>;
}

/** A trial run that finds out how many buses are needed and adds their controllers. */
function planBuses(context: DefineContext): Plan {
	const highest = Math.max(-1, ...pciControllers(context).map(({ index }) => index ?? 0));
	if (highest > MAX_INDEX)
		throw new VirtError("CONFIG_UNSUPPORTED", `PCI controller index ${highest} too high, maximum is ${MAX_INDEX}`);
	if (highest < 0) return { buses: 0, added: new Set() };
	const set = createSet(context, highest + 1, true);
	placeChipset(context, set);
	// One more slot than needed, so that something can be added later without another bridge.
	if (hasPciRoot(context) && set.buses.some((bus) => !bus.isFull)) set.reserveNext(conventionalSlot());
	placeDevices(context, set);
	// Where the user leaves buses to us, keep one port free for hot-plug.
	if (highest <= 0 && set.buses.length > highest + 1 && hasPcieRoot(context)) set.reserveNext(expressSlot(context));
	const added = addBusControllers(context, set);
	return { buses: set.buses.length, added };
}

function addBusControllers({ def }: DefineContext, set: PciAddressSet): Set<object> {
	const added = new Set<object>();
	for (let index = 1; index < set.buses.length; index++) {
		const model = set.buses[index]?.model;
		if (model === undefined || findController(def, "pci", index)) continue;
		added.add(addController(def, "pci", index, model));
		const connection = controllerConnection(model);
		if (connection) set.reserveNext({ connection, automatic: false, aggregate: connection === "pcie-root-port" });
	}
	return added;
}

function pciControllers({ def }: DefineContext): ControllerDef[] {
	return def.devices.controllers.filter(({ type }) => type === "pci");
}

function createSet(context: DefineContext, count: number, trial: boolean): PciAddressSet {
	const { def, caps } = context;
	const pseries = isMachine(def, "pseries");
	const set = new PciAddressSet({ trial, manyRoots: pseries, hasPcieToPci: caps.has("pcie-pci-bridge") });
	const spare = pseries ? "pci-root" : hasPcieRoot(context) ? "pcie-root-port" : "pci-bridge";
	for (let index = 0; index < count; index++) {
		const found = findController(def, "pci", index);
		const model = found ? found.model : index === 0 ? "pci-root" : spare;
		if (model === undefined) throw new VirtError("INTERNAL_ERROR", "PCI controller model was not set correctly");
		const bus = new PciBus(model as PciControllerModel, found?.target?.hotplug !== false);
		// Host devices are kept off pSeries' default host bridge.
		bus.isolationLocked = pseries && index === 0;
		set.buses.push(bus);
	}
	collect(context, set);
	return set;
}

/** Takes the places that the document gives. */
function collect(context: DefineContext, set: PciAddressSet): void {
	for (const { entry, device } of allDevices(context)) {
		const { address } = device;
		if (address?.type !== "pci" || isEmptyPciAddress(address)) continue;
		if (entry.chipsetOwns?.(device)) {
			if (set.buses.length > 0 && !set.buses[0]?.accepts.has("pci"))
				throw new VirtError("INTERNAL_ERROR", "Bus 0 must be PCI for integrated PIIX3 USB or IDE controllers");
			continue;
		}
		// A device that needs no PCI slot but has one is believed.
		const need = entry.pci?.(device, context);
		const believed: PciNeed = need && need.connection !== "none" ? need : { connection: "pci", automatic: false };
		set.reserve(address, believed, entry.isolationGroup?.(device, context));
	}
}

function* allDevices(context: DefineContext): Generator<{ entry: DeviceEntry<DeviceInfo>; device: DeviceInfo }> {
	for (const entry of ENTRIES) for (const device of entry.list(context.def)) yield { entry, device };
}

/** Places the devices that the machine's chipset has, and takes the functions that are its own. */
function placeChipset(context: DefineContext, set: PciAddressSet): void {
	const chipset = (["i440fx", "q35"] as const).find((family) => isMachine(context.def, family));
	if (!chipset) return;
	const need: PciNeed = chipset === "i440fx" ? conventionalSlot() : { connection: "pcie", automatic: false };
	for (const entry of CHIPSET_BEFORE) placeBuiltIn(entry, context, set, need);
	if (set.buses.length > 0)
		for (const [slot, fn] of CHIPSETS[chipset]) set.reserve({ domain: 0, bus: 0, slot, function: fn }, need);
	for (const entry of CHIPSET_AFTER) placeBuiltIn(entry, context, set, need);
}

function placeBuiltIn(entry: DeviceEntry<DeviceInfo>, context: DefineContext, set: PciAddressSet, need: PciNeed): void {
	for (const [index, device] of entry.list(context.def).entries()) {
		const home = entry.chipset?.(device, index, context);
		if (!home) continue;
		if (home.fixed !== undefined) {
			const address = settleFixed(device, home);
			if (entry.chipsetOwns?.(device) && set.buses.length > 0) set.reserve(address, need);
		} else if (isWanted(device)) placePreferred(entry, device, home, context, set, need);
	}
}

/** Gives a part of the chipset its address. Throws INTERNAL_ERROR where the document has it elsewhere. */
function settleFixed(device: DeviceInfo, { slots, function: fn = 0, fixed }: ChipsetSlot): PciAddress {
	const slot = slots[0] ?? 0;
	if (isWanted(device) || device.address?.type !== "pci")
		return setPciAddress(device, { domain: 0, bus: 0, slot, function: fn });
	const { address } = device;
	if (address.domain !== 0 || address.bus !== 0 || address.slot !== slot || address.function !== fn)
		throw new VirtError("INTERNAL_ERROR", `${fixed} must have PCI address 0:0:${slot.toString(16)}.${fn}`);
	return address;
}

function placePreferred(
	entry: DeviceEntry<DeviceInfo>,
	device: DeviceInfo,
	{ slots, multifunction, orElsewhere }: ChipsetSlot,
	context: DefineContext,
	set: PciAddressSet,
	need: PciNeed,
): void {
	const slot = slots.find((each) => !set.isSlotUsed({ bus: 0, slot: each }));
	if (slot !== undefined) {
		const place = { domain: 0, bus: 0, slot, function: 0 };
		set.reserve(place, need);
		setPciAddress(device, place, multifunction);
		return;
	}
	const own = orElsewhere ? entry.pci?.(device, context) : undefined;
	const place = own && set.reserveNext(own);
	if (place && !set.options.trial) setPciAddress(device, place);
}

/** Places all devices that have no address yet. In a trial run they only take up room. */
function placeDevices(context: DefineContext, set: PciAddressSet): void {
	for (const { entry, only, mayHave } of PCI_STEPS)
		for (const device of entry.list(context.def)) {
			const need = only?.(device) !== false ? entry.pci?.(device, context) : undefined;
			if (!need) continue;
			const type = device.address?.type ?? "pci";
			if (isWanted(device)) placeDevice(entry, device, need, context, set);
			else if (type !== "pci" && mayHave?.(type, context.caps) === false)
				throw new VirtError("CONFIG_UNSUPPORTED", `virtio ${entry.kind} cannot have an address of type '${type}'`);
		}
}

function placeDevice(
	entry: DeviceEntry<DeviceInfo>,
	device: DeviceInfo,
	need: PciNeed,
	context: DefineContext,
	set: PciAddressSet,
): void {
	const group = entry.isolationGroup?.(device, context);
	const part = entry.pciFunction?.(device, context);
	if (part?.beside) {
		const { domain, bus, slot } = part.beside;
		const place = { domain, bus, slot, function: part.function };
		set.reserve(place, need, group);
		setPciAddress(device, place, part.multifunction);
		return;
	}
	const place = set.reserveNext(need, group, part?.function);
	if (!set.options.trial) setPciAddress(device, place, part?.multifunction);
}

/** Whether the device has no address, or one that says no more than "PCI". */
function isWanted({ address }: DeviceInfo): boolean {
	return address === undefined || (address.type === "pci" && isEmptyPciAddress(address));
}

function setPciAddress(device: DeviceInfo, place: PciPlace, multifunction?: boolean): PciAddress {
	const zpci = device.address?.type === "pci" ? device.address.zpci : undefined;
	const { domain, bus, slot, function: fn } = place;
	const address: PciAddress = { type: "pci", domain, bus, slot, function: fn };
	if (multifunction !== undefined) address.multifunction = multifunction;
	if (zpci !== undefined) address.zpci = zpci;
	device.address = address;
	return address;
}

/** Marks function 0 of every slot that holds more functions, unless the document says otherwise. */
function markMultifunction(context: DefineContext): void {
	const addresses = [...allDevices(context)].flatMap(({ device: { address } }) =>
		address?.type === "pci" ? [address] : [],
	);
	const slotOf = ({ domain, bus, slot }: PciAddress): string => `${domain}:${bus}:${slot}`;
	const first = new Map<string, PciAddress>();
	for (const address of addresses)
		if (address.function === 0 && !first.has(slotOf(address))) first.set(slotOf(address), address);
	for (const address of addresses) {
		const head = address.function === 0 ? undefined : first.get(slotOf(address));
		if (head) head.multifunction ??= true;
	}
}
