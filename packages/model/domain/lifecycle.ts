// What happens when the guest powers off, reboots, crashes or loses its locks, and which sleep states it may use.

import { oneOf, yesNo } from "@virtkit/xml/codec";
import { attr, child, element, type Infer } from "@virtkit/xml/schema";

/** What becomes of a guest that ended. */
export const lifecycleAction = oneOf(
	"destroy",
	"restart",
	"rename-restart",
	"preserve",
	"coredump-destroy",
	"coredump-restart",
);

/** What becomes of a guest whose disk locks are gone. */
export const lockFailureAction = oneOf("poweroff", "restart", "pause", "ignore");

const enabled = (doc: string) => child(element({ enabled: attr(yesNo, { doc }) }));

export const pm = element({
	"suspend-to-mem": enabled("Whether the guest may sleep in memory (ACPI S3)."),
	"suspend-to-disk": enabled("Whether the guest may sleep on disk (ACPI S4)."),
});

export type PmDef = Infer<typeof pm>;
