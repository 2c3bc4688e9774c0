// Filesystems: 9p folders that QEMU serves itself, and virtiofs folders that a daemon beside it serves.

import { type ErrorCode, VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { type FilesystemDef, filesystemPath } from "@virtkit/model/domain/filesystem";
import { conventionalSlot, impossibleSlot, virtioSlot } from "../addresses/pci-need.ts";
import { escapeCommas, type JsonObject } from "../command-line/command-line.ts";
import { endHelpers } from "../helpers/end.ts";
import { vhostUserBackend } from "./chardev-backend.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import type { BuildContext, DefineContext, DeviceEntry } from "./entry.ts";
import { requireSharedMemory } from "./shared-memory.ts";
import { virtioDriver, virtioProps } from "./virtio.ts";

const isMtp = ({ driver }: FilesystemDef): boolean => driver?.type === "mtp";
const isVirtiofs = ({ driver }: FilesystemDef): boolean => driver?.type === "virtiofs";
/** virtiofs that the daemon starts itself. */
export const isOwnVirtiofs = (fs: FilesystemDef): boolean => isVirtiofs(fs) && fs.source?.socket === undefined;

/** Drivers that containers know, and QEMU does not. */
const CONTAINER_DRIVERS = ["loop", "nbd", "ploop"];

interface Rule {
	readonly code?: ErrorCode;
	broken(fs: FilesystemDef, context: DefineContext): boolean;
	readonly message: string;
}

const RULES: readonly Rule[] = [
	{
		broken: (fs) => fs.boot !== undefined && !isVirtiofs(fs),
		message: "boot order is only supported for virtiofs",
	},
	{ broken: ({ type }) => type !== "mount", message: "only supports mount filesystem type" },
	{
		broken: ({ fmode, dmode, accessmode }) => (fmode ?? dmode) !== undefined && accessmode !== "mapped",
		message: "fmode and dmode must be used with accessmode=mapped",
	},
	{
		broken: ({ driver, accessmode }) => driver?.type === "handle" && accessmode !== "passthrough",
		message: "only supports passthrough accessmode",
	},
	{
		broken: ({ driver }) => CONTAINER_DRIVERS.includes(driver?.type ?? ""),
		message: "Filesystem driver type not supported",
	},
	{
		broken: (fs, { caps }) => isMtp(fs) && !caps.has("usb-mtp"),
		message: "usb-mtp is not supported with this QEMU binary",
	},
	{ broken: (fs) => isMtp(fs) && fs.model !== undefined, message: "MTP does not support model" },
	{ broken: (fs) => isMtp(fs) && fs.multidevs !== undefined, message: "MTP does not support multidevs" },
	{ broken: (fs) => !isVirtiofs(fs) && fs.idmap !== undefined, message: "idmap is only supported for virtiofs" },
	{
		broken: (fs) => isOwnVirtiofs(fs) && fs.readonly === true,
		message: "virtiofs does not yet support read-only mode",
	},
	{
		broken: (fs) => isOwnVirtiofs(fs) && fs.accessmode !== "passthrough",
		message: "virtiofs only supports passthrough accessmode",
	},
	{
		broken: (fs) => isOwnVirtiofs(fs) && fs.driver?.wrpolicy !== undefined,
		message: "virtiofs does not support wrpolicy",
	},
	{ broken: (fs) => isVirtiofs(fs) && fs.model !== undefined, message: "virtiofs does not support model" },
	{ broken: (fs) => isVirtiofs(fs) && fs.driver?.format !== undefined, message: "virtiofs does not support format" },
	{
		broken: (fs, { caps }) => isVirtiofs(fs) && !caps.has("vhost-user-fs-device"),
		message: "virtiofs is not supported with this QEMU binary",
	},
	{
		broken: (fs) => isVirtiofs(fs) && fs.multidevs !== undefined,
		message: "virtiofs does not support multidevs",
	},
	{
		broken: (fs) => isVirtiofs(fs) && (fs.fmode ?? fs.dmode) !== undefined,
		message: "virtiofs does not support fmode and dmode",
	},
];

function checkFilesystem(fs: FilesystemDef, context: DefineContext): void {
	if (fs.target?.dir === undefined)
		throw new VirtError("NO_TARGET", filesystemPath(fs) ?? fs.source?.socket ?? "filesystem");
	for (const { code = "CONFIG_UNSUPPORTED", broken, message } of RULES)
		if (broken(fs, context)) throw new VirtError(code, message);
	if (isVirtiofs(fs)) requireSharedMemory("virtiofs", context);
}

/** QEMU's 9p security models of libvirt's access modes. */
const SECURITY_MODELS: Readonly<Record<string, string>> = {
	passthrough: "passthrough",
	mapped: "mapped",
	squash: "none",
};

function octal(mode: number): string {
	return mode.toString(8).padStart(4, "0");
}

/** The backend of a 9p folder. */
function formatFsdev(fs: FilesystemDef): string {
	const handle = fs.driver?.type === "handle";
	const options = [handle ? "handle" : "local"];
	if (!handle) {
		options.push(`security_model=${SECURITY_MODELS[fs.accessmode ?? "passthrough"]}`);
		if (fs.multidevs !== undefined) options.push(`multidevs=${fs.multidevs}`);
		if (fs.fmode !== undefined) options.push(`fmode=${octal(fs.fmode)}`);
		if (fs.dmode !== undefined) options.push(`dmode=${octal(fs.dmode)}`);
	}
	if (fs.driver?.wrpolicy !== undefined) options.push(`writeout=${fs.driver.wrpolicy}`);
	options.push(`id=fsdev-${fs.alias}`, `path=${escapeCommas(filesystemPath(fs) ?? "")}`);
	if (fs.readonly) options.push("readonly");
	return options.join(",");
}

/** The properties of the guest's device, for -device and device_add. */
export function filesystemProps(fs: FilesystemDef, context: DefineContext): JsonObject {
	const place = addressProps(fs, context.def);
	const tag = fs.target?.dir;
	if (isVirtiofs(fs))
		return {
			driver: virtioDriver("vhost-user-fs", fs, context),
			...virtioProps(fs.driver),
			id: fs.alias,
			chardev: virtiofsChardev(fs),
			"queue-size": fs.driver?.queue,
			tag,
			bootindex: fs.boot?.order,
			...place,
		};
	if (isMtp(fs))
		return {
			driver: "usb-mtp",
			id: fs.alias,
			rootdir: filesystemPath(fs),
			desc: tag,
			readonly: fs.readonly ? true : undefined,
			...place,
		};
	return {
		driver: virtioDriver("virtio-9p", fs, context, fs.model),
		...virtioProps(fs.driver),
		id: fs.alias,
		fsdev: `fsdev-${fs.alias}`,
		mount_tag: tag,
		...place,
	};
}

/** Id of the character device that speaks to virtiofsd. */
export const virtiofsChardev = ({ alias: id }: FilesystemDef): string => `chr-vu-${id}`;

/** What messages call the virtiofsd of the folder. */
export const virtiofsdName = ({ alias }: FilesystemDef): string => `virtiofsd of ${alias}`;

/** Socket of the virtiofsd that the daemon starts for the folder, or of somebody else's. */
export function virtiofsSocket(fs: FilesystemDef, workFolder: string): string {
	return fs.source?.socket ?? `${workFolder}/${fs.alias}-fs.sock`;
}

function buildFilesystem(fs: FilesystemDef, context: BuildContext): void {
	const { command, paths } = context;
	if (isVirtiofs(fs)) {
		const [id, path] = [virtiofsChardev(fs), virtiofsSocket(fs, paths.work)];
		command.add("-chardev", `socket,id=${id},path=${escapeCommas(path)}`, vhostUserBackend(id, path));
	} else if (!isMtp(fs)) command.add("-fsdev", formatFsdev(fs));
	addDevice(fs, filesystemProps(fs, context), context);
}

const findFilesystem = ({ target }: FilesystemDef, { devices }: DomainDef): FilesystemDef | undefined =>
	devices.filesystems.find((other) => other.target?.dir === target?.dir);

function refuseFixed(fs: FilesystemDef): void {
	if (!isVirtiofs(fs)) throw new VirtError("OPERATION_UNSUPPORTED", "only virtiofs filesystems can be hotplugged");
}

export const filesystem: DeviceEntry<FilesystemDef> = {
	kind: "filesystem",
	list: (def) => def.devices.filesystems,
	alias: (_, index) => `fs${index}`,
	complete: (fs) => {
		if (fs.source?.socket === undefined) fs.accessmode ??= "passthrough";
	},
	check: checkFilesystem,
	usb: isMtp,
	pci: ({ driver, model }, context) => {
		if (driver?.type === "mtp") return undefined;
		if (CONTAINER_DRIVERS.includes(driver?.type ?? "")) return impossibleSlot();
		return model === "virtio-transitional" && driver?.type !== "virtiofs" ? conventionalSlot() : virtioSlot(context);
	},
	virtio: (fs, bus) => bus === "ccw" && !isMtp(fs),
	build: buildFilesystem,
	hotplug: {
		checkAttach: (fs, { def }, live) => {
			if (live) refuseFixed(fs);
			else if (findFilesystem(fs, def)) throw new VirtError("OPERATION_INVALID", "Target already exists");
		},
		find: (wanted, { def }, live) => {
			const found = findFilesystem(wanted, def);
			if (found) return found;
			throw new VirtError(
				"DEVICE_MISSING",
				live ? "matching filesystem not found" : "no matching filesystem device was found",
			);
		},
		checkDetach: refuseFixed,
		release: async (fs, { run }) => {
			if (isOwnVirtiofs(fs)) await endHelpers(run, virtiofsdName(fs), virtiofsSocket(fs, run.paths.work));
		},
	},
};
