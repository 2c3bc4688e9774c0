// Deletes snapshots: what they hold becomes part of what they stand on, or nothing but what is kept of them goes.

import { VirtError } from "@virtkit/base/errors";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { DELETE, exclude } from "./flags.ts";
import { neededSnapshot, snapshots } from "./metadata.ts";

const API = "virDomainSnapshotDelete";

/** Deletes the snapshot of that name, those below it, or both. */
export async function deleteSnapshot(driver: Driver, domain: QemuDomain, name: string, flags: number): Promise<void> {
	exclude(flags, [DELETE.children, "DELETE_CHILDREN"], [DELETE.childrenOnly, "DELETE_CHILDREN_ONLY"], API);
	const snapshot = neededSnapshot(driver, domain, name);
	const tree = snapshots.of(driver, domain);
	const below = flags & (DELETE.children | DELETE.childrenOnly) ? tree.descendantsOf(snapshot) : [];
	const all = flags & DELETE.childrenOnly ? below : [snapshot, ...below];
	if (!(flags & DELETE.metadataOnly)) throw new VirtError("NO_SUPPORT", API);
	// From the leaves up: whenever this is cut off, what is left is a tree.
	for (const one of all.toReversed()) await tree.forget(one);
}
