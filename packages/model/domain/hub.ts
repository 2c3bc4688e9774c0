// USB hubs.

import { oneOf } from "@virtkit/xml/codec";
import { attr, element, type Infer } from "@virtkit/xml/schema";
import { deviceInfo } from "./device-common.ts";

/** The <hub> element. */
export const hub = element({
	type: attr(oneOf("usb"), {
		required: true,
		missing: "INTERNAL_ERROR",
		code: "CONFIG_UNSUPPORTED",
		doc: "Kind of the hub: usb.",
	}),
	...deviceInfo,
});
/** A hub. */
export type HubDef = Infer<typeof hub>;
