// The check of generated pages: each is what its generator makes of the sources as they are now.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type GeneratedDoc, generatedDocs } from "../generated-docs.ts";
import type { Check, Finding } from "./check.ts";
import type { Tree } from "./tree.ts";

async function render({ root }: Tree, { generator }: GeneratedDoc): Promise<string> {
	const made = (await import(pathToFileURL(join(root, generator)).href)) as { render(): string | Promise<string> };
	return made.render();
}

/** Pages of `docs` that are missing or out of date. */
export async function checkGenerated(tree: Tree, docs: readonly GeneratedDoc[]): Promise<Finding[]> {
	const findings: Finding[] = [];
	for (const doc of docs) {
		const wanted = await render(tree, doc);
		if (tree.has(doc.file) && tree.read(doc.file) === wanted) continue;
		findings.push({ file: doc.file, message: `is not what ${doc.generator} makes; run ./virtkit check --fix` });
	}
	return findings;
}

export const generated: Check = {
	name: "generated",
	about: "generated pages are up to date",
	run: async (tree) => ({ findings: await checkGenerated(tree, generatedDocs), note: `${generatedDocs.length} pages` }),
	async fix(tree) {
		for (const doc of generatedDocs) {
			const path = join(tree.root, doc.file);
			mkdirSync(dirname(path), { recursive: true });
			writeFileSync(path, await render(tree, doc));
		}
	},
};
