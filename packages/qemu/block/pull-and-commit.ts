// Takes images out of a disk's chain: pulling what lies below into the top, committing what lies above into the base.

import { dirname, relative } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import { type DiskImage, formatNode, topImage, topNode } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { liveContext } from "../hotplug/removal.ts";
import { findImage, layerAt } from "./layers.ts";
import { lendForWriting } from "./nodes.ts";
import { beginJob, idleDisk, jobName, speedOf } from "./start-job.ts";

/** virDomainBlockPullFlags and virDomainBlockRebaseFlags. */
const REBASE = { relative: 0x10, bytes: 0x40 } as const;
/** virDomainBlockCommitFlags. */
export const COMMIT = { shallow: 1, delete: 2, active: 4, relative: 8, bytes: 0x10 } as const;

/** What an image's header is to call the image that comes to lie below it. */
function backingName(above: DiskImage | undefined, below: DiskImage, isRelative: boolean): string | undefined {
	const path = sourcePath(below.source);
	if (path === undefined || !isRelative) return path;
	const from = above && sourcePath(above.source);
	if (from === undefined || below.type !== "file")
		throw new VirtError("OPERATION_INVALID", "can't keep relative backing relationship");
	return relative(dirname(from), path);
}

/** Pulls everything down to above `base` into the disk's own image. */
export async function pull(
	driver: Driver,
	domain: QemuDomain,
	path: string,
	base: string | undefined,
	bandwidth: bigint,
	flags: number,
): Promise<void> {
	const isRelative = (flags & REBASE.relative) !== 0;
	if (isRelative && base === undefined)
		throw new VirtError("INVALID_ARG", "flag VIR_DOMAIN_BLOCK_REBASE_RELATIVE is valid only with non-null base");
	const run = domain.activeRun();
	const disk = idleDisk(run, path);
	const top = topImage(disk);
	const bottom = base === undefined ? undefined : findImage(disk, base, top).image;
	const speed = speedOf(bandwidth, (flags & REBASE.bytes) !== 0);
	if (bottom) lendForWriting(disk, [], liveContext(driver, domain, run));
	const job = { name: jobName("pull", disk), type: "pull", disk: disk.target.dev ?? "", base: bottom?.id } as const;
	await beginJob(domain, run, job, "block-stream", {
		device: formatNode(top),
		"base-node": bottom && formatNode(bottom),
		"backing-file": bottom && backingName(top, bottom, isRelative),
		speed: speed || undefined,
	});
}

export interface CommitRequest {
	readonly path: string;
	readonly base: string | undefined;
	readonly top: string | undefined;
	readonly bandwidth: bigint;
}

interface Ends {
	readonly top: DiskImage;
	readonly parent: DiskImage | undefined;
	readonly base: DiskImage;
}

function endsOf(disk: DiskDef, { base, top }: CommitRequest, flags: number): Ends {
	const own = topImage(disk);
	const isOwn = top === undefined || top === disk.target.dev;
	const { image, parent } = isOwn ? { image: own, parent: undefined } : findImage(disk, top);
	const shallow = (flags & COMMIT.shallow) !== 0;
	const isActive = image.id === own.id;
	const { dev } = disk.target;
	const refuse = (message: string): never => {
		throw new VirtError("INVALID_ARG", message);
	};
	const below = base === undefined && shallow ? image.backing : findImage(disk, base, image).image;
	if (isActive && !(flags & COMMIT.active)) refuse(`commit of '${dev}' active layer requires active flag`);
	if (!isActive && flags & COMMIT.active)
		refuse(`active commit requested but '${sourcePath(image.source)}' is not active`);
	if (!image.backing || !below)
		return refuse(`top '${sourcePath(image.source)}' in chain for '${sourcePath(own.source)}' has no backing file`);
	if (shallow && below.id !== image.backing.id)
		refuse(
			`base '${sourcePath(below.source)}' is not immediately below '${sourcePath(image.source)}' in chain for '${sourcePath(own.source)}'`,
		);
	return { top: image, parent: parent ?? undefined, base: below };
}

/** Commits the images from `top` down into `base`; the disk's own image as `top` stays until the client pivots. */
export async function commit(driver: Driver, domain: QemuDomain, request: CommitRequest, flags: number): Promise<void> {
	const speed = speedOf(request.bandwidth, (flags & COMMIT.bytes) !== 0);
	const run = domain.activeRun();
	const disk = idleDisk(run, request.path);
	const { top, parent, base } = endsOf(disk, request, flags);
	const isActive = parent === undefined;
	lendForWriting(
		disk,
		parent && parent.id !== topImage(disk).id ? [base, parent] : [base],
		liveContext(driver, domain, run),
	);
	if (isActive) {
		const { type, format, source } = layerAt(disk, base.id ?? 0);
		disk.mirror = { type, job: "active-commit", format, source: structuredClone(source) } as NonNullable<
			DiskDef["mirror"]
		>;
	}
	const job = {
		name: jobName("commit", disk),
		type: isActive ? ("active-commit" as const) : ("commit" as const),
		disk: disk.target.dev ?? "",
		base: base.id,
		top: top.id,
		topParent: parent?.id,
		delete: (flags & COMMIT.delete) !== 0 || undefined,
	};
	await beginJob(domain, run, job, "block-commit", {
		device: topNode(disk),
		"top-node": formatNode(top),
		"base-node": formatNode(base),
		"backing-file": parent && backingName(parent, base, (flags & COMMIT.relative) !== 0),
		speed: speed || undefined,
	});
}
