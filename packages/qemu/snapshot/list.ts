// Finding and listing a domain's snapshots.

import { VirtError } from "@virtkit/base/errors";
import { formatSnapshot, isExternal, type SnapshotDef } from "@virtkit/model/snapshot/snapshot";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { listMoments } from "../moments/list.ts";
import { LIST } from "./flags.ts";
import { neededSnapshot, snapshots } from "./metadata.ts";

const FILTERS_METADATA = LIST.metadata | LIST.noMetadata;
const FILTERS_STATE = LIST.inactive | LIST.active | LIST.diskOnly;
const FILTERS_LOCATION = LIST.internal | LIST.external;

const isWithin = (flags: number, group: number): boolean => (flags & group) !== 0 && (flags & group) !== group;

/** The bit of the state that a snapshot's listing is filtered by. */
function stateBit({ state }: SnapshotDef): number {
	if (state === "shutoff") return LIST.inactive;
	return state === "disk-snapshot" ? LIST.diskOnly : LIST.active;
}

function isWanted(snapshot: SnapshotDef, flags: number): boolean {
	if (isWithin(flags, FILTERS_STATE) && !(flags & stateBit(snapshot))) return false;
	if (!isWithin(flags, FILTERS_LOCATION)) return true;
	return isExternal(snapshot) === ((flags & LIST.external) !== 0);
}

/** Names of the snapshots below `from`, or of all. */
export function listSnapshots(driver: Driver, domain: QemuDomain, from: string | undefined, flags: number): string[] {
	const start = from === undefined ? undefined : neededSnapshot(driver, domain, from);
	// Each one known is known by its metadata.
	if ((flags & FILTERS_METADATA) === LIST.noMetadata) return [];
	const given = {
		rootsOrDescendants: (flags & LIST.rootsOrDescendants) !== 0,
		leaves: (flags & LIST.leaves) !== 0,
		noLeaves: (flags & LIST.noLeaves) !== 0,
	};
	const tree = snapshots.of(driver, domain);
	return listMoments(tree, start, given, (snapshot) => isWanted(snapshot, flags)).map(({ name }) => name);
}

/** VIR_DOMAIN_SNAPSHOT_XML_SECURE. */
const SECURE = 1;

export function snapshotXml(
	driver: Driver,
	domain: QemuDomain,
	name: string,
	flags: number,
	{ readOnly }: { readonly readOnly: boolean },
): string {
	if (readOnly && flags & SECURE)
		throw new VirtError("OPERATION_DENIED", "virDomainSnapshotGetXMLDesc with secure flag", {
			domain: "DOMAIN_SNAPSHOT",
		});
	return formatSnapshot(neededSnapshot(driver, domain, name), { secure: (flags & SECURE) !== 0 });
}

export function snapshotParent(driver: Driver, domain: QemuDomain, name: string): string {
	const parent = snapshots.of(driver, domain).parentOf(neededSnapshot(driver, domain, name));
	if (parent) return parent.name;
	throw new VirtError("NO_DOMAIN_SNAPSHOT", `snapshot '${name}' does not have a parent`);
}
