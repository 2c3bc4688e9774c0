// What a disk may be defined with, but no guest starts with: protocols and buses this emulator lacks.

import { VirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import type { StorageProtocol } from "@virtkit/model/domain/disk-source";
import { isMachine } from "../machine.ts";
import { type DiskImage, imageChain, topImage } from "./disk-image.ts";
import { checkImageSecrets } from "./disk-secrets.ts";
import type { DefineContext } from "./entry.ts";

interface StartRule {
	broken(disk: DiskDef, context: DefineContext): boolean;
	readonly message: string;
}

const RULES: readonly StartRule[] = [
	{
		broken: (disk, { caps }) =>
			disk.type === "network" && disk.source?.protocol === "vxhs" && !caps.hasSchema("blockdev-add/arg-type/+vxhs"),
		message: "VxHS protocol is not supported with this QEMU binary",
	},
	{
		broken: (disk, { def }) => disk.device === "floppy" && isMachine(def, "pseries"),
		message: "PowerPC pseries machines do not support floppy device",
	},
	{
		broken: (disk, { caps }) => disk.type === "nvme" && !caps.hasSchema("blockdev-add/arg-type/+nvme"),
		message: "NVMe disks are not supported with this QEMU binary",
	},
];

/** Refuses to start a guest whose disks this emulator or machine cannot serve (libvirt's qemuProcessStartValidateDisks). */
export function checkDisksToStart(context: DefineContext): void {
	for (const disk of context.def.devices.disks)
		for (const { broken, message } of RULES)
			if (broken(disk, context)) throw new VirtError("CONFIG_UNSUPPORTED", message);
}

const hasTls: ReadonlySet<StorageProtocol | undefined> = new Set<StorageProtocol>(["nbd", "vxhs"]);

/**
 * Refuses images that cannot be reached as their sources say (libvirt's qemuProcessPrepareDomainStorage): volumes of
 * pools, secrets that are nowhere, TLS where the protocol has none, descriptors that nobody handed over.
 */
export function checkImagesToStart(context: DefineContext): void {
	for (const disk of context.def.devices.disks.toReversed()) {
		if (disk.type === "vhostuser") continue;
		for (const image of disk.target.bus === "sd" ? [topImage(disk)] : imageChain(disk)) checkImage(image, context);
	}
}

function checkImage(image: DiskImage, context: DefineContext): void {
	const { source } = image;
	// There are no storage pools yet, so none has that name.
	if (image.type === "volume")
		throw new VirtError("NO_STORAGE_POOL", `no storage pool with matching name '${source.pool}'`);
	checkImageSecrets(image, context);
	if (source.tls === true && !hasTls.has(source.protocol))
		throw new VirtError("CONFIG_UNSUPPORTED", `TLS transport is not supported for disk protocol '${source.protocol}'`);
	checkDescriptors(image, context);
}

/** Refuses an image that is to be opened by descriptors which nobody handed over. */
export function checkDescriptors({ source, card }: DiskImage, { imageDescriptors }: DefineContext): void {
	if (source.fdgroup === undefined || card !== undefined || imageDescriptors?.has(source)) return;
	throw new VirtError("INVALID_ARG", `file descriptor group '${source.fdgroup}' was not associated with the domain`);
}
