// Host NUMA nodes that the guest's memory comes from.

import { oneOf, uint } from "@virtkit/xml/codec";
import { attr, child, element, type Infer, list } from "@virtkit/xml/schema";
import { numberSetCode, someNumbers } from "./number-sets.ts";

const mode = oneOf("strict", "preferred", "interleave", "restrictive");
const nodeset = "Host NUMA nodes.";

export const numatune = element(
	{
		memory: child(
			element({
				mode: attr(mode, { code: "CONFIG_UNSUPPORTED", doc: "How strictly memory comes from the nodes." }),
				nodeset: attr(someNumbers, {
					code: numberSetCode,
					doc: nodeset,
					show: (self) => self.placement !== "auto",
				}),
				placement: attr(oneOf("static", "auto"), {
					code: "CONFIG_UNSUPPORTED",
					doc: "Whether the nodes are those of `nodeset` or asked of numad.",
					show: (self) => self.placement === "auto",
				}),
			}),
			{ doc: "Nodes of all memory that no `memnode` is about." },
		),
		memnode: list(
			element({
				cellid: attr(uint, { required: true, doc: "Guest NUMA node." }),
				mode: attr(mode, { doc: "How strictly memory comes from the nodes." }),
				nodeset: attr(someNumbers, { required: true, code: numberSetCode, doc: nodeset }),
			}),
			{ doc: "Nodes of the memory of one guest NUMA node." },
		),
	},
	{
		onRead(value) {
			for (const memnode of value.memnode) memnode.mode ??= "strict";
			value.memnode.sort((a, b) => a.cellid - b.cellid);
		},
	},
);

export type NumatuneDef = Infer<typeof numatune>;
