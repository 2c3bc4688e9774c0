// UUIDs between their sixteen bytes and their text, quickly: they are in nearly every libvirt message.

import { XdrError } from "./error.ts";

const TEXT = /^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$/;

/** The text of sixteen bytes: lower case, with dashes. */
export function formatUuidBytes(bytes: Buffer): string {
	const hex = bytes.toString("hex");
	return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The sixteen bytes of a UUID's text, dashes optional. Throws XdrError on any other text. */
export function parseUuidBytes(text: string): Buffer {
	if (!TEXT.test(text)) throw new XdrError(`'${text}' is not a UUID`);
	return Buffer.from(text.replaceAll("-", ""), "hex");
}
