// Renders docs/reference/domain.md from the declarations of the domain document, with examples from the fixtures.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { domain } from "@virtkit/model/domain/domain";
import { renderReference } from "@virtkit/xml/reference";
import { collectExamples, type Example } from "./reference/examples.ts";

const INTRODUCTION = `Every element and attribute of a guest's definition, in the order in which they are written. The page is made
from the declarations in \`packages/model/domain\`; \`./virtkit check --fix\` makes it anew. Elements that are not
described here are ignored, and refused when validation is asked for (\`virsh define --validate\`).

The examples are cut from the guests of the tests (\`fixtures/argv\`), and under each stands what the builder of QEMU's
command line made of it. An ellipsis stands for what the option says besides. For a guest of your own,
\`virtkit explain FILE\` shows the same the other way round: each option with the line that it came from.`;

/** Documents with the elements that no guest of QEMU has, or that become no option. */
const OTHERS = join(import.meta.dirname, "../fixtures/xml");
/** Options longer than this, in characters, are cut. */
const LONGEST = 240;
const MOST_OPTIONS = 8;

const NOTHING = "No option of QEMU comes of it: the daemon itself carries it out, or keeps it.";

function shorten(option: string): string {
	return option.length > LONGEST ? `${option.slice(0, LONGEST)}…` : option;
}

/** The elements above `path`, the nearest first. */
function* above(path: string): Generator<string> {
	for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) yield path.slice(0, end);
}

class Notes {
	readonly #examples: ReadonlyMap<string, Example>;

	constructor(examples: ReadonlyMap<string, Example>) {
		this.#examples = examples;
	}

	section(path: string): string | undefined {
		const example = this.#examples.get(path);
		if (!example) return undefined;
		return `\`\`\`xml\n${example.xml}\`\`\`\n\n${this.#becomes(path, example)}`;
	}

	#becomes(path: string, { options, isGuest }: Example): string {
		if (!isGuest) return "";
		if (!options) return `Part of what ${this.#owner(path)} becomes.`;
		const { added, removed } = options;
		if (added.length === 0 && removed.length === 0) return NOTHING;
		const shown = (added.length > 0 ? added : removed).slice(0, MOST_OPTIONS).map(shorten).join("\n");
		const words = added.length > 0 ? "becomes" : "leaves out";
		return `${words}\n\n\`\`\`\n${shown}\n\`\`\``;
	}

	/** The nearest element above that becomes options. */
	#owner(path: string): string {
		const owner = [...above(path)].find((one) => (this.#examples.get(one)?.options?.added.length ?? 0) > 0);
		return `\`${owner ?? "domain"}\``;
	}

	row(path: string): string | undefined {
		const example = this.#examples.get(path);
		if (!example) return undefined;
		const xml = `\`${example.xml.trim().replace(/\n\s*/g, "")}\``;
		const { added = [], removed = [] } = example.options ?? {};
		if (added.length > 0) return `${xml}: \`${shorten(added.join(" "))}\``;
		return removed.length > 0 ? `${xml}: without \`${shorten(removed.join(" "))}\`` : xml;
	}
}

/** The page. */
export function render(): string {
	const files = readdirSync(OTHERS, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".xml"));
	const notes = new Notes(collectExamples(files.sort().map((name) => readFileSync(join(OTHERS, name), "utf8"))));
	return renderReference(domain, {
		root: "domain",
		title: "The domain document",
		introduction: INTRODUCTION,
		note: (path) => notes.section(path),
		rowNote: (path) => notes.row(path),
	});
}
