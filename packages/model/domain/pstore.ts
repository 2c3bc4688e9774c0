// The store in which a guest's kernel leaves its last words, to be read after the crash.

import { oneOf, str } from "@virtkit/xml/codec";
import { amountLeaf } from "@virtkit/xml/scaled";
import { attr, element, type Infer, leaf } from "@virtkit/xml/schema";
import { deviceInfo } from "./device-common.ts";

/** The <pstore> element. */
export const pstore = element({
	backend: attr(oneOf("acpi-erst"), { required: true, doc: "How the guest reaches it." }),
	path: leaf(str, { doc: "File of the store, made in the guest's folder where absent." }),
	size: amountLeaf("size", { doc: "KiB of the store." }),
	alias: deviceInfo.alias,
	address: deviceInfo.address,
});
/** A store of last words. */
export type PstoreDef = Infer<typeof pstore>;
