// Finding, listing and describing a domain's checkpoints.

import { VirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import { type CheckpointDef, formatCheckpoint } from "@virtkit/model/checkpoint/checkpoint";
import { imageChain } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { listMoments } from "../moments/list.ts";
import { bitmapIn, bitmapsOf, isWhole, mergeInto, removeBitmap, transact } from "./bitmaps.ts";
import { checkpoints, neededCheckpoint } from "./metadata.ts";

/** virDomainCheckpointListFlags; parents come before their children in any case. */
const LIST = { rootsOrDescendants: 1, leaves: 4, noLeaves: 8 } as const;
/** virDomainCheckpointXMLFlags. */
const XML = { secure: 1, noDomain: 2, size: 4 } as const;

/** Names of the checkpoints below `from`, or of all. */
export function listCheckpoints(driver: Driver, domain: QemuDomain, from: string | undefined, flags: number): string[] {
	const start = from === undefined ? undefined : neededCheckpoint(driver, domain, from);
	const given = {
		rootsOrDescendants: (flags & LIST.rootsOrDescendants) !== 0,
		leaves: (flags & LIST.leaves) !== 0,
		noLeaves: (flags & LIST.noLeaves) !== 0,
	};
	return listMoments(checkpoints.of(driver, domain), start, given).map(({ name }) => name);
}

export function checkpointParent(driver: Driver, domain: QemuDomain, name: string): string {
	const parent = checkpoints.of(driver, domain).parentOf(neededCheckpoint(driver, domain, name));
	if (parent) return parent.name;
	throw new VirtError("NO_DOMAIN_CHECKPOINT", `checkpoint '${name}' does not have a parent`);
}

export async function checkpointXml(
	driver: Driver,
	domain: QemuDomain,
	name: string,
	flags: number,
	{ readOnly, signal }: CallContext,
): Promise<string> {
	if (readOnly && flags & XML.secure)
		throw new VirtError("OPERATION_DENIED", "virDomainCheckpointGetXMLDesc with secure flag", {
			domain: "DOMAIN_CHECKPOINT",
		});
	const checkpoint = neededCheckpoint(driver, domain, name);
	const options = { secure: (flags & XML.secure) !== 0, noDomain: (flags & XML.noDomain) !== 0 };
	if (!(flags & XML.size)) return formatCheckpoint(checkpoint, options);
	using _job = await domain.lock.begin("modify", "virDomainCheckpointGetXMLDesc", { signal });
	return formatCheckpoint(await withSizes(domain.activeRun(), checkpoint), options);
}

const TEMPORARY = "libvirt-tmp-size-xml";

/** The checkpoint with what each disk's bitmap tells over its images, where it is whole. */
async function withSizes(run: Run, checkpoint: CheckpointDef): Promise<CheckpointDef> {
	const bitmaps = await bitmapsOf(run);
	const chains = new Map(run.live.def.devices.disks.map((disk) => [disk.target.dev ?? "", imageChain(disk)]));
	const whole = checkpoint.disks.flatMap(({ name, checkpoint: kind }) => {
		const chain = chains.get(name);
		const top = chain?.[0];
		return kind === "bitmap" && chain && top && isWhole(chain, checkpoint.name, bitmaps) ? [{ name, chain, top }] : [];
	});
	const tops = whole.map(({ top }) => top);
	// One that a killed daemon left.
	await transact(
		run,
		tops.filter((top) => bitmapIn(bitmaps, top, TEMPORARY)).map((top) => removeBitmap(top, TEMPORARY)),
	);
	await transact(
		run,
		whole.flatMap(({ top, chain }) => mergeInto(top, TEMPORARY, chain, checkpoint.name, bitmaps)),
	);
	try {
		const merged = await bitmapsOf(run);
		const sizes = new Map(whole.map(({ name, top }) => [name, bitmapIn(merged, top, TEMPORARY)?.count] as const));
		const disks = checkpoint.disks.map((disk) => {
			const size = sizes.get(disk.name);
			return size === undefined ? disk : { ...disk, size: BigInt(size) };
		});
		return { ...checkpoint, disks };
	} finally {
		await transact(
			run,
			tops.map((top) => removeBitmap(top, TEMPORARY)),
		);
	}
}
