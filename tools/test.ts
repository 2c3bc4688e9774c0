// Runs the tests: ./virtkit test [--only SUITE] [--check] [--title PATTERN] [--list] [PATTERN…]

import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensurePackages } from "./install.ts";
import { type FileResult, runFile } from "./test/run-file.ts";
import { findTestFiles, SUITES, type Suite, type TestFile } from "./test/suites.ts";
import { countTests, formatFile, formatSummary } from "./test/summary.ts";

const ROOT = join(import.meta.dirname, "..");

const USAGE = `Usage: ./virtkit test [OPTION…] [PATTERN…]
Runs the test files whose path contains one of the patterns, or all.
  --only SUITE     ${SUITES.map(({ name }) => name).join(", ")} (may be repeated); without it all but ${SUITES.filter(
		(suite) => suite.onDemand,
	)
		.map(({ name }) => name)
		.join(", ")}
  --title PATTERN  only tests whose title matches the regular expression
  --check          runs ./virtkit check first, which counts as one test
  --jobs N         at most N files at once
  --list           prints the files instead of running them
  --no-install     installs no packages
`;

interface Options {
	readonly suites: readonly Suite[];
	readonly words: readonly string[];
	readonly title: string | undefined;
	readonly check: boolean;
	readonly jobs: number | undefined;
	readonly list: boolean;
	readonly install: boolean;
}

function chooseSuites(names: readonly string[] | undefined): Suite[] {
	if (names === undefined) return SUITES.filter((suite) => suite.onDemand === undefined);
	return names.map((name) => {
		const suite = SUITES.find((known) => known.name === name);
		if (suite === undefined) throw new Error(`there is no suite '${name}'`);
		return suite;
	});
}

function parseOptions(args: string[]): Options {
	const { values, positionals } = parseArgs({
		args,
		allowPositionals: true,
		allowNegative: true,
		options: {
			only: { type: "string", multiple: true },
			title: { type: "string" },
			check: { type: "boolean", default: false },
			jobs: { type: "string" },
			list: { type: "boolean", default: false },
			install: { type: "boolean", default: true },
		},
	});
	const { title, check, list, install } = values;
	const jobs = values.jobs === undefined ? undefined : Number(values.jobs);
	return { suites: chooseSuites(values.only), words: positionals, title, check, list, install, jobs };
}

/** Runs ./virtkit check and tells it as if it were a test file. */
function runCheck(): FileResult {
	const begin = performance.now();
	const { status } = spawnSync(process.execPath, [join(ROOT, "tools/check.ts")], {
		stdio: ["ignore", "inherit", "inherit"],
	});
	const milliseconds = performance.now() - begin;
	const outcome = status === 0 ? "passed" : "failed";
	const detail = outcome === "failed" ? "its findings are printed above" : "";
	const records = [{ title: "the tree passes its checks", outcome, detail, milliseconds }] as const;
	return { path: "./virtkit check", records, output: "", milliseconds, litter: [] };
}

/** Runs `work` on every item, at most `limit` at a time. */
async function forEachLimited<T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> {
	const rest = items.values();
	const worker = async () => {
		for (const item of rest) await work(item);
	};
	await Promise.all(Array.from({ length: limit }, worker));
}

async function runFiles(files: readonly TestFile[], options: Options, signal: AbortSignal): Promise<FileResult[]> {
	const folder = mkdtempSync(join(tmpdir(), "vt-"));
	chmodSync(folder, 0o755);
	const cache = join(folder, "cache");
	mkdirSync(cache);
	const results: FileResult[] = [];
	let count = 0;
	const runOne = async ({ path, suite: { timeout } }: TestFile) => {
		if (signal.aborted) return;
		const title = options.title === undefined ? {} : { titlePattern: options.title };
		const result = await runFile({
			root: ROOT,
			path,
			folder: join(folder, String(count++)),
			timeout,
			signal,
			cache,
			...title,
		});
		results.push(result);
		console.log(formatFile(result));
	};
	try {
		for (const suite of options.suites) {
			const own = files.filter((file) => file.suite === suite);
			await forEachLimited(own, options.jobs ?? suite.concurrency, runOne);
		}
	} finally {
		rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
	}
	return results;
}

/** Everything; returns the exit status. */
async function main(args: string[]): Promise<number> {
	const options = parseOptions(args);
	const files = findTestFiles(ROOT, options.suites, options.words);
	if (options.list) {
		for (const { path } of files) console.log(path);
		return 0;
	}
	const results = options.check ? [runCheck()] : [];
	const purpose = options.suites.find(({ packages }) => packages)?.packages ?? "test";
	const problem = options.install ? ensurePackages(purpose) : undefined;
	if (problem !== undefined) console.error(`virtkit: ${problem}`);
	const interrupt = new AbortController();
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupt.abort());
	results.push(...(await runFiles(files, options, interrupt.signal)));
	for (const { name, onDemand } of SUITES.filter((suite) => !options.suites.includes(suite))) {
		if (onDemand) console.log(`not run: ${name} (${onDemand}); run it with --only ${name}`);
	}
	console.log(formatSummary(results));
	if (interrupt.signal.aborted) return 130;
	const { passed, failed } = countTests(results);
	return failed === 0 && passed > 0 ? 0 : 1;
}

if (process.argv.includes("--help")) {
	console.log(USAGE);
} else {
	try {
		process.exitCode = await main(process.argv.slice(2));
	} catch (error) {
		console.error(`virtkit test: ${error instanceof Error ? error.message : String(error)}`);
		process.exitCode = 2;
	}
}
