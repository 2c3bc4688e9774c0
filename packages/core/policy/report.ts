// The memory report: what the host has, what its guests are promised, have and use, and what policies decided lately.

/** The host; sizes are KiB. */
export interface HostMemory {
	readonly physical: bigint;
	/** What could be given out without swapping. */
	readonly available: bigint;
	readonly swapTotal: bigint;
	readonly swapFree: bigint;
	/** Pools of huge pages, whoever uses them. */
	readonly hugePages: bigint;
	/** Memory that merging equal pages (KSM) saves. */
	readonly ksmSaved: bigint;
	/** PSI `some avg10` of memory in hundredths of a percent; -1 where the kernel does not tell. */
	readonly pressure: number;
	/** The most that the running guests may come to have together. */
	readonly committed: bigint;
	/** What may be promised by the declared ratio; 0 where nothing is declared. */
	readonly promisable: bigint;
	/** What balloons hold back of what is committed. */
	readonly ballooned: bigint;
	readonly balancing: boolean;
}

/** A running guest; sizes are KiB. */
export interface GuestMemoryUse {
	readonly domain: { readonly name: string; readonly uuid: string; readonly id: number };
	readonly maximum: bigint;
	/** What it is to have while nobody is short. */
	readonly wanted: bigint;
	/** What it has: the maximum less what its balloon holds. */
	readonly actual: bigint;
	/** The least that the balancer leaves it. */
	readonly floor: bigint;
	/** Of its process: resident, shared with other processes, and swapped out. */
	readonly resident: bigint;
	readonly shared: bigint;
	readonly swapped: bigint;
	/** Pages of it that are merged with equal ones. */
	readonly merged: bigint;
}

/** Something that a policy decided. */
export interface PolicyDecision {
	/** Counts up from 1 since the daemon began. */
	readonly number: bigint;
	/** Milliseconds since 1970. */
	readonly time: bigint;
	/** `admission` of a start that was refused, `balloon` of a move. */
	readonly kind: "admission" | "balloon";
	readonly domain: { readonly name: string; readonly uuid: string; readonly id: number };
	/** KiB before and after; both 0 of a refusal. */
	readonly from: bigint;
	readonly to: bigint;
	readonly reason: string;
}

export interface MemoryReport {
	readonly host: HostMemory;
	readonly guests: readonly GuestMemoryUse[];
	/** The latest ones, the oldest first. */
	readonly decisions: readonly PolicyDecision[];
}
