// The format check: Biome's formatter, linter and order of imports (biome.json).

import { relative, resolve } from "node:path";
import type { Check, Finding } from "./check.ts";
import { runTool, toolFailure } from "./run-tool.ts";

/** A finding in the format of GitHub's annotations, the one that has each on one line: `::error title=…,file=…,line=…::…`. */
const ANNOTATION = /^::(?:error|warning|notice) title=([^,]*),file=([^,]*),line=(\d+)[^:]*::(.*)$/;

/** Reads Biome's findings off what it printed. */
export function parseAnnotations(output: string, root: string): Finding[] {
	// It tells some findings twice.
	return [...new Set(output.split("\n"))].flatMap((row) => {
		const [, title, file, line, message] = ANNOTATION.exec(row) ?? [];
		return file === undefined
			? []
			: [{ file: relative(root, resolve(root, file)), line: Number(line), message: `${message} (${title})` }];
	});
}

export const format: Check = {
	name: "format",
	about: "formatting, lint rules and order of imports (Biome)",
	async run({ root }) {
		const args = ["ci", "--reporter=github", "--max-diagnostics=none", "--error-on-warnings", "."];
		const run = await runTool("@biomejs/biome", "biome", args, root);
		const findings = parseAnnotations(run.output, root);
		if (run.code !== 0 && findings.length === 0) throw toolFailure("biome", run);
		return { findings };
	},
	async fix({ root }) {
		await runTool("@biomejs/biome", "biome", ["check", "--write", "."], root);
	},
};
