// Which of a domain's moments a listing is about, by libvirt's flags.

import type { MomentDef } from "@virtkit/model/snapshot/moment";
import type { MomentTree } from "./tree.ts";

/** Flags that listings of every kind of moment have (virDomainSnapshotListFlags, virDomainCheckpointListFlags). */
export interface ListFlags {
	/** From the domain: those without a parent alone; from a moment: all below it, not its children alone. */
	readonly rootsOrDescendants: boolean;
	readonly leaves: boolean;
	readonly noLeaves: boolean;
}

/** The moments below `from`, or of the whole domain, that the flags and `wanted` let through. */
export function listMoments<D extends MomentDef>(
	tree: MomentTree<D>,
	from: D | undefined,
	flags: ListFlags,
	wanted: (moment: D) => boolean = () => true,
): D[] {
	const deep = flags.rootsOrDescendants === (from !== undefined);
	const found = deep ? tree.descendantsOf(from) : tree.childrenOf(from);
	// Nothing is both, whatever the documentation of the flags says: libvirt, too, answers nothing then.
	const shown = (moment: D): boolean =>
		(!flags.leaves || tree.isLeaf(moment)) && (!flags.noLeaves || !tree.isLeaf(moment));
	return found.filter((moment) => shown(moment) && wanted(moment));
}
