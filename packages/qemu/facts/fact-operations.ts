// What can be told of a domain.

import type { Driver } from "../driver-context.ts";
import { blockFacts } from "./block-facts.ts";
import { cpuFacts } from "./cpu-facts.ts";
import { interfaceFacts } from "./interface-facts.ts";
import { labelFacts } from "./label-facts.ts";
import { memoryFacts } from "./memory-facts.ts";
import { messageFacts } from "./messages.ts";
import { stateOperations } from "./state-operations.ts";
import { statsFacts } from "./stats/stats.ts";
import { vcpuFacts } from "./vcpu-facts.ts";

/** All of it. */
export const factOperations = (driver: Driver) => ({
	...stateOperations,
	...vcpuFacts,
	...memoryFacts,
	...blockFacts,
	...interfaceFacts,
	...cpuFacts(driver),
	...labelFacts,
	...statsFacts,
	...messageFacts(driver),
});
