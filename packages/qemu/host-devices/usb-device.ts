// Finds USB devices of the host by vendor and product, by place, or by both.

import { VirtError } from "@virtkit/base/errors";
import type { HostUsbSource } from "@virtkit/model/domain/host-device";
import type { HostFiles } from "../host-files.ts";

const FOLDER = "/sys/bus/usb/devices";

/** Where a device is plugged in, and what it says it is. */
export interface UsbDevice {
	readonly bus: number;
	readonly device: number;
	readonly vendor: number;
	readonly product: number;
	/** Where on its bus it is plugged in, 1.2. */
	readonly port?: string | undefined;
}

/** A place on the host; the device's number is known once it was looked for. */
type Place = { readonly bus: number; readonly device?: number | undefined };

function listUsbDevices(files: HostFiles): UsbDevice[] {
	const names = files.list(FOLDER);
	if (names === undefined)
		throw new VirtError("SYSTEM_ERROR", `cannot open directory '${FOLDER}': No such file or directory`);
	return names
		.filter((name) => !name.includes(":"))
		.map((name) => {
			const read = (file: string, base: number): number =>
				Number.parseInt(files.read(`${FOLDER}/${name}/${file}`) ?? "", base);
			return {
				bus: read("busnum", 10),
				device: read("devnum", 10),
				vendor: read("idVendor", 16),
				product: read("idProduct", 16),
				port: /^\d+-(.+)$/.exec(name)?.[1],
			};
		});
}

/** `001:004`, as libvirt's messages have it. */
export const usbName = ({ bus, device = 0 }: Place): string =>
	[bus, device].map((number) => String(number).padStart(3, "0")).join(":");

/** The node through which programs reach the device. */
export const usbNode = (place: Place): string => `/dev/bus/usb/${usbName(place).replace(":", "/")}`;

interface Wish {
	readonly id?: { readonly vendor: number; readonly product: number } | undefined;
	readonly place?: (Place & { readonly port?: string | undefined }) | undefined;
}

function wishOf({ vendor, product, address }: HostUsbSource): Wish {
	const { bus = 0, device = 0, port } = address ?? {};
	const byPort = port !== undefined && !device;
	return {
		id: vendor?.id ? { vendor: vendor.id, product: product?.id ?? 0 } : undefined,
		place: byPort ? { bus, port } : bus || device ? { bus, device } : undefined,
	};
}

const hex = (number: number): string => number.toString(16).padStart(4, "0");

function describe({ id, place }: Wish): string {
	const parts = [
		id && `${hex(id.vendor)}:${hex(id.product)}`,
		place && `bus:${place.bus} ${place.port === undefined ? `device:${place.device}` : `port:${place.port}`}`,
	];
	return parts.filter((part) => part !== undefined).join(" ");
}

function search({ id, place }: Wish, files: HostFiles): UsbDevice[] {
	return listUsbDevices(files).filter(
		(one) =>
			(id === undefined || (one.vendor === id.vendor && one.product === id.product)) &&
			(place === undefined ||
				(one.bus === place.bus && (place.port === undefined ? one.device === place.device : one.port === place.port))),
	);
}

/**
 * The host's device that the source means, and its place in the source; undefined where it may be missing and is.
 *
 * A place that was found by vendor and product (autoAddress) is looked at first, and the device may have moved since.
 * @throws VirtError INTERNAL_ERROR where there is none, OPERATION_FAILED where it could be any of several.
 */
export function findUsbDevice(source: HostUsbSource, mandatory: boolean, files: HostFiles): UsbDevice | undefined {
	const wish = wishOf(source);
	const moved = source.autoAddress === true && wish.id !== undefined;
	const [exact, other] = search(wish, files);
	const found =
		exact && (wish.place || !other) ? exact : moved ? searchAgain(wish, files) : severalOf(wish, exact, other);
	if (found === undefined) {
		if (mandatory)
			throw new VirtError("INTERNAL_ERROR", `Did not find USB device ${describe(moved ? { id: wish.id } : wish)}`);
		source.missing = true;
		return undefined;
	}
	delete source.missing;
	if (wish.id && (!wish.place || moved)) {
		source.address = { bus: found.bus, device: found.device };
		source.autoAddress = true;
	}
	if (source.address?.port !== undefined) source.address.device = found.device;
	return found;
}

function severalOf({ id }: Wish, ...found: readonly (UsbDevice | undefined)[]): undefined {
	if (id === undefined || found.filter(Boolean).length < 2) return undefined;
	throw new VirtError(
		"OPERATION_FAILED",
		`Multiple USB devices for ${id.vendor.toString(16)}:${id.product.toString(16)}, use <address> to specify one`,
	);
}

/** The device has moved since it was found. */
function searchAgain({ id, place }: Wish, files: HostFiles): UsbDevice | undefined {
	const [found, other] = search({ id }, files);
	if (id === undefined || other === undefined) return found;
	throw new VirtError(
		"OPERATION_FAILED",
		`Multiple USB devices for ${id.vendor.toString(16)}:${id.product.toString(16)} were found, but none of them is at bus:${place?.bus} device:${place?.device}`,
	);
}
