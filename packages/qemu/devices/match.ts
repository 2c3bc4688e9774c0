// Finds the device of a definition that a document describes, for kinds without a name of their own.

import { VirtError } from "@virtkit/base/errors";
import type { DeviceInfo } from "@virtkit/model/domain/device-common";

/** Members that say where a device is, not what it is. */
const PLACE: ReadonlySet<string> = new Set(["alias", "address", "acpi"]);

const text = (value: unknown): string =>
	JSON.stringify(value, (_, member: unknown) => {
		if (typeof member === "bigint") return String(member);
		if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
		return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
	});

/** Whether `wanted` describes `device`: same place as far as it names one, and of the rest what `what` picks is the same. */
export function describes<D extends DeviceInfo>(wanted: D, device: D, what: (device: D) => unknown = own): boolean {
	if (wanted.alias !== undefined && wanted.alias !== device.alias) return false;
	if (wanted.address !== undefined && text(wanted.address) !== text(device.address)) return false;
	return text(what(wanted)) === text(what(device));
}

/** What the device is, but for its place. */
function own(device: object): object {
	return Object.fromEntries(Object.entries(device).filter(([name]) => !PLACE.has(name)));
}

/** The first of `devices` that `wanted` describes. Throws DEVICE_MISSING with the message for the guest or the definition. */
export function findDescribed<D extends DeviceInfo>(
	wanted: D,
	devices: readonly D[],
	missing: string,
	what?: (device: D) => unknown,
): D {
	const found = devices.find((device) => describes(wanted, device, what));
	if (found) return found;
	throw new VirtError("DEVICE_MISSING", missing);
}
