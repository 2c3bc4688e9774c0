// The portability check: no file names a folder of somebody's machine, or the host of a package registry.

import { isUtf8 } from "node:buffer";
import type { Check, Finding } from "./check.ts";
import { lineAt, type Tree } from "./tree.ts";

// Written so that this file does not find itself.
const FORBIDDEN: readonly { readonly pattern: RegExp; readonly message: string }[] = [
	{ pattern: /(?<![\w.$}-])\/work\/(?:mai[n]|share[d]|\.librar[y])\b/g, message: "names a folder of one machine" },
	{
		pattern: /\/tmp\/re[f]\b|\/opt\/node2[4]\b|\/home\/(?!user\b|\.\.\.)[a-z]+\//g,
		message: "names a folder of one machine",
	},
	{
		pattern: /\b(?:registry\.npmj[s]\.org|registry\.yarnpk[g]\.com|(?:deb|ftp|security)\.debia[n]\.org)/g,
		message: "names a package registry's host",
	},
	{
		pattern: /"resolved": "[h]ttp/g,
		message: "names a package registry's host; npm's omit-lockfile-registry-resolved leaves it out",
	},
];

function isText(bytes: Buffer): boolean {
	return isUtf8(bytes) && !bytes.includes(0);
}

/** Where the files of a tree name what is only on one machine or network. */
export function checkPortable(tree: Tree): Finding[] {
	return tree.files.flatMap((file) => {
		const bytes = tree.bytes(file);
		if (!isText(bytes)) return [];
		const text = bytes.toString();
		return FORBIDDEN.flatMap(({ pattern, message }) =>
			[...text.matchAll(pattern)].map((match) => ({
				file,
				line: lineAt(text, match.index),
				message: `${message}: ${match[0]}`,
			})),
		);
	});
}

export const portable: Check = {
	name: "portable",
	about: "no machine's own folders, no registry's host",
	run: (tree) => ({ findings: checkPortable(tree) }),
};
