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

/** Ranges of NameStartChar beyond ASCII, first and last of each. */
const NAME_START_REST = [
	[0xc0, 0xd6],
	[0xd8, 0xf6],
	[0xf8, 0x2ff],
	[0x370, 0x37d],
	[0x37f, 0x1fff],
	[0x200c, 0x200d],
	[0x2070, 0x218f],
	[0x2c00, 0x2fef],
	[0x3001, 0xd7ff],
	[0xf900, 0xfdcf],
	[0xfdf0, 0xfffd],
	[0x10000, 0xeffff],
] as const;
/** What NameChar has besides. */
const NAME_REST = [
	[0xb7, 0xb7],
	[0x300, 0x36f],
	[0x203f, 0x2040],
] as const;

const within = (ranges: readonly (readonly [number, number])[], code: number): boolean =>
	ranges.some(([first, last]) => code >= first && code <= last);

/** Production S. */
export const isSpace = (code: number): boolean => code < 128 && ((ASCII[code] ?? 0) & SPACE) !== 0;

/** Production NameStartChar. */
export function isNameStart(code: number): boolean {
	if (code < 128) return ((ASCII[code] ?? 0) & NAME_START) !== 0;
	return within(NAME_START_REST, code);
}

/** Production NameChar. */
export function isNameCharacter(code: number): boolean {
	if (code < 128) return ((ASCII[code] ?? 0) & NAME) !== 0;
	return within(NAME_START_REST, code) || within(NAME_REST, code);
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
