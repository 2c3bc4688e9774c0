// The duplicate check: no stretch of code stands in two places (jscpd).

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MAY_REPEAT } from "../duplicate-exceptions.ts";
import type { Check, Finding } from "./check.ts";
import { runTool, toolFailure } from "./run-tool.ts";

/** Shorter stretches that look alike are mostly imports and signatures. */
const LEAST = { tokens: 70, lines: 8 };

/** A stretch of lines in jscpd's report. */
interface Stretch {
	readonly name: string;
	readonly start: number;
	readonly end: number;
}

interface Report {
	readonly duplicates: readonly { readonly firstFile: Stretch; readonly secondFile: Stretch }[];
	readonly statistics: { readonly total: { readonly percentage: number } };
}

const isTestStretch = ({ name }: Stretch) => name.endsWith(".test.ts") || /(^|\/)tests\//.test(name);
const place = ({ name, start, end }: Stretch) => `${name.replace(/^\.\//, "")}:${start}-${end}`;

/** The findings in jscpd's report. Tests may repeat each other: each should read by itself. */
export function duplicatesIn(report: Report): Finding[] {
	return report.duplicates
		.filter(({ firstFile, secondFile }) => !(isTestStretch(firstFile) && isTestStretch(secondFile)))
		.map(({ firstFile, secondFile }) => ({
			file: firstFile.name.replace(/^\.\//, ""),
			line: firstFile.start,
			message: `lines ${firstFile.start}-${firstFile.end} stand also in ${place(secondFile)}`,
		}));
}

async function runJscpd(root: string, folder: string): Promise<Report> {
	const ignored = ["**/node_modules/**", ".virtkit/**", "dist/**", ...Object.keys(MAY_REPEAT)];
	const args = ["--min-tokens", String(LEAST.tokens), "--min-lines", String(LEAST.lines), "--mode", "weak"];
	args.push("--format", "typescript", "--ignore", ignored.join(","), "--reporters", "json", "--output", folder, ".");
	const run = await runTool("jscpd", "jscpd", args, root);
	if (run.code !== 0) throw toolFailure("jscpd", run);
	return JSON.parse(readFileSync(join(folder, "jscpd-report.json"), "utf8")) as Report;
}

export const duplicates: Check = {
	name: "duplicates",
	about: "no code stands in two places (jscpd)",
	async run({ root }) {
		const folder = mkdtempSync(join(tmpdir(), "vt-jscpd-"));
		try {
			const report = await runJscpd(root, folder);
			return { findings: duplicatesIn(report), note: `${report.statistics.total.percentage.toFixed(2)} % repeated` };
		} finally {
			rmSync(folder, { recursive: true });
		}
	},
};
