// Key wrapping of s390x guests.

import { oneOf, onOff } from "@virtkit/xml/codec";
import { documentError } from "@virtkit/xml/read";
import { attr, element, type Infer, list } from "@virtkit/xml/schema";

const NAMES = ["aes", "dea"] as const;

export const keywrap = element(
	{
		cipher: list(
			element({
				name: attr(oneOf(...NAMES), { required: true, doc: "Kind of keys." }),
				state: attr(onOff, { required: true, doc: "Whether the guest may wrap such keys." }),
			}),
		),
	},
	{
		onRead(value, node) {
			value.cipher.sort((a, b) => NAMES.indexOf(a.name) - NAMES.indexOf(b.name));
			if (value.cipher.length > 1 && value.cipher[0]?.name === value.cipher[1]?.name)
				throw documentError(node, `cipher '${value.cipher[0]?.name}' is given more than once`, "INTERNAL_ERROR");
		},
	},
);

export type KeywrapDef = Infer<typeof keywrap>;
