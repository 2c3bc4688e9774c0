// Operations on snapshots.

import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { createSnapshot } from "./create.ts";
import { deleteSnapshot } from "./delete.ts";
import { listSnapshots, snapshotParent, snapshotXml } from "./list.ts";
import { neededSnapshot, snapshots } from "./metadata.ts";
import { revertToSnapshot } from "./revert.ts";

type SnapshotOperations = Pick<
	DomainOperations<QemuDomain>,
	| "createSnapshot"
	| "findSnapshot"
	| "snapshots"
	| "snapshotXml"
	| "currentSnapshot"
	| "snapshotParent"
	| "snapshotIsCurrent"
	| "snapshotHasMetadata"
	| "deleteSnapshot"
	| "revertToSnapshot"
>;

export const snapshotOperations = (driver: Driver): SnapshotOperations => ({
	createSnapshot: (domain, xml, flags, context) => createSnapshot(driver, domain, xml, flags, context),
	findSnapshot: (domain, name) => neededSnapshot(driver, domain, name).name,
	snapshots: (domain, from, flags) => listSnapshots(driver, domain, from, flags),
	snapshotXml: (domain, name, flags, context) => snapshotXml(driver, domain, name, flags, context),
	currentSnapshot: (domain) => snapshots.of(driver, domain).current?.name,
	snapshotParent: (domain, name) => snapshotParent(driver, domain, name),
	snapshotIsCurrent: (domain, name) => neededSnapshot(driver, domain, name) === snapshots.of(driver, domain).current,
	snapshotHasMetadata: (domain, name) => neededSnapshot(driver, domain, name) !== undefined,
	revertToSnapshot: (domain, name, flags, context) => revertToSnapshot(driver, domain, name, flags, context),
	deleteSnapshot: (domain, name, flags) => deleteSnapshot(driver, domain, name, flags),
});
