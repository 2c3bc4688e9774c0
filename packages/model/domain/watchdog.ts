// Watchdogs: timers that act where the guest stops responding.

import { oneOf } from "@virtkit/xml/codec";
import { attr, element, type Infer } from "@virtkit/xml/schema";
import { deviceInfo } from "./device-common.ts";

/** What a watchdog does when it fires; dump is the driver's own, the others are QEMU's. */
export const WATCHDOG_ACTIONS = ["reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi"] as const;
export type WatchdogAction = (typeof WATCHDOG_ACTIONS)[number];

/** The <watchdog> element. */
export const watchdog = element({
	model: attr(oneOf("i6300esb", "ib700", "diag288"), {
		required: true,
		missing: "INTERNAL_ERROR",
		code: "CONFIG_UNSUPPORTED",
		doc: "Model of the watchdog.",
	}),
	action: attr(oneOf(...WATCHDOG_ACTIONS), {
		default: "reset",
		code: "CONFIG_UNSUPPORTED",
		doc: "What happens when it fires.",
	}),
	...deviceInfo,
});
/** A watchdog. */
export type WatchdogDef = Infer<typeof watchdog>;
