// Holds a guest to the device nodes of the host that its definition needs, by the device list of its control group.

import { existsSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { type DeviceRule, deviceNumbers, setDeviceList } from "@virtkit/host/cgroup/device-list";
import { systemError } from "@virtkit/host/system-error";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { GraphicsDef } from "@virtkit/model/domain/graphics";
import { formatPciPlace } from "../addresses/pci-set.ts";
import { type DiskImage, imageChain } from "../devices/disk-image.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { groupNode, pciFolder } from "../host-devices/pci-driver.ts";
import { hostDeviceNodes } from "../host-devices/use.ts";
import type { HostFiles } from "../host-files.ts";

/** A node that the guest's QEMU opens. */
interface DeviceNode {
	readonly path: string;
	readonly write: boolean;
	/** It may be missing, or unreadable to us: then there is nothing to allow. */
	readonly optional?: boolean;
}

/** What every guest may use unless cgroup_device_acl says otherwise (libvirt's own list). */
export const DEFAULT_DEVICE_LIST: readonly string[] = [
	"/dev/null",
	"/dev/full",
	"/dev/zero",
	"/dev/random",
	"/dev/urandom",
	"/dev/ptmx",
	"/dev/kvm",
];

/** Major numbers of Linux: pseudo-terminals, and sound cards. */
const PTY_MAJOR = 136;
const SOUND_MAJOR = 116;

const VFIO = "/dev/vfio/vfio";
const MAPPER_CONTROL = "/dev/mapper/control";
const SGX = ["/dev/sgx_vepc", "/dev/sgx_provision"];

const use = (path: string): DeviceNode => ({ path, write: true });
const useAll = (paths: readonly (string | undefined)[]): DeviceNode[] =>
	paths.filter((path) => path !== undefined && path !== "").map((path) => use(path as string));

function imageNodes({ type, source, readonly }: DiskImage, files: HostFiles): DeviceNode[] {
	if (type === "nvme") {
		// QEMU asks the device things that the kernel counts as writing.
		const group = source.address && groupNode(pciFolder(formatPciPlace(source.address)), files);
		return group === undefined ? [] : useAll([VFIO, group]);
	}
	const path = type === "file" ? source.file : type === "block" ? source.dev : undefined;
	if (path === undefined || source.fdgroup !== undefined) return [];
	const nodes = [{ path, write: !readonly, optional: true }];
	return source.reservations?.managed ? [...nodes, { ...use(MAPPER_CONTROL), optional: true }] : nodes;
}

function firmwareNodes({ os: { loader, nvram } }: DomainDef): DeviceNode[] {
	const nodes: DeviceNode[] = [];
	if (loader?.path !== undefined) nodes.push({ path: loader.path, write: loader.readonly !== true, optional: true });
	if (nvram?.path !== undefined) nodes.push({ ...use(nvram.path), optional: true });
	return nodes;
}

function chardevNodes({ devices }: DomainDef): DeviceNode[] {
	const { serials, parallels, consoles, channels, tpms } = devices;
	const sources = [...serials, ...parallels, ...consoles, ...channels].filter(({ type }) => type === "dev");
	return useAll([
		...sources.map(({ source }) => source?.path),
		...tpms.map((tpm) => (tpm.backend.type === "passthrough" ? tpm.backend.device?.path : undefined)),
	]);
}

function renderNode(graphics: GraphicsDef): string | undefined {
	const gl = "gl" in graphics ? graphics.gl : undefined;
	return gl && "rendernode" in gl ? gl.rendernode : undefined;
}

function otherNodes({ devices, launchSecurity }: DomainDef): DeviceNode[] {
	const memories = devices.memories.filter(({ model }) => model === "nvdimm" || model === "virtio-pmem");
	const sgx = devices.memories.some(({ model }) => model === "sgx-epc") ? SGX.filter((path) => existsSync(path)) : [];
	return useAll([
		...memories.map(({ source }) => source?.path),
		...sgx,
		...devices.graphics.map(renderNode),
		...devices.videos.map(({ model }) => model.acceleration?.rendernode),
		...devices.inputs.map(({ source }) => source?.evdev ?? source?.dev),
		...devices.rngs.map(({ backend }) => (backend.model === "random" ? backend.file : undefined)),
		launchSecurity?.type === "sev" ? "/dev/sev" : undefined,
	]);
}

/** The nodes that the definition's devices need, by path. */
export function deviceNodes(def: DomainDef, files: HostFiles): DeviceNode[] {
	const images = def.devices.disks.flatMap(imageChain).flatMap((image) => imageNodes(image, files));
	const assigned = hostDeviceNodes(def, files);
	const vfio = assigned.some(({ path }) => path.startsWith("/dev/vfio/")) ? [use(VFIO)] : [];
	return [...firmwareNodes(def), ...images, ...chardevNodes(def), ...assigned, ...vfio, ...otherNodes(def)];
}

/** The rule for a node; none where it is a plain file. Throws SYSTEM_ERROR where it is not there. */
function ruleOf({ path, write, optional }: DeviceNode): DeviceRule[] {
	try {
		const numbers = deviceNumbers(path);
		return numbers ? [{ ...numbers, access: write ? "rw" : "r" }] : [];
	} catch (error) {
		if (optional) return [];
		throw systemError(`Path '${path}' is not accessible`, error);
	}
}

const all = (major: number): DeviceRule => ({ type: "c", major, minor: undefined, access: "rw" });

/** Every rule of a guest's list. */
function deviceRules({ settings, host }: Driver, def: DomainDef): DeviceRule[] {
	const common = (settings.cgroupDeviceAcl ?? DEFAULT_DEVICE_LIST).filter((path) => existsSync(path)).map(use);
	const { sounds, graphics } = def.devices;
	const hostSound = sounds.length > 0 && graphics[0]?.type === "sdl";
	return [
		...[...common, ...deviceNodes(def, host.files)].flatMap(ruleOf),
		all(PTY_MAJOR),
		...(hostSound ? [all(SOUND_MAJOR)] : []),
	];
}

/** Throws SYSTEM_ERROR, before anything is made for the guest, where a device it is to be held to is not there. */
export function checkDevices(driver: Driver, def: DomainDef): void {
	const { usable, missing } = driver.cgroups;
	if (usable && missing.every(({ controller }) => controller !== "devices")) deviceRules(driver, def);
}

/** Runs whose lists the host does not let us write. */
const UNLISTED = new WeakSet<Run>();

/**
 * Allows the run the device nodes that `def` needs and takes away all others; nothing where its group has no device list.
 *
 * Throws SYSTEM_ERROR naming the node that is not there, or where the list cannot be written. That the host forbids lists
 * altogether is no more than a warning, as with libvirt.
 */
export function admitDevices(driver: Driver, run: Run, def: DomainDef): void {
	const group = run.cgroups?.guest;
	if (!group?.has("devices") || UNLISTED.has(run)) return;
	try {
		setDeviceList(group, deviceRules(driver, def));
	} catch (error) {
		if (!(error instanceof VirtError) || error.int1 !== EPERM) throw error;
		UNLISTED.add(run);
		driver.log.warn(`'${def.name}' is not held to its devices: ${error.message}`);
	}
}

const EPERM = 1;
