// The kinds of devices by their element's name, and where a definition keeps them.

import { VirtError } from "@virtkit/base/errors";
import type { ControllerDef } from "@virtkit/model/domain/controller";
import {
	type DeviceMember,
	devicesOf,
	memberOf,
	parseDevice,
	withDevices,
} from "@virtkit/model/domain/device-document";
import { insertController, insertDisk } from "@virtkit/model/domain/device-order";
import type { DiskDef } from "@virtkit/model/domain/disk";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { Hotplug } from "../devices/entry.ts";
import { type AnyEntry, COMPLETED } from "../devices/registry.ts";

/** A device with all that is known of its kind. */
export interface Pluggable {
	readonly entry: AnyEntry;
	readonly member: DeviceMember;
	readonly device: object;
}

/** A device whose kind can come and go. */
export interface KnownPluggable extends Pluggable {
	readonly hotplug: Hotplug<object>;
}

const ENTRIES: ReadonlyMap<string, AnyEntry> = new Map(COMPLETED.map((entry) => [entry.kind, entry]));

/** What libvirt calls the kind in messages: whatever has a character device is a "chr". */
export function kindName(kind: string): string {
	return ["serial", "parallel", "console", "channel"].includes(kind) ? "chr" : kind;
}

/** The device that `xml` spells. `live`: the document may say what only a running guest has. */
export function readPluggable(xml: string, live: boolean): Pluggable {
	const { kind, member, device } = parseDevice(xml, { strict: false, live });
	const entry = ENTRIES.get(kind);
	if (entry === undefined) throw new VirtError("OPERATION_UNSUPPORTED", `device '${kind}' cannot be plugged`);
	return { entry, member, device };
}

/** How the device comes and goes; throws in libvirt's words where it does not. */
export function knownPluggable(found: Pluggable, action: string, live: boolean): KnownPluggable {
	const { hotplug } = found.entry;
	const isFixed = hotplug?.only === "update" ? action !== "update" : hotplug?.only === "stored" && live;
	if (hotplug === undefined || isFixed)
		// As libvirt has it, of changes of a running guest alone.
		throw new VirtError(
			live && action === "update" ? "CONFIG_UNSUPPORTED" : "OPERATION_UNSUPPORTED",
			`${live ? "live" : "persistent"} ${action} of device '${kindName(found.entry.kind)}' is not supported`,
		);
	return { ...found, hotplug };
}

/** Members in which devices have their places; others come last. */
const INSERT: Partial<Record<DeviceMember, (held: readonly object[], device: object) => object[]>> = {
	disks: (held, device) => insertDisk(held as DiskDef[], device as DiskDef),
	controllers: (held, device) => insertController(held as ControllerDef[], device as ControllerDef),
};

/** The same definition with the device in it. Nothing of the given one is changed. */
export function withDevice(def: DomainDef, { member, device }: Pick<Pluggable, "member" | "device">): DomainDef {
	const held = devicesOf(def.devices, member);
	const insert = INSERT[member];
	return withList(def, member, insert ? insert(held, device) : [...held, device]);
}

/** The same definition without the device. */
export function withoutDevice(def: DomainDef, { member, device }: Pick<Pluggable, "member" | "device">): DomainDef {
	return withList(
		def,
		member,
		devicesOf(def.devices, member).filter((each) => each !== device),
	);
}

/** The same definition with another device in one's place. */
export function withReplaced(
	def: DomainDef,
	{ member, device }: Pick<Pluggable, "member" | "device">,
	other: object,
): DomainDef {
	return withList(
		def,
		member,
		devicesOf(def.devices, member).map((each) => (each === device ? other : each)),
	);
}

/** The same definition with these devices alone. */
export function withOnly(def: DomainDef, kept: readonly Pick<Pluggable, "device">[]): DomainDef {
	const devices = new Set(kept.map(({ device }) => device));
	const lists = Object.entries(def.devices).map(([member, held]) => [
		member,
		Array.isArray(held)
			? held.filter((device) => devices.has(device as object))
			: devices.has(held as object)
				? held
				: undefined,
	]);
	return { ...def, devices: Object.fromEntries(lists) as DomainDef["devices"] };
}

function withList(def: DomainDef, member: DeviceMember, held: readonly object[]): DomainDef {
	return { ...def, devices: withDevices(def.devices, member, held) };
}

/** Every device of the definition that comes and goes by its kind's rules. */
export function* pluggables(def: DomainDef): Generator<KnownPluggable> {
	for (const entry of COMPLETED) {
		const { hotplug } = entry;
		if (hotplug === undefined || hotplug.only !== undefined) continue;
		for (const device of entry.list(def)) yield { entry, member: memberOf(entry.kind), device, hotplug };
	}
}
