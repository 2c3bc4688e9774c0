// Which device of the host a definition's device is, what it needs to be given to a guest, and through which node QEMU reaches it.

import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { HostdevDef } from "@virtkit/model/domain/hostdev";
import type { InterfaceDef } from "@virtkit/model/domain/interface";
import { formatPciPlace } from "../addresses/pci-set.ts";
import type { EmulatorCapabilities } from "../capabilities/emulator.ts";
import { genericDevice } from "../devices/hostdev-build.ts";
import type { HostFiles } from "../host-files.ts";
import { checkPciDevice, groupNode, pciFolder, VFIO } from "./pci-driver.ts";
import { findUsbDevice, usbName, usbNode } from "./usb-device.ts";

export type HostDeviceKind = "pci" | "usb" | "scsi" | "scsi_host" | "mdev";

/** One device of the host that a guest has. */
export interface HostDeviceUse {
	readonly kind: HostDeviceKind;
	/** As libvirt's messages name it: `0000:01:00.0`, `001:004`. */
	readonly name: string;
	/** The daemon takes it from its driver and gives it back. */
	readonly managed: boolean;
	/** Others may have it too, where they say so as well. */
	readonly shareable: boolean;
}

export type Assigned = HostdevDef | InterfaceDef;

export interface UseContext {
	readonly files: HostFiles;
	readonly caps: EmulatorCapabilities;
	/** The guest starts, rather than goes on or gets the device while it runs. */
	readonly boots: boolean;
}

/** All devices of the host that the definition has. */
export function assignedDevices({ devices: { hostdevs, interfaces } }: DomainDef): Assigned[] {
	return [
		...hostdevs.filter(({ mode }) => mode === "subsystem"),
		...interfaces.filter(({ type }) => type === "hostdev"),
	];
}

const mdevFolder = (uuid: string): string => `/sys/bus/mdev/devices/${uuid}`;

/** What the device, settled, uses of the host; undefined where it uses nothing that others could. */
export function useOf(device: Assigned): HostDeviceUse | undefined {
	const { usb, pci } = device;
	const use = (kind: HostDeviceKind, name: string, shareable = false): HostDeviceUse => ({
		kind,
		name,
		managed: kind === "pci" && device.managed === true,
		shareable,
	});
	if (pci) return use("pci", formatPciPlace(pci.address));
	if (usb) return usb.address && !usb.missing ? use("usb", usbName(usb.address)) : undefined;
	const { scsi, scsiHost, mdev, shareable } = device as HostdevDef;
	if (scsiHost?.wwpn !== undefined) return use("scsi_host", scsiHost.wwpn);
	if (mdev?.address?.uuid !== undefined) return use("mdev", mdevFolder(mdev.address.uuid));
	if (!scsi || scsi.protocol === "iscsi") return undefined;
	const { bus = 0, target = 0, unit = 0 } = scsi.address ?? {};
	return use("scsi", `${scsi.adapter?.name?.replace(/^scsi_host/, "")}:${bus}:${target}:${unit}`, shareable === true);
}

/**
 * Settles what the document leaves to the host: the place of a USB device, the driver of a PCI device.
 *
 * @throws VirtError naming the device that is not there or cannot be given to a guest.
 */
export function settleUse(device: Assigned, context: UseContext): HostDeviceUse | undefined {
	const { usb, pci } = device;
	if (pci) settlePci(device, context);
	else if (usb) {
		const { startupPolicy: policy } = usb;
		const mandatory = policy !== "optional" && (policy !== "requisite" || context.boots);
		findUsbDevice(usb, mandatory, context.files);
	} else checkOther(device as HostdevDef, context);
	return useOf(device);
}

function settlePci(device: Assigned, context: UseContext): void {
	const isInterface = "hostKind" in device;
	const driver = isInterface ? device.hostDriver : (device as HostdevDef).driver;
	checkPassthrough(driver?.name, context);
	checkPciDevice(formatPciPlace(device.pci?.address ?? NOWHERE), context);
	const settled = { ...driver, name: "vfio" as const };
	if (isInterface) device.hostDriver = settled;
	else (device as HostdevDef).driver = settled;
}

const NOWHERE = { domain: 0, bus: 0, slot: 0, function: 0 };

/** Whether the host can give devices to guests: it has an IOMMU, and the kernel its interface. */
const hasVfio = (files: HostFiles): boolean =>
	(files.list("/sys/kernel/iommu_groups") ?? []).length > 0 && files.exists(VFIO);

/** Throws CONFIG_UNSUPPORTED where the host or the emulator cannot give PCI devices to guests. */
function checkPassthrough(driver: string | undefined, { files, caps }: UseContext): void {
	const fail = (what: string): never => {
		throw new VirtError("CONFIG_UNSUPPORTED", what);
	};
	const isServed = hasVfio(files);
	if (driver === "kvm") fail("host doesn't support legacy PCI passthrough");
	if (driver === "xen") fail("QEMU does not support device assignment mode 'xen'");
	if (driver === "vfio" && !isServed) fail("host doesn't support VFIO PCI passthrough");
	if (!isServed || !caps.has("vfio-pci")) fail("host doesn't support passthrough of host PCI devices");
}

function checkOther({ scsi, mdev, managed, model }: HostdevDef, { files }: UseContext): void {
	if (scsi && scsi.protocol !== "iscsi") {
		if (managed) throw new VirtError("XML_ERROR", "SCSI host device doesn't support managed mode");
		genericDevice(scsi, files);
	}
	const uuid = mdev?.address?.uuid;
	if (uuid === undefined) return;
	// Of these the parent sees to isolation, so that an IOMMU is not asked for.
	if (!files.exists(VFIO))
		throw new VirtError("CONFIG_UNSUPPORTED", "Mediated host device assignment requires VFIO support");
	const folder = mdevFolder(uuid);
	if (files.list(folder) === undefined) throw new VirtError("DEVICE_MISSING", `mediated device '${uuid}' not found`);
	const api = files.read(`${folder}/mdev_type/device_api`)?.trim();
	if (api !== model)
		throw new VirtError(
			"INTERNAL_ERROR",
			`invalid device API '${model}' for device ${folder}: device only supports '${api}'`,
		);
}

/** The nodes in /dev through which QEMU reaches the definition's devices of the host. */
export function hostDeviceNodes(def: DomainDef, files: HostFiles): { path: string; write: boolean }[] {
	return assignedDevices(def).flatMap((device) => {
		const path = nodeOf(device, files);
		return path === undefined ? [] : [{ path, write: !("readonly" in device && device.readonly) }];
	});
}

function nodeOf(device: Assigned, files: HostFiles): string | undefined {
	const { usb, pci } = device;
	if (pci) return groupNode(pciFolder(formatPciPlace(pci.address)), files);
	if (usb) return usb.address && !usb.missing ? usbNode(usb.address) : undefined;
	const { scsi, mdev } = device as HostdevDef;
	if (mdev?.address?.uuid !== undefined) return groupNode(mdevFolder(mdev.address.uuid), files);
	if (!scsi || scsi.protocol === "iscsi") return undefined;
	try {
		return genericDevice(scsi, files);
	} catch {
		// A unit that is gone needs nothing.
		return undefined;
	}
}
