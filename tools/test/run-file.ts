// Runs one test file in a process group and temporary folder of its own, and tells what each of its tests came to.

import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestRecord } from "./events.ts";
import { endLeftovers } from "./leftovers.ts";

/** How a file is to be run. */
export interface FileRun {
	readonly root: string;
	/** Relative to the root. */
	readonly path: string;
	/** Its own folder, made here; TMPDIR of the file's process. */
	readonly folder: string;
	/** Shared by the files of a run, for what is slow to find out. */
	readonly cache: string;
	/** Seconds after which it is ended. */
	readonly timeout: number;
	/** Only tests whose title matches (node's --test-name-pattern). */
	readonly titlePattern?: string;
	readonly signal: AbortSignal;
}

/** What a file came to. */
export interface FileResult {
	readonly path: string;
	readonly records: readonly TestRecord[];
	/** The end of what it printed. */
	readonly output: string;
	readonly milliseconds: number;
	/** Names of what it left in its temporary folder. */
	readonly litter: readonly string[];
}

const OUTPUT_LIMIT = 64 * 1024;
/** How long processes may take to end after their test file has, in milliseconds. */
const PATIENCE = 3000;

/** How a file's process ended. */
interface Ending {
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
	readonly timedOut: boolean;
	readonly output: string;
}

function endGroup(pid: number | undefined): void {
	try {
		if (pid !== undefined) process.kill(-pid, "SIGKILL");
	} catch {
		// Nobody of the group is left.
	}
}

function runProcess(run: FileRun, reports: string): Promise<Ending> {
	const reporter = join(import.meta.dirname, "events.ts");
	const args = [`--test-reporter=${reporter}`, `--test-reporter-destination=${reports}`];
	if (run.titlePattern !== undefined) args.push(`--test-name-pattern=${run.titlePattern}`);
	const env: NodeJS.ProcessEnv = { ...process.env, TMPDIR: run.folder, VIRTKIT_TEST_CACHE: run.cache };
	// Set in a test file that itself runs tests; it would turn off the reporter.
	delete env["NODE_TEST_CONTEXT"];
	const { promise, resolve, reject } = Promise.withResolvers<Ending>();
	const child = spawn(process.execPath, [...args, run.path], {
		cwd: run.root,
		env,
		detached: true,
		stdio: ["ignore", "pipe", "pipe"],
	});
	let output = "";
	let timedOut = false;
	const collect = (chunk: string) => {
		output = (output + chunk).slice(-OUTPUT_LIMIT);
	};
	child.stdout.setEncoding("utf8").on("data", collect);
	child.stderr.setEncoding("utf8").on("data", collect);
	const timer = setTimeout(() => {
		timedOut = true;
		endGroup(child.pid);
	}, run.timeout * 1000);
	const abort = () => endGroup(child.pid);
	run.signal.addEventListener("abort", abort);
	child.once("error", reject);
	// Not "close": a process that the test left running holds the pipes open.
	child.once("exit", (code, signal) => {
		clearTimeout(timer);
		run.signal.removeEventListener("abort", abort);
		setImmediate(() => resolve({ code, signal, timedOut, output }));
	});
	return promise;
}

function readRecords(file: string): TestRecord[] {
	if (!existsSync(file)) return [];
	const lines = readFileSync(file, "utf8").split("\n");
	// A process that was killed may have written half a line at the end; whole ones are followed by a newline.
	return lines.slice(0, -1).map((line) => JSON.parse(line) as TestRecord);
}

function fileFailure(title: string, detail: string): TestRecord {
	return { title, outcome: "failed", detail, milliseconds: 0 };
}

/** Failures of the file as a whole, which no test of it tells. */
function failuresOf(run: FileRun, ending: Ending, records: readonly TestRecord[]): TestRecord[] {
	if (ending.timedOut)
		return [fileFailure("the file ends in time", `it still ran after ${run.timeout} s and was killed`)];
	const failed = records.some(({ outcome }) => outcome === "failed");
	if (ending.code !== 0 && !failed) {
		const how = ending.code === null ? `was killed by ${ending.signal}` : `exited with ${ending.code}`;
		return [fileFailure("the file runs", `its process ${how} with no test failed`)];
	}
	if (records.length === 0 && run.titlePattern === undefined)
		return [fileFailure("the file has tests", "it declares none")];
	return [];
}

/** Runs the file; ends whatever processes it leaves, which counts as a failure. */
export async function runFile(run: FileRun): Promise<FileResult> {
	mkdirSync(run.folder);
	// As open as /tmp, which it stands for: guests run as another user.
	chmodSync(run.folder, 0o1777);
	const reports = `${run.folder}.tests`;
	const begin = performance.now();
	const ending = await runProcess(run, reports);
	const milliseconds = performance.now() - begin;
	const records = readRecords(reports);
	records.push(...failuresOf(run, ending, records));
	const left = await endLeftovers(run.folder, ending.timedOut ? 0 : PATIENCE);
	if (left.length > 0 && !ending.timedOut) {
		const list = left.map(({ pid, command }) => `${pid} ${command.slice(0, 300)}`).join("\n");
		records.push(fileFailure("the file leaves no process running", list));
	}
	const litter = readdirSync(run.folder);
	rmSync(run.folder, { recursive: true, force: true, maxRetries: 3 });
	rmSync(reports, { force: true });
	return { path: run.path, records, output: ending.output, milliseconds, litter };
}
