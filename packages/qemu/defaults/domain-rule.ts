// Rules about a whole domain: a row says what breaks it, and libvirt's code for that.

import type { ErrorCode } from "@virtkit/base/errors";
import { documentError, positionOf } from "@virtkit/xml/read";
import type { DefineContext } from "../devices/entry.ts";

/** One rule. */
export interface DomainRule {
	readonly code: ErrorCode;
	/** What is wrong, naming the thing, the value and where there is one the remedy; undefined where the rule holds. */
	broken(context: DefineContext): string | undefined;
	/** The part of the definition that the rule is about, for the position in the message. */
	at?(context: DefineContext): object | undefined;
}

/** Throws the first rule that `context` breaks. */
export function checkDomainRules(rules: readonly DomainRule[], context: DefineContext): void {
	for (const rule of rules) {
		const message = rule.broken(context);
		if (message === undefined) continue;
		const at = rule.at?.(context);
		throw documentError((at && positionOf(at)) ?? positionOf(context.def), message, rule.code);
	}
}
