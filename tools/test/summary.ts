// What a test run prints: a line a file, and at the end the failures, the skipped tests with their reasons, and the count.

import type { TestRecord } from "./events.ts";
import type { FileResult } from "./run-file.ts";

/** How many tests came to what. */
export type Counts = Record<TestRecord["outcome"], number>;

/** Counts the tests of `results`. */
export function countTests(results: readonly Pick<FileResult, "records">[]): Counts {
	const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
	for (const { outcome } of results.flatMap((result) => result.records)) counts[outcome]++;
	return counts;
}

/** `3 passed, 1 failed`, with the skipped ones when there are any. */
export function formatCounts({ passed, failed, skipped }: Counts): string {
	return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

const indent = (text: string) => text.trimEnd().replace(/^/gm, "    ");

/** The line for one file, written when it has ended. */
export function formatFile(result: FileResult): string {
	const counts = countTests([result]);
	const seconds = (result.milliseconds / 1000).toFixed(1).padStart(6);
	const left = result.litter.length === 0 ? "" : ` (left in its temporary folder: ${result.litter.join(", ")})`;
	return `${counts.failed > 0 ? "FAIL" : "ok  "} ${seconds} s  ${result.path}: ${formatCounts(counts)}${left}`;
}

function formatFailures(result: FileResult): string[] {
	const failures = result.records.filter(({ outcome }) => outcome === "failed");
	if (failures.length === 0) return [];
	const lines = failures.flatMap(({ title, detail }) => [`FAIL ${result.path}: ${title}`, indent(detail), ""]);
	const printed = result.output.trimEnd().split("\n").slice(-40).join("\n");
	return printed === "" ? lines : [...lines, `  ${result.path} printed at its end:`, indent(printed), ""];
}

function formatSkipped(results: readonly FileResult[]): string[] {
	return results.flatMap(({ path, records }) =>
		records
			.filter(({ outcome }) => outcome === "skipped")
			.map(({ title, detail }) => `skipped ${path}: ${title}: ${detail}`),
	);
}

/** Everything after the last file's line. */
export function formatSummary(results: readonly FileResult[]): string {
	const lines = ["", ...results.flatMap(formatFailures), ...formatSkipped(results), formatCounts(countTests(results))];
	return lines.join("\n");
}
