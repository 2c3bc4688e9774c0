// The groups of tests: where their files are, how many run at once, and how long one file may take.

import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Purpose } from "../packages.ts";

/** A group of test files. */
export interface Suite {
	readonly name: string;
	readonly patterns: readonly string[];
	/** Files at once. Guests are emulated where KVM is missing, so files that boot them have the machine to themselves. */
	readonly concurrency: number;
	/** Seconds for one file, after which it is ended and counts as failed. */
	readonly timeout: number;
	/** Why it runs only when asked for by name. */
	readonly onDemand?: string;
	/** What its Debian packages are installed for; those of tests unless told. */
	readonly packages?: Purpose;
}

export const SUITES: readonly Suite[] = [
	{
		name: "unit",
		patterns: ["packages/**/*.test.ts", "apps/**/*.test.ts", "tools/**/*.test.ts", "bench/**/*.test.ts"],
		concurrency: Math.max(1, availableParallelism()),
		timeout: 180,
	},
	{ name: "interop", patterns: ["tests/interop/**/*.test.ts"], concurrency: 1, timeout: 600 },
	{ name: "system", patterns: ["tests/system/**/*.test.ts"], concurrency: 1, timeout: 900 },
	{
		name: "lab",
		patterns: ["tests/lab/**/*.test.ts"],
		concurrency: 1,
		timeout: 2400,
		onDemand: "it boots a host with KVM inside QEMU, which takes a quarter of an hour",
		packages: "lab",
	},
];

/** One file to run. */
export interface TestFile {
	readonly suite: Suite;
	/** Relative to the repository. */
	readonly path: string;
}

/** The files of `suites` below `root` whose path contains one of `words`, or all of them when there are no words. */
export function findTestFiles(root: string, suites: readonly Suite[], words: readonly string[]): TestFile[] {
	return suites.flatMap((suite) =>
		globSync(suite.patterns, { cwd: root, exclude: (name) => name === "node_modules" })
			.filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
			.sort()
			.map((path) => ({ suite, path })),
	);
}
