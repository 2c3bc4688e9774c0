// The order in which disks and controllers stand in a definition, whatever order the document has them in.

import type { XmlElement } from "@virtkit/xml/node";
import { documentError, positionOf } from "@virtkit/xml/read";
import type { ControllerDef } from "./controller.ts";
import type { DiskDef } from "./disk.ts";
import { diskNameIndex } from "./disk-name.ts";

/** Disks of one bus stand together, by name. */
export function orderDisks(disks: readonly DiskDef[]): DiskDef[] {
	const ordered: DiskDef[] = [];
	for (const disk of disks) ordered.splice(placeOfDisk(ordered, disk), 0, disk);
	return ordered;
}

/** `disks`, which stand as they stand, with one more in its place. */
export function insertDisk(disks: readonly DiskDef[], disk: DiskDef): DiskDef[] {
	return disks.toSpliced(placeOfDisk(disks, disk), 0, disk);
}

/** `controllers`, which stand as they stand, with one more in its place. */
export function insertController(controllers: readonly ControllerDef[], controller: ControllerDef): ControllerDef[] {
	return controllers.toSpliced(placeOfController(controllers, controller), 0, controller);
}

function placeOfDisk(ordered: readonly DiskDef[], { target }: DiskDef): number {
	let place: number | undefined;
	for (const [position, { target: other }] of [...ordered.entries()].reverse()) {
		if (other.bus !== target.bus) continue;
		const isLater =
			other.dev !== undefined && target.dev !== undefined && diskNameIndex(other.dev) > diskNameIndex(target.dev);
		if (isLater) place = position;
		else place ??= position + 1;
	}
	return place ?? ordered.length;
}

/** Controllers of one type stand together, by index; an EHCI controller before its companions. */
export function orderControllers(controllers: readonly ControllerDef[]): ControllerDef[] {
	const ordered: ControllerDef[] = [];
	for (const controller of controllers) ordered.splice(placeOfController(ordered, controller), 0, controller);
	return ordered;
}

function placeOfController(ordered: readonly ControllerDef[], { type, index, master }: ControllerDef): number {
	let place: number | undefined;
	for (const [position, other] of [...ordered.entries()].reverse()) {
		if (other.type !== type) continue;
		if (index === undefined) return position + 1;
		const otherIndex = other.index ?? -1;
		if (otherIndex > index || (otherIndex === index && !master && other.master)) place = position;
		else place ??= position + 1;
	}
	return place ?? ordered.length;
}

/** Throws XML_DETAIL where "no USB" stands beside USB controllers, or companions beside no EHCI controller. */
export function checkUsbControllers(controllers: readonly ControllerDef[], found: XmlElement): void {
	const usb = controllers.filter(({ type }) => type === "usb");
	const none = usb.find(({ model }) => model === "none");
	if (none && usb.length > 1)
		throw documentError(
			positionOf(none),
			"Can't add another USB controller: USB is disabled for this domain",
			"XML_DETAIL",
		);
	if (usb.length > 0 && usb.every(({ master }) => master))
		throw documentError(found, "No master USB controller specified", "XML_DETAIL");
}
