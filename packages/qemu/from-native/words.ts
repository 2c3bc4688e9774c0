// Splits the text of a command line into words as a POSIX shell does, as far as command lines need it: quotes, backslashes, line ends.

import { VirtError } from "@virtkit/base/errors";

/** A word up to the next blank: pieces in single quotes, in double quotes, escaped, and plain ones. */
const PIECE = /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\]+)/y;
const BLANK = /(?:\s|\\\n)+/y;

/** See the opening sentence (POSIX shell command language, 2.2 Quoting). Throws INVALID_ARG for a quote that does not end. */
export function splitWords(text: string): string[] {
	const words: string[] = [];
	let word: string | undefined;
	for (let at = 0; at < text.length; ) {
		BLANK.lastIndex = at;
		const blank = BLANK.exec(text)?.[0];
		if (blank !== undefined) {
			if (word !== undefined) words.push(word);
			word = undefined;
			at += blank.length;
			continue;
		}
		PIECE.lastIndex = at;
		const piece = PIECE.exec(text);
		if (piece === null)
			throw new VirtError("INVALID_ARG", `a quote that begins at character ${at + 1} of the command line does not end`);
		const [whole, single, double, escaped, plain] = piece;
		word = (word ?? "") + (single ?? double?.replace(/\\([\\"$`])/g, "$1") ?? escaped ?? plain ?? "");
		at += whole.length;
	}
	if (word !== undefined) words.push(word);
	return words;
}
