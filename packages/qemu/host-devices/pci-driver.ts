// Takes PCI devices of the host from their drivers for vfio-pci, which gives them to guests, and gives them back.

import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "@virtkit/host/system-error";
import { type HostFiles, hostFiles } from "../host-files.ts";

/** Where the kernel gives devices of the host to programs; not there until its module is loaded, unless systemd saw to it. */
export const VFIO = "/dev/vfio/vfio";

/** The driver that gives devices to guests. */
const VFIO_PCI = "vfio-pci";

const BUS = "/sys/bus/pci";

/** The part of the host that devices are taken on. */
export interface PciHost {
	readonly files: HostFiles;
	/** Not on the caller's thread: the kernel may wait for whoever holds the device. */
	write(path: string, text: string): Promise<void>;
	loadModule(name: string): Promise<void>;
}

/** The host that this is. */
export const pciHost: PciHost = {
	files: hostFiles,
	write: (path, text) => writeFile(path, text),
	loadModule: async (name) => void (await promisify(execFile)("modprobe", ["-b", name])),
};

const fileOf = (name: string, file: string): string => `${BUS}/devices/${name}/${file}`;

/** The driver that has the device; undefined where none has. */
export function driverOf(name: string, { files }: Pick<PciHost, "files">): string | undefined {
	return files.link(fileOf(name, "driver"))?.split("/").at(-1);
}

/** Whether the device is one that guests can have as it is. */
export const isTaken = (name: string, host: Pick<PciHost, "files">): boolean => driverOf(name, host) === VFIO_PCI;

/** Names of the devices that the IOMMU cannot tell from this one, itself among them. */
export function groupOf(name: string, files: HostFiles): readonly string[] {
	return files.list(fileOf(name, "iommu_group/devices")) ?? [];
}

/** The node through which QEMU reaches a device's group; undefined where the device is in none. */
export function groupNode(folder: string, files: HostFiles): string | undefined {
	const group = files.link(`${folder}/iommu_group`)?.split("/").at(-1);
	return group === undefined ? undefined : `/dev/vfio/${group}`;
}

export const pciFolder = (name: string): string => `${BUS}/devices/${name}`;

/** PCI's classes of bridges, which have devices behind them. */
const BRIDGE_CLASSES = /^0x06(?:04|07|09)/;

/** Throws where there is no such device, and where it is one that no guest can have. */
export function checkPciDevice(name: string, { files }: Pick<PciHost, "files">): void {
	const folder = pciFolder(name);
	if (!files.exists(folder) && files.list(folder) === undefined)
		throw new VirtError(
			"SYSTEM_ERROR",
			`Device ${name} not found: could not access ${folder}/config: No such file or directory`,
		);
	if (BRIDGE_CLASSES.test(files.read(fileOf(name, "class")) ?? ""))
		throw new VirtError("INTERNAL_ERROR", "Non-endpoint PCI devices cannot be assigned to guests");
}

/** Takes the device from the driver that has it, which `takeDevice` then is not asked to do. */
async function rebind(name: string, host: PciHost): Promise<void> {
	const driver = driverOf(name, host);
	if (driver !== undefined)
		await host.write(fileOf(name, "driver/unbind"), name).catch((error) => {
			throw systemError(`Failed to unbind PCI device '${name}' from ${driver}`, error);
		});
	await host.write(`${BUS}/drivers_probe`, name).catch((error) => {
		throw systemError(`Failed to trigger a probe for PCI device '${name}'`, error);
	});
}

async function override(name: string, driver: string, host: PciHost): Promise<void> {
	await host.write(fileOf(name, "driver_override"), driver || "\n").catch((error) => {
		throw systemError(`Failed to add driver '${driver}' to driver_override interface of PCI device '${name}'`, error);
	});
	await rebind(name, host);
}

/** Has the kernel load vfio-pci where it can; where it cannot, what is missing is told of when it is looked for. */
export async function loadVfio(host: PciHost): Promise<void> {
	await host.loadModule(VFIO_PCI).catch(() => undefined);
}

/**
 * Gives the device to vfio-pci, where it has not it already.
 *
 * @throws VirtError INTERNAL_ERROR where the kernel has no vfio-pci, SYSTEM_ERROR where it refuses; the device is its driver's then.
 */
export async function takeDevice(name: string, host: PciHost): Promise<void> {
	if (!host.files.exists(`${BUS}/drivers/${VFIO_PCI}`)) await loadVfio(host);
	if (!host.files.exists(`${BUS}/drivers/${VFIO_PCI}`))
		throw new VirtError("INTERNAL_ERROR", `Failed to load PCI stub module ${VFIO_PCI}`);
	if (isTaken(name, host)) return;
	try {
		await override(name, VFIO_PCI, host);
		if (!isTaken(name, host))
			throw new VirtError("INTERNAL_ERROR", `PCI device '${name}' was not taken by ${VFIO_PCI}: see the kernel's log`);
	} catch (error) {
		await returnDevice(name, host).catch(() => undefined);
		throw error;
	}
}

/** Gives the device back to the driver that the kernel chooses for it. Throws SYSTEM_ERROR where the kernel refuses. */
export async function returnDevice(name: string, host: PciHost): Promise<void> {
	await override(name, "", host);
}
