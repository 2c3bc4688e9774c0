// Smartcards: the host's own reader, certificates of the host, or a card passed through from a client.

import { absolutePath, oneOf, str } from "@virtkit/xml/codec";
import { documentError } from "@virtkit/xml/read";
import { attr, element, type Infer, type Loose, leaf, list, type Schema, text } from "@virtkit/xml/schema";
import { CHARDEV_TYPES, chardevFields, settleChardev } from "./chardev.ts";
import { deviceInfo } from "./device-common.ts";

const isMode =
	(mode: string) =>
	(self: Loose): boolean =>
		self.mode === mode;

/** Certificates that a card holds. */
const CERTIFICATES = 3;

const inMode = <F extends object>(field: F) => ({
	...field,
	when: (self: Loose, parent: Loose | undefined): boolean => {
		const { when } = field as { when?: (self: Loose, parent: Loose | undefined) => boolean };
		return isMode("passthrough")(self) && when?.(self, parent) !== false;
	},
});

const smartcardFields = element({
	mode: attr(oneOf("host", "host-certificates", "passthrough"), { required: true, doc: "Where the card is." }),
	type: attr(oneOf(...CHARDEV_TYPES), {
		when: isMode("passthrough"),
		code: "CONFIG_UNSUPPORTED",
		doc: "Kind of the host's side of a card that is passed through.",
	}),
	certificate: list(element({ name: text(str, { required: true, doc: "Name of the certificate." }) }), {
		when: isMode("host-certificates"),
		doc: "A certificate of the host's database.",
	}),
	database: leaf(absolutePath, { when: isMode("host-certificates"), doc: "Folder of that database." }),
	source: inMode(chardevFields.source),
	endpoints: inMode(chardevFields.endpoints),
	protocol: inMode(chardevFields.protocol),
	log: inMode(chardevFields.log),
	...deviceInfo,
});
/** A smartcard. */
export type SmartcardDef = Infer<typeof smartcardFields>;
/** The <smartcard> element. */
export const smartcard: Schema<SmartcardDef> = {
	...smartcardFields,
	onRead: (value, found, context) => {
		if (value.mode === "host-certificates" && value.certificate.length !== CERTIFICATES)
			throw documentError(found, "host-certificates mode needs exactly three certificates");
		if (value.mode !== "passthrough") return;
		if (value.type === undefined)
			throw documentError(found, "passthrough mode requires a character device type attribute");
		settleChardev(value, found, context);
	},
};
