// Operations on a guest's screen and keyboard.

import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { dirtyRateOperations } from "./dirty-rate.ts";
import { peekOperations } from "./peek.ts";
import { screenshot } from "./screenshot.ts";
import { sendKey } from "./send-key.ts";

export const controlOperations = (
	driver: Driver,
): Pick<
	DomainOperations<QemuDomain>,
	"screenshot" | "sendKey" | "memoryPeek" | "blockPeek" | "startDirtyRateCalculation"
> => ({
	screenshot: (domain, screen) => screenshot(driver, domain, screen),
	sendKey: (domain, keys) => sendKey(domain, keys),
	...peekOperations(driver),
	...dirtyRateOperations,
});
