// How much memory the guest has, how much of the host's it may use, and what backs it.

import { oneOf, onOff, uint } from "@virtkit/xml/codec";
import { amount, amountAttribute, amountLeaf } from "@virtkit/xml/scaled";
import { attr, child, element, flag, type Infer, list } from "@virtkit/xml/schema";
import { numberSetCode, someNumbers } from "./number-sets.ts";

/** Limits at or above this many KiB mean "no limit" (VIR_DOMAIN_MEMORY_PARAM_UNLIMITED). */
export const UNLIMITED_KIB = 9007199254740991;

export const memorySize = element({
	dumpCore: attr(onOff, { doc: "Whether the guest's memory is part of a core dump of the emulator." }),
	size: amount({ required: true, doc: "Memory in KiB, memory devices included." }),
});

export const maxMemory = element({
	slots: attr(uint, { doc: "Slots that memory devices can be plugged into." }),
	size: amount({ required: true, doc: "Memory in KiB that the guest can have once all its slots are filled." }),
});

const limit = (name: string, doc: string) =>
	amountLeaf(name, { doc, show: (self) => Number(self[name]) < UNLIMITED_KIB });

export const memtune = element({
	hard_limit: limit("hard_limit", "Host memory in KiB that the whole guest may never exceed."),
	soft_limit: limit("soft_limit", "Host memory in KiB that the guest is pushed back to when memory is short."),
	min_guarantee: amountLeaf("min_guarantee", { doc: "Host memory in KiB that the guest always gets." }),
	swap_hard_limit: limit("swap_hard_limit", "Host memory and swap in KiB that the guest may never exceed."),
});

const hugepage = element({
	size: amountAttribute("size", { required: true, doc: "Size of a page in KiB." }),
	nodeset: attr(someNumbers, { code: numberSetCode, doc: "Guest NUMA nodes whose memory has pages of this size." }),
});

export const memoryBacking = element({
	hugepages: child(
		element({
			page: list(hugepage, { doc: "Page sizes by guest NUMA node; the host's default size where none is given." }),
		}),
		{ keepEmpty: true, doc: "The guest's memory comes from huge pages." },
	),
	nosharepages: flag({ doc: "Pages are not merged with equal ones of other guests (KSM)." }),
	locked: flag({ doc: "Pages stay in memory and are never swapped out." }),
	source: child(
		element({
			type: attr(oneOf("file", "anonymous", "memfd"), {
				required: true,
				code: "CONFIG_UNSUPPORTED",
				doc: "Kind of host memory that backs the guest's.",
			}),
		}),
	),
	access: child(
		element({
			mode: attr(oneOf("shared", "private"), {
				required: true,
				code: "CONFIG_UNSUPPORTED",
				doc: "Whether other processes can see the memory.",
			}),
		}),
	),
	allocation: child(
		element({
			mode: attr(oneOf("immediate", "ondemand"), {
				code: "CONFIG_UNSUPPORTED",
				doc: "Whether memory is taken from the host at start or when first used.",
			}),
			threads: attr(uint, { absent: 0, doc: "Threads that take the memory at start." }),
		}),
	),
	discard: flag({ doc: "Contents are thrown away before the memory is given back." }),
});

export type MemoryBackingDef = Infer<typeof memoryBacking>;
export type MemtuneDef = Infer<typeof memtune>;
