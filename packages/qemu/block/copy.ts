// Copies a disk of a running guest to another image, which the guest may then go on with.

import { existsSync, statSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { UndoStack } from "@virtkit/base/undo-stack";
import { type DiskDef, disk as diskElement, isEmptySource } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import { parseXml } from "@virtkit/xml/parse";
import { readElement } from "@virtkit/xml/read";
import { type DiskImage, formatNode, numberPluggedImages, topImage, topNode } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { liveContext } from "../hotplug/removal.ts";
import { lendFiles } from "../lifecycle/ownership.ts";
import { makeEmptyFile, openNewImage, virtualSize } from "./new-image.ts";
import { lendForWriting } from "./nodes.ts";
import { beginJob, idleDisk, jobName } from "./start-job.ts";

/** virDomainBlockCopyFlags. */
export const COPY = { shallow: 1, reuse: 2, transient: 4, synchronous: 8 } as const;

export interface CopyRequest {
	readonly path: string;
	/** `<disk>` with the copy's type, driver and source. */
	readonly xml: string;
	/** Bytes a second; 0 for no limit. */
	readonly bandwidth: number;
	readonly granularity?: number | undefined;
	readonly bufferSize?: number | undefined;
}

/** The copy that `xml` describes, as the disk would be with it. */
function readCopy(disk: DiskDef, xml: string): DiskDef {
	const read = readElement(diskElement, parseXml(xml, "disk definition"));
	if (isEmptySource(read.source)) throw new VirtError("XML_ERROR", "a copy needs a <source>");
	const path = sourcePath(read.source);
	if (read.type === "file" && !path?.startsWith("/"))
		throw new VirtError("INVALID_ARG", "absolute path must be used as block copy target");
	const copy: DiskDef = {
		...disk,
		type: read.type,
		driver: { ...disk.driver, type: read.driver.type },
		...(read.source ? { source: read.source } : {}),
	};
	delete copy.backingStore;
	delete copy.mirror;
	return copy;
}

/** Protocols by which clients make images; by the others they use what the server has, as large as it is. */
const MADE_BY_CLIENTS: ReadonlySet<string | undefined> = new Set(["gluster", "rbd", "sheepdog", "ssh"]);

/** An empty file for the copy. A file with something in it is not overwritten unless the client says to reuse it. */
function makeFile({ type, source }: DiskImage, disk: DiskDef, undo: UndoStack): void {
	const { file } = source;
	if (type === "network" && MADE_BY_CLIENTS.has(source.protocol))
		throw new VirtError(
			"OPERATION_UNSUPPORTED",
			`copies by protocol '${source.protocol}' must be made beforehand (VIR_DOMAIN_BLOCK_COPY_REUSE_EXT)`,
		);
	if (type !== "file" || file === undefined) return;
	if (existsSync(file) && statSync(file).size > 0)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`external destination file for disk ${disk.target.dev} already exists and is not a block device: ${file}`,
		);
	makeEmptyFile(file, `failed to create copy target '${file}'`, undo);
}

/** Copies the disk; the copy keeps up with it until the client pivots or aborts. */
export async function copy(driver: Driver, domain: QemuDomain, request: CopyRequest, flags: number): Promise<void> {
	const run = domain.activeRun();
	const disk = idleDisk(run, request.path);
	const reuse = (flags & COPY.reuse) !== 0;
	const target = readCopy(disk, request.xml);
	if (target.source?.fdgroup !== undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", "copy to a FD passed disk source is not yet supported");
	if (!(flags & COPY.transient) && domain.persistent)
		throw new VirtError("OPERATION_INVALID", "domain is not transient");
	const shallow = (flags & COPY.shallow) !== 0 && Boolean(topImage(disk).backing);
	target.driver.type ??= reuse ? undefined : disk.driver.type;
	if (target.driver.type === undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", "reused mirror destination format must be specified");
	if (shallow && !reuse && target.driver.type === "raw")
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`shallow copy of disk '${disk.target.dev}' into a raw file is not possible`,
		);
	await using undo = new UndoStack();
	const context = liveContext(driver, domain, run);
	numberPluggedImages(run, target);
	const backing = shallow ? topImage(disk).backing : null;
	const image: DiskImage = { ...topImage(target), readonly: false, backing };
	undo.defer("the owners of files", () => lendFiles(driver, run, run.live.def));
	if (!reuse) makeFile(image, disk, undo);
	lendForWriting(disk, [image], context);
	const size = reuse ? undefined : await virtualSize(run, disk);
	await openNewImage(image, { size, below: image.backing ?? undefined }, context, undo);
	const { source } = target;
	disk.mirror = { type: target.type, job: "copy", format: { type: target.driver.type }, source } as NonNullable<
		DiskDef["mirror"]
	>;
	undo.defer("the copy in the definition", () => void delete disk.mirror);
	const job = {
		name: jobName("copy", disk),
		type: "copy",
		disk: disk.target.dev ?? "",
		shallow: shallow || undefined,
	} as const;
	await beginJob(domain, run, job, "blockdev-mirror", {
		device: topNode(disk),
		target: formatNode(image),
		sync: shallow ? "top" : "full",
		speed: request.bandwidth || undefined,
		granularity: request.granularity,
		"buf-size": request.bufferSize,
		"auto-finalize": true,
		"copy-mode": flags & COPY.synchronous ? "write-blocking" : undefined,
	});
	undo.commit();
}
