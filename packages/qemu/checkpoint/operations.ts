// Operations on checkpoints.

import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { createCheckpoint } from "./create.ts";
import { deleteCheckpoint } from "./delete.ts";
import { checkpointParent, checkpointXml, listCheckpoints } from "./list.ts";
import { neededCheckpoint } from "./metadata.ts";

type CheckpointOperations = Pick<
	DomainOperations<QemuDomain>,
	"createCheckpoint" | "findCheckpoint" | "checkpoints" | "checkpointXml" | "checkpointParent" | "deleteCheckpoint"
>;

export const checkpointOperations = (driver: Driver): CheckpointOperations => ({
	createCheckpoint: (domain, xml, flags) => createCheckpoint(driver, domain, xml, flags),
	findCheckpoint: (domain, name) => neededCheckpoint(driver, domain, name).name,
	checkpoints: (domain, from, flags) => listCheckpoints(driver, domain, from, flags),
	checkpointXml: (domain, name, flags, context) => checkpointXml(driver, domain, name, flags, context),
	checkpointParent: (domain, name) => checkpointParent(driver, domain, name),
	deleteCheckpoint: (domain, name, flags) => deleteCheckpoint(driver, domain, name, flags),
});
