// Devices of the host that are plugged into a running guest and out of it.

import { VirtError } from "@virtkit/base/errors";
import type { HostdevDef } from "@virtkit/model/domain/hostdev";
import { formatPciPlace } from "../addresses/pci-set.ts";
import { claimDevices, releaseDevice } from "../host-devices/claim.ts";
import { openHostdev } from "../lifecycle/host-descriptors.ts";
import { raiseMemlock } from "../lifecycle/memory-lock.ts";
import { nextImageNumber } from "./disk-image.ts";
import { neededScsiControllers } from "./disk-plug.ts";
import type { DefineContext, Hotplug, LiveContext, PlugContext } from "./entry.ts";
import { hasBackend, nameBackend } from "./hostdev-build.ts";
import { isDescribedBy } from "./plug-find.ts";

/** Whether both are the same device of the host. */
function isSameSource(wanted: HostdevDef, other: HostdevDef): boolean {
	const { mode, type, usb, pci, scsi, scsiHost, mdev } = wanted;
	return isDescribedBy({ mode, type, usb: usb && placeOf(usb), pci, scsi, scsiHost, mdev }, other);
}

/** What a USB device is found by; where both are told, its place. */
function placeOf({ vendor, product, address }: NonNullable<HostdevDef["usb"]>): object {
	return address?.bus || address?.device ? { address } : { vendor, product };
}

function checkAttach(device: HostdevDef, { def }: DefineContext, live: boolean): void {
	if (live && device.mode !== "subsystem")
		throw new VirtError("CONFIG_UNSUPPORTED", `hotplug is not supported for hostdev mode '${device.mode}'`);
	if (def.devices.hostdevs.some((other) => isSameSource(device, other)))
		throw new VirtError(
			"OPERATION_INVALID",
			live ? "device is already in use" : "device is already in the domain configuration",
		);
}

async function prepare(device: HostdevDef, context: PlugContext): Promise<void> {
	const { driver, domain, run, def, descriptors, undo } = context;
	const fds = openHostdev(device);
	if (fds.length > 0) descriptors.set(device, fds);
	await claimDevices(driver, domain, run, [device], false);
	undo.defer("the device of the host", () => releaseDevice(driver, run, device));
	const lower = raiseMemlock(driver, run, def);
	if (lower) undo.defer("the limit of locked memory", lower);
	if (device.scsi) nameNewBackend(device, context);
}

/** A name that no node of the guest ever had. */
function nameNewBackend(device: HostdevDef, { run, def }: PlugContext): void {
	const units = def.devices.hostdevs.filter(({ type }) => type === "scsi").length;
	run.lastImage = Math.max(run.lastImage + 1, nextImageNumber(def) + units);
	nameBackend(device, `libvirt-${run.lastImage}-backend`);
}

/** QEMU knows the name of the node that a former daemon gave the unit, as long as the unit is there. */
async function learnBackend(device: HostdevDef, { run }: LiveContext): Promise<undefined> {
	if (!device.scsi || hasBackend(device) || device.alias === undefined) return;
	const path = `/machine/peripheral/${device.alias}`;
	const node = await run.monitor.execute("qom-get", { path, property: "drive" }).catch(() => undefined);
	if (typeof node === "string" && node !== "") nameBackend(device, node);
}

/** libvirt's words for a device that the running guest has not. */
function describe({ pci, usb, scsi, mdev, type }: HostdevDef): string {
	if (pci) return `host pci device ${formatPciPlace(pci.address)} not found`;
	if (usb) {
		const { address, vendor, product } = usb;
		const digits = (value: number): string => String(value).padStart(3, "0");
		if (address?.bus && address.device)
			return `host usb device ${digits(address.bus)}.${digits(address.device)} not found`;
		const hex = (value = 0): string => `0x${value.toString(16).padStart(4, "0")}`;
		return `host usb device vendor=${hex(vendor?.id)} product=${hex(product?.id)} not found`;
	}
	if (scsi?.protocol === "iscsi") return `host scsi iSCSI path ${scsi.name} not found`;
	if (scsi) {
		const { bus = 0, target = 0, unit = 0 } = scsi.address ?? {};
		return `host scsi device ${scsi.adapter?.name}:${bus}:${target}.${unit} not found`;
	}
	return mdev ? `mediated device '${mdev.address?.uuid}' not found` : `host ${type} device not found`;
}

function find(wanted: HostdevDef, { def }: DefineContext, live: boolean): HostdevDef {
	if (live && wanted.mode !== "subsystem")
		throw new VirtError("CONFIG_UNSUPPORTED", `hot unplug is not supported for hostdev mode '${wanted.mode}'`);
	const found = def.devices.hostdevs.find((other) => isSameSource(wanted, other));
	if (found) return found;
	throw new VirtError("DEVICE_MISSING", live ? describe(wanted) : "device not present in domain configuration");
}

export const hostdevHotplug: Hotplug<HostdevDef> = {
	checkAttach,
	needs: ({ type, address }, context) => (type === "scsi" ? neededScsiControllers(address, context) : []),
	prepare,
	find,
	unplug: learnBackend,
	release: (device, { driver, run }) => releaseDevice(driver, run, device),
};
