// Disks on the command line: secrets, block nodes from the bottom of the chain up, then the device.

import type { DiskDef } from "@virtkit/model/domain/disk";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { type CommandLine, escapeCommas, type JsonObject } from "../command-line/command-line.ts";
import { bootIndexOf } from "../defaults/boot-index.ts";
import { isMachine } from "../machine.ts";
import { formatProps, sliceProps } from "./block-format.ts";
import { MANAGED_RESERVATIONS, reservationsObject, storageProps, tlsObject } from "./block-storage.ts";
import { vhostUserBackend } from "./chardev-backend.ts";
import { addDevice } from "./device-option.ts";
import { formatCardDrive } from "./disk-card.ts";
import { diskDeviceProps, vhostUserChardev } from "./disk-device.ts";
import {
	copyOnReadNode,
	type DiskImage,
	dataImage,
	formatNode,
	imageChain,
	isEmptyDisk,
	storageNode,
	topImage,
} from "./disk-image.ts";
import { imageSecrets, type SecretContext } from "./disk-secrets.ts";
import { throttleFilterNodes } from "./disk-throttle.ts";
import type { BuildContext, DeviceEntry } from "./entry.ts";

/** What one image adds: objects that its nodes refer to, and the nodes, in the order in which QEMU must get them. */
export interface ImageParts {
	readonly objects: readonly JsonObject[];
	readonly nodes: readonly JsonObject[];
}

/** The parts of one image. Throws NO_SECRET where a secret it needs cannot be had. */
export function imageParts(image: DiskImage, context: SecretContext): ImageParts {
	const objects = imageObjects(image, context);
	// The format first: of several faults, it is the format's that is told.
	const format = formatProps(image);
	const slice = sliceProps(image);
	const data = dataImage(image);
	return {
		objects: [...objects, ...(data ? imageObjects(data, context) : [])],
		nodes: [
			...(data ? [storageProps(data, context)] : []),
			storageProps(image, context),
			...(slice ? [slice] : []),
			format,
		],
	};
}

/** Objects that the image's layers refer to: reservations helper, secrets, certificates. */
function imageObjects(image: DiskImage, context: SecretContext): JsonObject[] {
	const { source } = image;
	const objects: JsonObject[] = [];
	if (source.reservations?.managed === false)
		objects.push(reservationsProps(reservationsObject(image), source.reservations.source?.path));
	objects.push(...imageSecrets(image, context));
	if (source.tls) objects.push(tlsProps(tlsObject(image), context.settings.defaultTlsX509CertDir));
	return objects;
}

function reservationsProps(id: string, path: string | undefined): JsonObject {
	return { "qom-type": "pr-manager-helper", id, path };
}

function tlsProps(id: string, dir: string): JsonObject {
	return { "qom-type": "tls-creds-x509", id, dir, endpoint: "client", "verify-peer": true };
}

/** The node above the disk's chain that copies what is read. */
export function copyOnReadProps(disk: DiskDef): JsonObject {
	return {
		driver: "copy-on-read",
		"node-name": copyOnReadNode(disk),
		file: formatNode(topImage(disk)),
		discard: "unmap",
	};
}

/** The disk's images, bottom first, each with its parts. */
export function diskParts(disk: DiskDef, context: SecretContext): ImageParts[] {
	// Made from the top: of several faults, the top image's is told.
	return imageChain(disk)
		.map((image) => imageParts(image, context))
		.toReversed();
}

/** Appends the parts of one image. */
export function addImage(command: CommandLine, { objects, nodes }: ImageParts): void {
	for (const object of objects) command.addJson("-object", object);
	for (const node of nodes) command.addJson("-blockdev", node);
}

/** Hands over the descriptors that images of the disk are opened by. */
function passDescriptors(disk: DiskDef, { command, imageDescriptors }: BuildContext): void {
	for (const image of imageChain(disk)) {
		const { set, fds = [] } = imageDescriptors?.get(image.source) ?? { set: 0 };
		for (const [index, fd] of fds.entries()) command.addToFdSet(set, fd, `${storageNode(image)}${index}`);
	}
}

export function buildDisk(disk: DiskDef, context: BuildContext): void {
	// Guests that share a backing image plug the disk in once they run.
	if (disk.transient?.shareBacking) return;
	const { command } = context;
	if (disk.target.bus === "sd") {
		for (const object of imageObjects(topImage(disk), context)) command.addJson("-object", object);
		command.add("-drive", formatCardDrive(disk, context));
		return;
	}
	if (disk.type === "vhostuser") addVhostUserChardev(disk, command);
	else if (!isEmptyDisk(disk)) {
		passDescriptors(disk, context);
		for (const parts of diskParts(disk, context)) addImage(command, parts);
		if (disk.driver.copy_on_read) command.addJson("-blockdev", copyOnReadProps(disk));
		for (const node of throttleFilterNodes(disk)) command.addJson("-blockdev", node);
	}
	addDevice(disk, diskDeviceProps(disk, context), context);
}

function addVhostUserChardev(disk: DiskDef, command: CommandLine): void {
	const { path = "", reconnect } = disk.source ?? {};
	const again = reconnect?.enabled ? reconnect.timeout : reconnect?.enabled === false ? 0 : undefined;
	const suffix = again === undefined ? "" : `,reconnect=${again}`;
	const id = vhostUserChardev(disk);
	command.add("-chardev", `socket,id=${id},path=${escapeCommas(path)}${suffix}`, vhostUserBackend(id, path, again));
}

const isFloppy = ({ target }: DiskDef): boolean => target.bus === "fdc";

/** Boot order of floppies is their controller's; q35 gets that controller only where there are floppies. */
export const floppyController: DeviceEntry<DiskDef> = {
	kind: "floppy controller",
	list: ({ devices }) => devices.disks.filter(isFloppy).slice(0, 1),
	alias: () => "fdc0",
	build: (_, context) => {
		const { def, command } = context;
		const order = { bootindexA: undefined as number | undefined, bootindexB: undefined as number | undefined };
		for (const disk of def.devices.disks.filter(isFloppy)) {
			const isSecond = disk.address?.type === "drive" && disk.address.unit !== 0;
			order[isSecond ? "bootindexB" : "bootindexA"] = bootIndexOf(disk, context);
		}
		if (isMachine(def, "q35")) command.addDevice({ driver: "isa-fdc", ...order });
		else
			for (const [name, value] of Object.entries(order))
				if (value !== undefined) command.add("-global", `isa-fdc.${name}=${value}`);
	},
};

/** Whether the disk leaves its reservations to the daemon's helper. */
export const hasManagedReservations = (disk: DiskDef): boolean =>
	imageChain(disk).some(({ source }) => source.reservations?.managed === true);

/** Whether any disk does. */
export const usesManagedReservations = ({ devices: { disks } }: DomainDef): boolean =>
	disks.some(hasManagedReservations);

/** What messages call that helper. */
export const PR_HELPER = "qemu-pr-helper";

/** Its socket. */
export const managedReservationsSocket = (workFolder: string): string => `${workFolder}/${MANAGED_RESERVATIONS}.sock`;

/** The object that connects to it, for -object and object-add. */
export const managedReservationsProps = (workFolder: string): JsonObject =>
	reservationsProps(MANAGED_RESERVATIONS, managedReservationsSocket(workFolder));

/** Appends that object. */
export function buildManagedReservations({ def, command, paths }: BuildContext): void {
	if (!usesManagedReservations(def)) return;
	command.from({ what: "SCSI reservations that the daemon manages" }, () =>
		command.addJson("-object", managedReservationsProps(paths.work)),
	);
}
