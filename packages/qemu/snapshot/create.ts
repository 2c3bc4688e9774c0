// Takes snapshots: reads what is wanted, refuses what cannot be had, and has it done.

import { VirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import { parseSnapshot, type SnapshotDef } from "@virtkit/model/snapshot/snapshot";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { CREATE, demand, exclude } from "./flags.ts";
import { redefineSnapshot } from "./redefine.ts";
import { takeSnapshot } from "./take.ts";

const API = "virDomainSnapshotCreateXML";

function checkCreateFlags(flags: number): void {
	demand(flags, [CREATE.current, "CREATE_CURRENT"], [CREATE.redefine, "CREATE_REDEFINE"], API);
	demand(flags, [CREATE.quiesce, "CREATE_QUIESCE"], [CREATE.diskOnly, "CREATE_DISK_ONLY"], API);
	for (const other of [
		[CREATE.noMetadata, "CREATE_NO_METADATA"],
		[CREATE.halt, "CREATE_HALT"],
		[CREATE.live, "CREATE_LIVE"],
	] as const)
		exclude(flags, [CREATE.redefine, "CREATE_REDEFINE"], other, API);
}

/** Takes the snapshot that `xml` describes, or makes it known; comes to its name. */
export async function createSnapshot(
	driver: Driver,
	domain: QemuDomain,
	xml: string,
	flags: number,
	context: CallContext,
): Promise<string> {
	checkCreateFlags(flags);
	if (!domain.persistent && flags & CREATE.halt)
		throw new VirtError("OPERATION_INVALID", "cannot halt after transient domain snapshot");
	const snapshot = parseSnapshot(xml, {
		redefine: (flags & CREATE.redefine) !== 0,
		offline: (flags & CREATE.diskOnly) !== 0 || domain.run === undefined,
		strict: (flags & CREATE.validate) !== 0,
		now: Math.floor(Date.now() / 1000),
	});
	refuseImpossible(domain, snapshot, flags);
	if (flags & CREATE.redefine) await redefineSnapshot(driver, domain, snapshot, flags);
	else await takeSnapshot(driver, domain, snapshot, { flags, context });
	return snapshot.name;
}

function refuseImpossible(domain: QemuDomain, { name, state, memory }: SnapshotDef, flags: number): void {
	if (!(flags & CREATE.noMetadata)) {
		if (name.includes("/"))
			throw new VirtError("XML_DETAIL", `invalid snapshot name '${name}': name can't contain '/'`);
		if (name.startsWith("."))
			throw new VirtError("XML_DETAIL", `invalid snapshot name '${name}': name can't start with '.'`);
	}
	if (flags & CREATE.live && (domain.run === undefined || memory?.snapshot !== "external"))
		throw new VirtError(
			"OPERATION_UNSUPPORTED",
			"live snapshot creation is supported only during full system snapshots",
		);
	if ((flags & CREATE.redefine ? state : domain.stateName) === "pmsuspended")
		throw new VirtError("OPERATION_UNSUPPORTED", "qemu doesn't support taking snapshots of PMSUSPENDED guests");
}
