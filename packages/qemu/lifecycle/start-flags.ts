// Flags of a start, with libvirt's numbers (virDomainCreateFlags).

/** virDomainCreateFlags. */
export const START_FLAG = {
	paused: 1,
	autodestroy: 2,
	bypassCache: 4,
	forceBoot: 8,
	validate: 16,
	resetNvram: 32,
} as const;
