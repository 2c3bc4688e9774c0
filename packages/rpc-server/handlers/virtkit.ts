// virtkit's own program: the memory report.

import type { Hypervisor } from "@virtkit/core/hypervisor";
import { checkFlags } from "@virtkit/core/invoke";
import type { Handlers } from "../handler.ts";
import { hostOperation } from "./connect.ts";
import { after } from "./domain-call.ts";

export function virtkitHandlers(hypervisor: Hypervisor): Handlers<"virtkit"> {
	return {
		HOST_MEMORY: (_, { maxDecisions, flags }) => {
			checkFlags("HOST_MEMORY", flags, 0);
			const report = hostOperation(hypervisor, "memoryReport", "HOST_MEMORY")(Math.min(maxDecisions, 1000));
			return after(report, ({ host, guests, decisions }) => ({
				host: { ...host },
				guests: guests.map((guest) => ({ ...guest, domain: { ...guest.domain } })),
				decisions: decisions.map((decision) => ({ ...decision, domain: { ...decision.domain } })),
			}));
		},
	};
}
