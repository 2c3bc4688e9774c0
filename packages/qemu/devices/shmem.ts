// Memory shared between guests (ivshmem).

import { VirtError } from "@virtkit/base/errors";
import type { ShmemDef } from "@virtkit/model/domain/shmem";
import { conventionalSlot } from "../addresses/pci-need.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { addChardev } from "./chardev-build.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule, refuseDevice } from "./device-rule.ts";
import type { BuildContext, DefineContext, DeviceEntry } from "./entry.ts";
import { findDescribed, isDescribedBy } from "./plug-find.ts";

const MIB = 1024 * 1024;
/** What the device always had where nothing was said. */
const DEFAULT_SIZE = 4 * MIB;

/** What contradicts the model. */
const COMPLETION_RULES: readonly DeviceRule<ShmemDef>[] = [
	{
		broken: ({ model: { type }, server }) =>
			type === "ivshmem-doorbell" && !server && `shmem model '${type}' is supported only with a server`,
	},
	{
		broken: ({ model: { type }, msi }) =>
			type === "ivshmem-plain" && msi !== undefined && `shmem model '${type}' doesn't support msi`,
	},
	{
		broken: ({ model: { type }, server }) =>
			type === "ivshmem-plain" && server !== undefined && `shmem model '${type}' is supported only without a server`,
	},
	{
		broken: ({ model: { type }, size }) =>
			type === "ivshmem-doorbell" && Boolean(size) && `shmem model '${type}' does not support size setting`,
	},
];

function completeShmem(device: ShmemDef, context: DefineContext): void {
	const { type } = device.model;
	if (type !== "ivshmem-doorbell") device.size ||= DEFAULT_SIZE;
	if (type === "ivshmem") return;
	checkDeviceRules(COMPLETION_RULES, device, context);
	if (!device.server) return;
	device.msi ??= {};
	device.msi.ioeventfd ??= true;
}

const RULES: readonly DeviceRule<ShmemDef>[] = [
	{ broken: ({ name }) => name.includes("/") && `shmem name '${name}' cannot include '/'` },
	{ broken: ({ name }) => (name === "." || name === "..") && `shmem name cannot be equal to '${name}'` },
	{
		broken: ({ model: { type } }, { caps }) =>
			!caps.has(type) && `shmem model '${type}' is not supported by this QEMU binary`,
	},
];

const START_RULES: readonly DeviceRule<ShmemDef>[] = [
	{
		code: "XML_ERROR",
		broken: ({ size = 0 }) => size !== 0 && !Number.isInteger(Math.log2(size)) && "shmem size must be a power of two",
	},
	{
		code: "XML_ERROR",
		broken: ({ size = 0 }) => size !== 0 && size < MIB && "shmem size must be at least 1 MiB (1024 KiB)",
	},
];

const memoryId = ({ alias }: ShmemDef): string => `shmmem-${alias}`;
const chardevId = ({ alias }: ShmemDef): string => `char${alias}`;

/** The memory itself, for models that take it as an object. */
export function shmemObject(device: ShmemDef): JsonObject | undefined {
	if (device.model.type !== "ivshmem-plain") return undefined;
	const path = `/dev/shm/${device.name}`;
	return { "qom-type": "memory-backend-file", id: memoryId(device), "mem-path": path, size: device.size, share: true };
}

function roleProps({ role, server, model, size = 0, name, msi }: ShmemDef): JsonObject {
	if (model.type !== "ivshmem") {
		const master = role === undefined || server ? undefined : role === "master" ? "on" : "off";
		return { master };
	}
	return { size: `${Math.floor(size / MIB)}m`, shm: server ? undefined : name, msi: msi ? true : undefined };
}

/** The properties of the device, for -device and device_add. */
export function shmemProps(device: ShmemDef, context: DefineContext): JsonObject {
	const { model, server, msi } = device;
	return {
		driver: model.type,
		id: device.alias,
		...(model.type === "ivshmem" && roleProps(device)),
		chardev: server && chardevId(device),
		...(model.type !== "ivshmem" && { memdev: server ? undefined : memoryId(device), ...roleProps(device) }),
		vectors: msi?.vectors || undefined,
		ioeventfd: msi?.ioeventfd,
		...addressProps(device, context.def),
	};
}

function buildShmem(device: ShmemDef, context: BuildContext): void {
	checkDeviceRules(START_RULES, device, context);
	if (device.address?.type !== "pci")
		refuseDevice(device, "only 'pci' addresses are supported for the shared memory device");
	const object = shmemObject(device);
	if (object) context.command.addJson("-object", object);
	addDevice(device, shmemProps(device, context), context);
	const { server, name } = device;
	if (!server) return;
	// The server's well-known socket, where the document names none.
	const path = server.path ?? `/var/lib/libvirt/shmem-${name}-sock`;
	addChardev(
		{ type: "unix", source: { mode: "connect", path, seclabels: [] }, endpoints: [] },
		chardevId(device),
		context,
	);
}

export const shmem: DeviceEntry<ShmemDef> = {
	kind: "shmem",
	list: ({ devices }) => devices.shmems,
	alias: (_, index) => `shmem${index}`,
	complete: completeShmem,
	check: (device, context) => checkDeviceRules(RULES, device, context),
	pci: conventionalSlot,
	build: buildShmem,
	hotplug: {
		checkAttach: (device, { def }, live) => {
			const { type } = device.model;
			if (!live && def.devices.shmems.some((other) => isDescribedBy(device, other)))
				throw new VirtError("OPERATION_INVALID", "device is already in the domain configuration");
			if (live && type === "ivshmem")
				throw new VirtError("OPERATION_UNSUPPORTED", `live attach of shmem model '${type}' is not supported`);
		},
		checkDetach: ({ model: { type } }) => {
			if (type === "ivshmem")
				throw new VirtError("OPERATION_UNSUPPORTED", `live detach of shmem model '${type}' is not supported`);
		},
		find: findDescribed(
			({ def }) => def.devices.shmems,
			({ model }) => `model '${model.type}' shmem device not present in domain configuration`,
		),
	},
};
