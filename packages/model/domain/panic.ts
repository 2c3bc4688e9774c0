// Panic devices, through which a guest says that it crashed.

import { oneOf } from "@virtkit/xml/codec";
import { attr, element, type Infer } from "@virtkit/xml/schema";
import { deviceInfo } from "./device-common.ts";

/** The <panic> element. */
export const panic = element({
	model: attr(oneOf("default", "isa", "pseries", "hyperv", "s390"), {
		absent: "default",
		code: "CONFIG_UNSUPPORTED",
		doc: "How the guest says it; the machine's own way where absent.",
	}),
	...deviceInfo,
});
/** A panic device. */
export type PanicDef = Infer<typeof panic>;
