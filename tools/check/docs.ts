// The documentation check: links lead somewhere, translations say the same, and the commands that pages show exist.

import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import type { Check, Finding } from "./check.ts";
import { commandLookup } from "./known-commands.ts";
import { type Page, parsePage } from "./markdown.ts";
import type { Tree } from "./tree.ts";

/** Pages that exist in two languages: the original and its translation. */
const TRANSLATIONS: readonly (readonly [string, string])[] = [["README.md", "README.vi.md"]];

function checkLinks(tree: Tree, file: string, page: Page): Finding[] {
	return page.links.flatMap(({ path, anchor, line }) => {
		const target = path === "" ? file : posix.join(posix.dirname(file), path);
		if (path !== "" && !existsSync(join(tree.root, target)))
			return [{ file, line, message: `links to ${path}, which is not there` }];
		if (anchor === undefined || !target.endsWith(".md") || !tree.has(target)) return [];
		if (parsePage(tree.read(target)).headings.some((heading) => heading.anchor === anchor)) return [];
		return [{ file, line, message: `links to #${anchor} of ${target}, which has no such heading` }];
	});
}

function checkTranslation(tree: Tree, original: string, translation: string): Finding[] {
	if (!tree.has(original) || !tree.has(translation)) return [];
	const [from, to] = [original, translation].map((file) => parsePage(tree.read(file))) as [Page, Page];
	const levels = ({ headings }: Page) => headings.map(({ level }) => "#".repeat(level)).join(" ");
	const findings: Finding[] = [];
	if (levels(from) !== levels(to)) {
		const message = `has other headings than ${original}: ${levels(to)} instead of ${levels(from)}`;
		findings.push({ file: translation, message });
	}
	const shown = (page: Page) => page.commands.map(({ text }) => text);
	const missing = shown(from).filter((text) => !shown(to).includes(text));
	const added = shown(to).filter((text) => !shown(from).includes(text));
	for (const text of missing)
		findings.push({ file: translation, message: `does not show '${text}', which ${original} shows` });
	for (const text of added)
		findings.push({ file: translation, message: `shows '${text}', which ${original} does not` });
	return findings;
}

function checkCommands(file: string, page: Page, isCommand: (name: string) => boolean): Finding[] {
	return page.commands.flatMap(({ text, line }) => {
		const name = text.split(/\s+/)[1];
		if (name === undefined || !/^[a-z]/.test(name) || isCommand(name)) return [];
		return [{ file, line, message: `shows '${text}', but there is no command ${name}` }];
	});
}

/** Findings about the pages of a tree; `isCommand` tells what ./virtkit knows. */
export function checkDocs(tree: Tree, isCommand: (name: string) => boolean): Finding[] {
	const pages = tree.files
		.filter((file) => file.endsWith(".md"))
		.map((file) => [file, parsePage(tree.read(file))] as const);
	return [
		...pages.flatMap(([file, page]) => [...checkLinks(tree, file, page), ...checkCommands(file, page, isCommand)]),
		...TRANSLATIONS.flatMap(([original, translation]) => checkTranslation(tree, original, translation)),
	];
}

export const docs: Check = {
	name: "docs",
	about: "links resolve, translations match, shown commands exist",
	run: async (tree) => ({ findings: checkDocs(tree, await commandLookup(tree.root)) }),
};
