// Checks a completed definition, in libvirt's order: the driver's rules, each device, the rules of any hypervisor.

import { domain } from "@virtkit/model/domain/domain";
import { atElement } from "@virtkit/xml/read";
import { checkRules } from "@virtkit/xml/validate";
import { checkAddress } from "../addresses/check.ts";
import type { DefineContext } from "../devices/entry.ts";
import { type AnyEntry, COMPLETED, DOMAIN_CHECKS, LAST_CHECKS } from "../devices/registry.ts";
import { COMMON_RULES } from "./common-rules.ts";
import { DEVICE_RULES } from "./device-rules.ts";
import { checkDomainRules } from "./domain-rule.ts";
import { DRIVER_RULES_FIRST, DRIVER_RULES_LAST, DRIVER_RULES_SECOND } from "./driver-rules.ts";
import { FEATURE_RULES } from "./feature-rules.ts";
import { checkMemoryHotplug } from "./memory.ts";
import { NEWER_RULES } from "./newer-rules.ts";
import { checkNuma } from "./numa.ts";
import { checkClock } from "./timers.ts";

/** Throws VirtError where the completed `device` cannot be had on its own. */
export function checkDevice(device: object, entry: AnyEntry, context: DefineContext): void {
	atElement(device, () => {
		entry.checkCommon?.(device, context);
		checkAddress(device, entry, context);
		entry.check?.(device, context);
	});
}

/** Throws VirtError with libvirt's code where the guest cannot be had. */
export function checkDomain(context: DefineContext): void {
	checkDomainRules(DRIVER_RULES_FIRST, context);
	atElement(context.def.maxMemory ?? context.def, () => checkMemoryHotplug(context));
	checkClock(context);
	checkDomainRules(DRIVER_RULES_SECOND, context);
	checkDomainRules(FEATURE_RULES, context);
	checkDomainRules(DRIVER_RULES_LAST, context);
	checkDomainRules(NEWER_RULES, context);
	for (const check of DOMAIN_CHECKS) check(context);
	checkRules(domain, context.def);
	for (const entry of COMPLETED) for (const device of entry.list(context.def)) checkDevice(device, entry, context);
	checkDomainRules(DEVICE_RULES, context);
	for (const check of LAST_CHECKS) check(context);
	checkDomainRules(COMMON_RULES, context);
	checkNuma(context);
}
