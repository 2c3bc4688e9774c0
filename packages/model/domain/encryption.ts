// Encryption of a disk image: its format, the secrets that open it, and cipher parameters.

import { oneOf, str, uint } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, list } from "@virtkit/xml/schema";
import { typedSecretReference } from "./secret-reference.ts";

const cipher = element({
	name: attr(str, { required: true, doc: "Cipher, for instance aes." }),
	size: attr(uint, { required: true, doc: "Key size in bits." }),
	mode: attr(str, { doc: "Block mode, for instance cbc." }),
	hash: attr(str, { doc: "Hash of the key, for instance sha256." }),
});

const ivgen = element({
	name: attr(str, { required: true, doc: "Generator of initialisation vectors, for instance plain64." }),
	hash: attr(str, { doc: "Hash that the generator uses." }),
});

const isLuks = (self: { readonly format?: unknown }): boolean => self.format === "luks";

/** The <encryption> element of a disk, a source or a volume. */
export const encryption = element(
	{
		format: attr(oneOf("default", "qcow", "luks", "luks2"), {
			required: true,
			code: "CONFIG_UNSUPPORTED",
			doc: "Format of the encryption.",
		}),
		engine: attr(oneOf("qemu", "librbd"), { doc: "What decrypts: QEMU itself or librbd." }),
		secret: list(typedSecretReference(oneOf("passphrase")), { doc: "Passphrases that open the image." }),
		cipher: child(cipher, { when: isLuks, doc: "Cipher of a new image." }),
		ivgen: child(ivgen, { when: isLuks, doc: "Initialisation vectors of a new image." }),
	},
	{
		onRead: (value) => {
			if (value.ivgen && !value.cipher)
				throw documentError(positionOf(value), "ivgen element found, but cipher is missing");
		},
	},
);
export type EncryptionDef = Infer<typeof encryption>;
