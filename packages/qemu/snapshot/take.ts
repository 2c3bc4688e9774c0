// Takes a snapshot from its note to its place in the tree, so that a daemon killed in between leaves either a whole one or none.

import { existsSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import type { SnapshotDef } from "@virtkit/model/snapshot/snapshot";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { describeSnapshot } from "./describe.ts";
import { CREATE } from "./flags.ts";
import { snapshots } from "./metadata.ts";
import { dropPending, notePending } from "./pending.ts";
import { checkSnapshot } from "./prepare.ts";
import { type TakeOptions, takeOfRunning } from "./take-running.ts";
import { takeOfStopped } from "./take-stopped.ts";

/** Files that taking the snapshot makes. */
function newFiles({ memory, disks }: SnapshotDef, reuse: boolean): string[] {
	const images = disks.filter(({ snapshot, type }) => !reuse && snapshot === "external" && type === "file");
	const files = [memory?.file, ...images.map(({ source }) => sourcePath(source))];
	return files.filter((file) => file !== undefined && !existsSync(file)) as string[];
}

/** Takes the described snapshot. */
export async function takeSnapshot(
	driver: Driver,
	domain: QemuDomain,
	snapshot: SnapshotDef,
	{ flags, context }: Omit<TakeOptions, "manual">,
): Promise<void> {
	describeSnapshot(domain, snapshot, flags);
	const { manual } = checkSnapshot(domain, snapshot, flags);
	const tree = snapshots.of(driver, domain);
	const metadata = !(flags & CREATE.noMetadata);
	if (metadata && tree.byName(snapshot.name))
		throw new VirtError("OPERATION_FAILED", `domain moment ${snapshot.name} already exists`);
	if (metadata && tree.current) snapshot.parent = { name: tree.current.name };
	const reuse = (flags & CREATE.reuse) !== 0;
	const frozen = (flags & CREATE.quiesce) !== 0;
	await notePending(driver, domain, { snapshot, created: newFiles(snapshot, reuse), metadata, frozen });
	try {
		if (domain.run) await takeOfRunning(driver, domain, domain.run, snapshot, { flags, manual, context });
		else await takeOfStopped(driver, domain, snapshot, reuse);
		if (metadata) await tree.saveAsCurrent(snapshot);
	} finally {
		dropPending(driver, domain);
	}
}
