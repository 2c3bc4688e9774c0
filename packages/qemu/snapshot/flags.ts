// Flags of what is done with snapshots, and which of them exclude each other.

import { VirtError } from "@virtkit/base/errors";

/** virDomainSnapshotCreateFlags. */
export const CREATE = {
	redefine: 1,
	current: 2,
	noMetadata: 4,
	halt: 8,
	diskOnly: 16,
	reuse: 32,
	quiesce: 64,
	atomic: 128,
	live: 256,
	validate: 512,
} as const;

/** virDomainSnapshotRevertFlags. */
export const REVERT = { running: 1, paused: 2, force: 4, resetNvram: 8 } as const;

/** virDomainSnapshotDeleteFlags. */
export const DELETE = { children: 1, metadataOnly: 2, childrenOnly: 4 } as const;

/** virDomainSnapshotListFlags. */
export const LIST = {
	rootsOrDescendants: 1,
	metadata: 2,
	leaves: 4,
	noLeaves: 8,
	noMetadata: 16,
	inactive: 32,
	active: 64,
	diskOnly: 128,
	internal: 256,
	external: 512,
	topological: 1024,
} as const;

/** A flag with its name in libvirt's headers. */
type Named = readonly [bit: number, name: string];

/** Refuses both together, as libvirt words it. */
export function exclude(flags: number, [one, oneName]: Named, [other, otherName]: Named, api: string): void {
	if (flags & one && flags & other)
		throw new VirtError(
			"INVALID_ARG",
			`Flags 'VIR_DOMAIN_SNAPSHOT_${oneName}' and 'VIR_DOMAIN_SNAPSHOT_${otherName}' are mutually exclusive in ${api}`,
			{ domain: "DOMAIN_SNAPSHOT" },
		);
}

/** Refuses the first without the second. */
export function demand(flags: number, [one, oneName]: Named, [other, otherName]: Named, api: string): void {
	if (flags & one && !(flags & other))
		throw new VirtError(
			"INVALID_ARG",
			`Flag 'VIR_DOMAIN_SNAPSHOT_${otherName}' is required by flag 'VIR_DOMAIN_SNAPSHOT_${oneName}' in ${api}`,
			{ domain: "DOMAIN_SNAPSHOT" },
		);
}
