// Disks that are plugged into a running guest and out of it.

import { VirtError } from "@virtkit/base/errors";
import type { DiskBus, DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import { defaultScsiModel, findController } from "../addresses/controllers.ts";
import { refuseBusyDisk } from "../block/start-job.ts";
import { endHelpers } from "../helpers/end.ts";
import { settleChain } from "../lifecycle/backing-chain.ts";
import { controller } from "./controller.ts";
import {
	hasManagedReservations,
	managedReservationsProps,
	managedReservationsSocket,
	PR_HELPER,
	usesManagedReservations,
} from "./disk-build.ts";
import { hasBlockNodes, imageChain, isEmptyDisk, numberPluggedImages } from "./disk-image.ts";
import { checkDescriptors } from "./disk-start-check.ts";
import { throttleArguments } from "./disk-throttle.ts";
import { updateDisk } from "./disk-update.ts";
import type { DefineContext, Hotplug, LiveContext, PlugContext } from "./entry.ts";

/** Buses on which disks can come and go. */
const PLUGGABLE: ReadonlySet<DiskBus | undefined> = new Set<DiskBus>(["virtio", "scsi", "usb"]);

const byTarget = (wanted: DiskDef, { def }: DefineContext): DiskDef | undefined =>
	def.devices.disks.find(({ target }) => target.dev === wanted.target.dev);

const isRemovable = ({ device }: DiskDef): boolean => device === "cdrom" || device === "floppy";

function checkAttach(disk: DiskDef, context: DefineContext, live: boolean): void {
	const twin = byTarget(disk, context);
	const { dev, bus } = disk.target;
	if (!live) {
		if (twin) throw new VirtError("OPERATION_INVALID", `target ${dev} already exists`);
		return;
	}
	if (disk.device === "floppy") throw new VirtError("OPERATION_UNSUPPORTED", "floppy device hotplug isn't supported");
	settleChain(disk);
	if (twin) {
		const path = ({ source }: DiskDef): string => sourcePath(source) ?? "(null)";
		throw new VirtError(
			"XML_ERROR",
			`target '${dev}' duplicated for disk sources '${path(twin)}' and '${path(disk)}'`,
			{ domain: "DOMAIN" },
		);
	}
	if (bus === "usb" && disk.device === "lun")
		throw new VirtError("CONFIG_UNSUPPORTED", "disk device='lun' is not supported for usb bus");
	if (bus === "virtio" && disk.device === "cdrom")
		throw new VirtError("OPERATION_UNSUPPORTED", "cdrom device with virtio bus isn't supported");
	if (!PLUGGABLE.has(bus)) throw new VirtError("INTERNAL_ERROR", `disk bus '${bus}' cannot be hotplugged.`);
	if (bus === "scsi") refuseTakenPlace(disk, context);
}

function refuseTakenPlace({ address }: DiskDef, { def }: DefineContext): void {
	if (address?.type !== "drive")
		throw new VirtError("INTERNAL_ERROR", `unexpected disk address type ${address?.type ?? "none"}`);
	const isThere = (other: { readonly address?: DiskDef["address"] }): boolean =>
		other.address?.type === "drive" &&
		other.address.controller === address.controller &&
		other.address.bus === address.bus &&
		other.address.target === address.target &&
		other.address.unit === address.unit;
	const taken =
		def.devices.disks.some((other) => other.target.bus === "scsi" && isThere(other)) ||
		def.devices.hostdevs.some((other) => other.type === "scsi" && isThere(other));
	if (taken) throw new VirtError("OPERATION_INVALID", "Domain already contains a disk with that address");
}

/** SCSI controllers up to that of the place: there must be no gap. They are of the kind of those that are there. */
export function neededScsiControllers(address: DiskDef["address"], context: LiveContext) {
	if (address?.type !== "drive") return [];
	const { controllers } = context.def.devices;
	const model = controllers.findLast(({ type }) => type === "scsi")?.model ?? defaultScsiModel(context, 0);
	const indexes = Array.from({ length: address.controller + 1 }, (_, index) => index);
	return indexes
		.filter((index) => !findController(context.def, "scsi", index))
		.map((index) => ({ entry: controller, device: { type: "scsi" as const, index, model } }));
}

/** Takes the descriptors that clients passed for images of the disk, and looks through them for what lies below. */
async function takeDescriptors(disk: DiskDef, context: PlugContext): Promise<void> {
	if (imageChain(disk).every(({ source }) => source.fdgroup === undefined)) return;
	const sets = await context.run.monitor.execute("query-fdsets");
	const firstSet = Math.max(-1, ...sets.map((set) => set["fdset-id"])) + 1;
	const claimed = context.domain.fdGroups.claim([disk], firstSet);
	for (const [source, passed] of claimed.images) context.imageDescriptors.set(source, passed);
	for (const image of imageChain(disk)) checkDescriptors(image, context);
	settleChain(disk, claimed.images);
}

async function prepare(disk: DiskDef, context: PlugContext): Promise<void> {
	const { run } = context;
	if (disk.transient?.shareBacking)
		throw new VirtError("OPERATION_UNSUPPORTED", "disks that share a backing image cannot be plugged in");
	await takeDescriptors(disk, context);
	if (hasBlockNodes(disk) && !isEmptyDisk(disk)) numberPluggedImages(run, disk);
	if (hasManagedReservations(disk) && !usesManagedReservations(run.live.def)) await connectReservations(context);
}

/** The helper, which runs by now, issues the reservations of all disks that leave them to the daemon. */
async function connectReservations({ run, undo }: PlugContext): Promise<void> {
	const props = managedReservationsProps(run.paths.work);
	await run.monitor.executeUntyped("object-add", props);
	undo.defer("the connection of reservations", async () => {
		if (!run.monitor.loss) await run.monitor.execute("object-del", { id: String(props.id) });
	});
}

/** The last disk that left its reservations to the daemon takes the helper with it. */
async function release(disk: DiskDef, { run }: LiveContext): Promise<void> {
	const { disks } = run.live.def.devices;
	if (!hasManagedReservations(disk) || disks.some((other) => other !== disk && hasManagedReservations(other))) return;
	await run.monitor.execute("object-del", { id: String(managedReservationsProps(run.paths.work).id) });
	await endHelpers(run, PR_HELPER, managedReservationsSocket(run.paths.work));
}

async function plugged(disk: DiskDef, { driver, domain, run }: PlugContext): Promise<void> {
	if (isEmptyDisk(disk)) {
		delete disk.source;
		delete disk.driver.type;
	}
	const limits = throttleArguments(disk);
	if (limits === undefined) return;
	// The disk is there and works: as libvirt has it, that is worth more than its limits.
	await run.monitor
		.executeUntyped("block_set_io_throttle", limits)
		.catch((error) => driver.log.warn(`limits of disk '${disk.target.dev}' of '${domain.name}'`, { error }));
}

function find(wanted: DiskDef, context: DefineContext, live: boolean): DiskDef {
	const found = byTarget(wanted, context);
	if (found) return found;
	const { dev } = wanted.target;
	throw new VirtError("DEVICE_MISSING", live ? `disk ${dev} not found` : `no target device ${dev}`);
}

function findToUpdate(wanted: DiskDef, context: DefineContext, live: boolean): DiskDef {
	const found = byTarget(wanted, context);
	if (found) return found;
	const { dev } = wanted.target;
	throw live
		? new VirtError("INTERNAL_ERROR", `disk '${dev}' not found`)
		: new VirtError("INVALID_ARG", `target ${dev} doesn't exist.`);
}

function checkDetach(disk: DiskDef, { run }: LiveContext): void {
	const { device, target } = disk;
	const { bus } = target;
	if (device === "floppy" || (device === "cdrom" && bus !== "usb" && bus !== "scsi"))
		throw new VirtError("OPERATION_UNSUPPORTED", `disk device type '${device}' cannot be detached`);
	if (!PLUGGABLE.has(bus)) throw new VirtError("OPERATION_UNSUPPORTED", "This type of disk cannot be hot unplugged");
	refuseBusyDisk(run, disk);
}

export const diskHotplug: Hotplug<DiskDef> = {
	storedUpdate: true,
	// Attaching a drive that is there means putting a medium into it.
	replaces: (wanted, context) => (isRemovable(wanted) ? byTarget(wanted, context) : undefined),
	checkAttach,
	needs: ({ target, address }, context) => (target.bus === "scsi" ? neededScsiControllers(address, context) : []),
	prepare,
	plugged,
	find,
	findToUpdate,
	checkDetach,
	release,
	update: updateDisk,
};
