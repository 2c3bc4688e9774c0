// The opening check: each source file starts with a sentence that says what it is for.

import type { Check, Finding } from "./check.ts";
import type { Tree } from "./tree.ts";

/** The sentence that opens a file's text, or what is in its place. */
function openingOf(text: string): string {
	const body = text.replace(/^#!.*\n/, "");
	const docstring = /^"""([\s\S]*?)"""/.exec(body)?.[1];
	const lines = /^(?:(?:\/\/|#) ?.*\n?)+/.exec(body)?.[0] ?? /^\/\*[\s\S]*?\*\//.exec(body)?.[0] ?? docstring ?? "";
	return lines
		.replace(/^(?:\/\/|#|\/\*+|\s\*\/?) ?/gm, "")
		.replace(/\s+/g, " ")
		.trim();
}

/** Source files and scripts of a tree whose first line is no comment, or no sentence. */
export function checkOpenings(tree: Tree): Finding[] {
	const scripts = tree.files.filter((file) => file.endsWith(".sh") || file.endsWith(".py") || file === "virtkit");
	return [...tree.sources, ...scripts].flatMap((file) => {
		const opening = openingOf(tree.read(file));
		if (opening === "") return [{ file, line: 1, message: "does not open with a comment that says what it is for" }];
		if (/[.:)…!?]($| )/.test(opening) || opening.includes(": ")) return [];
		return [{ file, line: 1, message: `its opening comment is no sentence: '${opening.slice(0, 60)}'` }];
	});
}

export const opening: Check = {
	name: "opening",
	about: "each source file opens with a sentence that says what it is for",
	run: (tree) => ({ findings: checkOpenings(tree) }),
};
