// Completes the description of a snapshot to be taken: the domain as it is, its state, what is done with memory and disks.

import { VirtError } from "@virtkit/base/errors";
import { parseDomain } from "@virtkit/model/domain/domain";
import type { SnapshotDef, SnapshotState } from "@virtkit/model/snapshot/snapshot";
import type { QemuDomain } from "../domain/domain.ts";
import { alignDisks } from "./align-disks.ts";
import { CREATE } from "./flags.ts";

/** What another start needs, and nothing of this run. */
const AS_STORED = { inactive: true, secure: true, migratable: true } as const;

/** See the opening sentence. Throws in libvirt's codes. */
export function describeSnapshot(domain: QemuDomain, snapshot: SnapshotDef, flags: number): void {
	const runs = domain.run !== undefined;
	snapshot.domain = parseDomain(domain.current.format(AS_STORED));
	if (runs && domain.persistent) snapshot.inactiveDomain = parseDomain(domain.config.format(AS_STORED));
	const state = domain.stateName as SnapshotState;
	if (flags & CREATE.diskOnly) {
		snapshot.state = runs ? "disk-snapshot" : "shutoff";
		snapshot.memory = { snapshot: "no" };
		return alignDisks(snapshot, snapshot.domain, "external");
	}
	snapshot.state = state;
	if (snapshot.memory?.snapshot === "external") return alignDisks(snapshot, snapshot.domain, "external");
	if (runs && snapshot.memory?.snapshot === "no")
		throw new VirtError("OPERATION_UNSUPPORTED", "internal snapshot of a running VM must include the memory state");
	snapshot.memory = { snapshot: state === "shutoff" ? "no" : "internal" };
	alignDisks(snapshot, snapshot.domain, "internal");
}
