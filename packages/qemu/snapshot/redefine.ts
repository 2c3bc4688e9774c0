// Makes a snapshot known that is there already, or tells something else of one that is known.

import { VirtError } from "@virtkit/base/errors";
import { hasMemory, isExternal, type SnapshotDef } from "@virtkit/model/snapshot/snapshot";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { checkGuestAbi } from "../save/guest-abi.ts";
import { alignDisks } from "./align-disks.ts";
import { CREATE } from "./flags.ts";
import { snapshots } from "./metadata.ts";

function refuseChange(domain: QemuDomain, snapshot: SnapshotDef, known: SnapshotDef | undefined, flags: number): void {
	const { name } = snapshot;
	const refuse = (message: string): never => {
		throw new VirtError("INVALID_ARG", message, { domain: "DOMAIN_SNAPSHOT" });
	};
	if (flags & CREATE.diskOnly && snapshot.state !== "disk-snapshot")
		refuse(`disk-only flag for snapshot ${name} requires disk-snapshot state`);
	if (snapshot.domain && snapshot.domain.uuid !== domain.uuid)
		refuse(`definition for snapshot ${name} must use uuid ${domain.uuid}`);
	if (known === undefined) return;
	if (hasMemory(known) !== hasMemory(snapshot))
		refuse(`cannot change between online and offline snapshot state in snapshot ${name}`);
	if ((known.state === "disk-snapshot") !== (snapshot.state === "disk-snapshot"))
		refuse(`cannot change between disk only and full system in snapshot ${name}`);
	if (known.domain && snapshot.domain) checkGuestAbi(known.domain, snapshot.domain);
}

/** See the opening sentence. Nothing of the images is looked at or changed. */
export async function redefineSnapshot(
	driver: Driver,
	domain: QemuDomain,
	snapshot: SnapshotDef,
	flags: number,
): Promise<void> {
	const tree = snapshots.of(driver, domain);
	tree.checkPlace(snapshot);
	const known = tree.byName(snapshot.name);
	refuseChange(domain, snapshot, known, flags);
	const definition = snapshot.domain ?? known?.domain;
	if (definition === undefined) throw new VirtError("INTERNAL_ERROR", "missing domain in snapshot");
	alignDisks(
		snapshot,
		definition,
		isExternal(snapshot) || snapshot.state === "disk-snapshot" ? "external" : "internal",
	);
	snapshot.domain = definition;
	if (flags & CREATE.current) await tree.saveAsCurrent(snapshot);
	else await tree.save(snapshot);
}
