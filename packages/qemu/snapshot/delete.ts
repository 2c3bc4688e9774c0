// Deletes snapshots: what they hold becomes part of what they stand on, or nothing but what is kept of them goes.

import { rmSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import { isExternal, type SnapshotDef } from "@virtkit/model/snapshot/snapshot";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { asJob } from "../save/domain-job.ts";
import { DELETE, exclude } from "./flags.ts";
import { applyInImages, deleteInternal } from "./internal.ts";
import { checkMerge, mergeExternal } from "./merge.ts";
import { neededSnapshot, snapshots } from "./metadata.ts";

const API = "virDomainSnapshotDelete";

/** Deletes the snapshot of that name, those below it, or both. The caller holds the domain's lock. */
export async function deleteSnapshot(driver: Driver, domain: QemuDomain, name: string, flags: number): Promise<void> {
	exclude(flags, [DELETE.children, "DELETE_CHILDREN"], [DELETE.childrenOnly, "DELETE_CHILDREN_ONLY"], API);
	const snapshot = neededSnapshot(driver, domain, name);
	const tree = snapshots.of(driver, domain);
	const metadataOnly = (flags & DELETE.metadataOnly) !== 0;
	const below = flags & (DELETE.children | DELETE.childrenOnly) ? tree.descendantsOf(snapshot) : [];
	if (!metadataOnly) checkDelete(driver, domain, snapshot, below, flags);
	const all = flags & DELETE.childrenOnly ? below : [snapshot, ...below];
	await asJob(domain, "snapshot-delete", async () => {
		// From the leaves up: whenever this is cut off, what is left is a tree.
		for (const one of all.toReversed()) {
			if (metadataOnly) await tree.forget(one);
			else await deleteOne(driver, domain, one);
		}
	});
}

function checkDelete(
	driver: Driver,
	domain: QemuDomain,
	snapshot: SnapshotDef,
	below: readonly SnapshotDef[],
	flags: number,
): void {
	const external = isExternal(snapshot);
	if (domain.run && !external) refuseOtherImages(domain, snapshot);
	const externals = below.filter(isExternal).length;
	if (externals > 0)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			externals < below.length
				? "deletion of external and internal children disk snapshots not supported"
				: "deletion of external children disk snapshots not supported",
		);
	if (!external) return;
	if (domain.run && domain.run.blockJobs.size > 0)
		throw new VirtError(
			"OPERATION_UNSUPPORTED",
			"cannot delete external snapshots when there is another active block job",
		);
	if (flags & DELETE.children)
		throw new VirtError("CONFIG_UNSUPPORTED", "deletion of external disk snapshots with children not supported");
	if (!(flags & DELETE.childrenOnly)) checkMerge(driver, domain, snapshot);
}

/** QEMU deletes in the images that it has open. */
function refuseOtherImages({ current }: QemuDomain, { name, disks, domain }: SnapshotDef): void {
	for (const part of disks) {
		const [now, then] = [current.def, domain].map((def) =>
			def?.devices.disks.find(({ target }) => target.dev === part.name),
		);
		if (sourcePath(now?.source) === sourcePath(then?.source)) continue;
		throw new VirtError(
			"OPERATION_UNSUPPORTED",
			`disk image '${part.name}' for internal snapshot '${name}' is not the same as disk image currently used by VM`,
		);
	}
}

async function deleteOne(driver: Driver, domain: QemuDomain, snapshot: SnapshotDef): Promise<void> {
	if (isExternal(snapshot)) return mergeExternal(driver, domain, snapshot);
	if (domain.run) await deleteInternal(driver, domain.run, snapshot);
	else await applyInImages(driver, "-d", snapshot, snapshot.domain ?? domain.config.def);
	await snapshots.of(driver, domain).forget(snapshot);
	if (snapshot.memory?.file !== undefined) rmSync(snapshot.memory.file, { force: true });
}
