// Characters of XML 1.0 (fifth edition): which may stand in a document, which in a name.

/** Class bits of the ASCII characters. */
export const SPACE = 1;
const NAME_START = 2;
const NAME = 4;
/** Ordinary in content: neither markup, nor a reference, nor to be normalised, nor a bracket that could end a CDATA section. */
export const PLAIN_TEXT = 8;
/** Ordinary in a quoted value: no quote, no markup, no reference, nothing that is normalised to a blank. */
export const PLAIN_VALUE = 16;

/** The classes of each ASCII character. */
export const ASCII = classes();

function classes(): Uint8Array {
	const table = new Uint8Array(128);
	const add = (characters: string, bits: number): void => {
		for (let at = 0; at < characters.length; at++) {
			const code = characters.charCodeAt(at);
			table[code] = (table[code] ?? 0) | bits;
		}
	};
	for (let code = 0x20; code < 128; code++) table[code] = PLAIN_TEXT | PLAIN_VALUE;
	table[10] = PLAIN_TEXT;
	table[9] = PLAIN_TEXT;
	for (const markup of "<&]") table[markup.charCodeAt(0)] = 0;
	table[0x5d] = PLAIN_VALUE;
	for (const quote of "'\"") table[quote.charCodeAt(0)] = PLAIN_TEXT;
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	add(`${letters}:_`, NAME_START | NAME);
	add("0123456789-.", NAME);
	add(" \t\r\n", SPACE);
	return table;
}

const NAME_START_REST =
	/[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\u{10000}-\u{effff}]/u;
const NAME_REST = /[\u00b7\u0300-\u036f\u203f\u2040]/u;

/** Production S. */
export const isSpace = (code: number): boolean => code < 128 && ((ASCII[code] ?? 0) & SPACE) !== 0;

/** Production NameStartChar. */
export function isNameStart(code: number): boolean {
	if (code < 128) return ((ASCII[code] ?? 0) & NAME_START) !== 0;
	return NAME_START_REST.test(String.fromCodePoint(code));
}

/** Production NameChar. */
export function isNameCharacter(code: number): boolean {
	if (code < 128) return ((ASCII[code] ?? 0) & NAME) !== 0;
	const character = String.fromCodePoint(code);
	return NAME_START_REST.test(character) || NAME_REST.test(character);
}

/** Production Char. */
export function isCharacter(code: number): boolean {
	if (code < 0x20) return code === 9 || code === 10 || code === 13;
	return code < 0xd800 || (code >= 0xe000 && code <= 0xfffd) || (code >= 0x10000 && code <= 0x10ffff);
}

/** Production NCName of Namespaces in XML: a name without a colon. */
export function isNcName(name: string): boolean {
	let first = true;
	for (const character of name) {
		const code = character.codePointAt(0) ?? 0;
		if (character === ":" || !(first ? isNameStart(code) : isNameCharacter(code))) return false;
		first = false;
	}
	return !first;
}
