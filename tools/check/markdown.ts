// Reads what the documentation check needs off a Markdown page: headings, links, commands.

/** A link to something in the repository. */
export interface PageLink {
	readonly path: string;
	/** The heading it goes to, as GitHub writes it; undefined for the whole page. */
	readonly anchor: string | undefined;
	readonly line: number;
}

/** What a page says, line by line, in its code blocks and outside of them. */
export interface Page {
	readonly headings: readonly { readonly level: number; readonly text: string; readonly anchor: string }[];
	readonly links: readonly PageLink[];
	/** Commands that start with `./virtkit`, from code blocks and inline code, in order. */
	readonly commands: readonly { readonly text: string; readonly line: number }[];
}

/** GitHub's anchor of a heading: lower case, punctuation gone, spaces to hyphens. */
export function anchorOf(heading: string): string {
	const plain = heading.toLowerCase().replace(/[^\p{L}\p{M}\p{N}\s_-]/gu, "");
	return plain.trim().replace(/\s/g, "-");
}

function linksIn(row: string, line: number): PageLink[] {
	const targets = row.replace(/`[^`]*`/g, "").matchAll(/\]\(<?([^)>\s]+)>?(?:\s+"[^"]*")?\)/g);
	return [...targets]
		.map(([, target = ""]) => target)
		.filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
		.map((target) => {
			const [path = "", anchor] = target.split("#");
			return { path: decodeURIComponent(path), anchor, line };
		});
}

function commandsIn(row: string, line: number, inBlock: boolean): { text: string; line: number }[] {
	const spans = inBlock
		? [row.replace(/^\s*[$#] /, "").trim()]
		: [...row.matchAll(/`([^`]+)`/g)].map(([, span = ""]) => span);
	// A comment at the end explains, in the page's language.
	return spans
		.filter((span) => /^(sudo )?\.\/virtkit\b/.test(span))
		.map((span) => ({ text: span.replace(/^sudo /, "").replace(/\s+#.*$/, ""), line }));
}

/** Reads a page. */
export function parsePage(text: string): Page {
	const headings: { level: number; text: string; anchor: string }[] = [];
	const links: PageLink[] = [];
	const commands: { text: string; line: number }[] = [];
	let inBlock = false;
	for (const [index, row] of text.split("\n").entries()) {
		const fence = /^\s*(```|~~~)/.test(row);
		if (fence) inBlock = !inBlock;
		else if (/^(#{1,6}) /.test(row) && !inBlock) {
			const [, marks = "", title = ""] = /^(#+) (.*)$/.exec(row) ?? [];
			headings.push({ level: marks.length, text: title, anchor: anchorOf(title) });
		}
		if (!inBlock && !fence) links.push(...linksIn(row, index + 1));
		if (!fence) commands.push(...commandsIn(row, index + 1, inBlock));
	}
	return { headings, links, commands };
}
