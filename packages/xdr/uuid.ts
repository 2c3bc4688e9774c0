// UUIDs between their sixteen bytes and their text, quickly: they are in nearly every libvirt message.

import { XdrError } from "./error.ts";

const TEXT = /^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$/;

/** The text of sixteen bytes: lower case, with dashes. */
export function formatUuidBytes(bytes: Buffer): string {
	const hex = bytes.toString("hex");
	return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The value of each hexadecimal digit by its character's code; 255 for other characters. */
const DIGITS = Uint8Array.from({ length: 128 }, (_, code) => {
	const digit = "0123456789abcdef".indexOf(String.fromCharCode(code).toLowerCase());
	return digit < 0 || code === 0 ? 255 : digit;
});

/** Puts the sixteen bytes of a UUID's text at `at`, dashes optional. Throws XdrError on any other text. */
export function writeUuidBytes(text: string, buffer: Uint8Array, at: number): void {
	if (text.length !== 36 || !writePlain(text, buffer, at)) writeAny(text, buffer, at);
}

/** The text as it always is, 8-4-4-4-12: a list of domains holds thousands, and a loop is several times faster than a pattern. */
function writePlain(text: string, buffer: Uint8Array, at: number): boolean {
	let place = at;
	for (let index = 0; index < 36; index += 2) {
		if (index === 8 || index === 13 || index === 18 || index === 23) {
			if (text.charCodeAt(index) !== 0x2d) return false;
			index++;
		}
		const high = DIGITS[text.charCodeAt(index)] ?? 255;
		const low = DIGITS[text.charCodeAt(index + 1)] ?? 255;
		if (high > 15 || low > 15) return false;
		buffer[place++] = (high << 4) | low;
	}
	return true;
}

function writeAny(text: string, buffer: Uint8Array, at: number): void {
	if (!TEXT.test(text)) throw new XdrError(`'${text}' is not a UUID`);
	buffer.set(Buffer.from(text.replaceAll("-", ""), "hex"), at);
}
