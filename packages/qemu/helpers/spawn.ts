// One helper's process: spawned in the guest's control group with its output in a log, waited for, ended.

import { closeSync, existsSync, fstatSync, openSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { VirtError } from "@virtkit/base/errors";
import { isAlive, type ProcessIdentity, terminateProcess } from "@virtkit/host/process";
import { type ExitStatus, spawnDetached } from "@virtkit/host/spawn";
import { systemError } from "@virtkit/host/system-error";
import type { Run } from "../domain/run.ts";
import { logLine } from "../lifecycle/guest-log.ts";
import { HELPER_PATH, needProgram } from "./find.ts";
import { GUEST_VARIABLE, HELPER_VARIABLE, type Helper, type HelperPlan } from "./helper.ts";

/** How long a helper may take until it listens. */
const READY_MS = 10_000;

/** How long what is left of a helper that goes on as a child may take from then on. */
const CHILD_MS = 1000;

/** A helper that is told to end may still write its state down. */
const ENDING = [
	{ signal: "SIGTERM", deadlineMs: 2000 },
	{ signal: "SIGKILL", deadlineMs: 30_000 },
] as const;

/** Bytes of a helper's output that go into an error. */
const TAIL_BYTES = 1024;

/** What a process of a helper is spawned from; where its output is appended. */
export type HelperProcess = Omit<HelperPlan, "logName"> & { readonly logPath: string };

/** A spawned helper, in the run's resources from then on; `exited` settles when it ends. */
export async function spawnHelper(
	run: Run,
	plan: HelperProcess,
): Promise<{ helper: Helper; exited: Promise<ExitStatus> }> {
	const path = plan.program.includes("/") ? plan.program : needProgram(plan.program);
	logLine(run, `starting ${plan.name}: ${[path, ...plan.args].join(" ")}`);
	const log = openLog(plan.logPath);
	try {
		const start = fstatSync(log).size;
		const { identity, exited } = await spawnDetached({
			path,
			args: plan.args,
			env: { PATH: HELPER_PATH, LC_ALL: "C", [GUEST_VARIABLE]: run.paths.work, [HELPER_VARIABLE]: plan.name },
			cwd: "/",
			stdout: log,
			stderr: log,
			inherit: plan.inherit ?? [],
			...(plan.runAs ?? {}),
			beforeExec: { cgroupProcs: run.cgroups?.guest.procsFiles ?? [] },
		});
		const helper: Helper = { name: plan.name, process: identity, log: { path: plan.logPath, start } };
		void exited.then((exit) => {
			helper.exit = exit;
		});
		ownHelper(run, helper);
		if (plan.ready !== undefined) await waitUntilReady(helper, plan.ready);
		plan.onReady?.();
		return { helper, exited };
	} finally {
		closeSync(log);
	}
}

function openLog(path: string): number {
	try {
		return openSync(path, "a", 0o600);
	} catch (error) {
		throw systemError(`cannot open the log '${path}'`, error);
	}
}

/** Has the helper ended when the run is taken back. */
export function ownHelper(run: Run, helper: Helper): void {
	run.helpers.push(helper);
	run.resources.defer(helper.name, () => endHelper(helper));
}

/** Ends a helper, with whatever it started itself: it leads a process group. */
export async function endHelper({ process: identity }: Pick<Helper, "process">): Promise<void> {
	if (!isAlive(identity)) return;
	await terminateProcess(identity, ENDING);
	endGroup(identity);
}

function endGroup({ pid }: ProcessIdentity): void {
	try {
		process.kill(-pid, "SIGKILL");
	} catch {
		// Nothing is left of it.
	}
}

async function waitUntilReady(helper: Helper, path: string): Promise<void> {
	let deadline = performance.now() + READY_MS;
	for (let pause = 1; !existsSync(path); pause = Math.min(pause * 2, 50)) {
		// One that goes on as a child of its own ends without a complaint.
		if (helper.exit && (helper.exit.code !== 0 || performance.now() > deadline)) throw diedError(helper);
		if (helper.exit) deadline = Math.min(deadline, performance.now() + CHILD_MS);
		if (performance.now() > deadline)
			throw new VirtError("OPERATION_TIMEOUT", `${helper.name} does not listen on '${path}'`);
		await delay(pause);
	}
}

/** What a helper said that ended. */
function diedError(helper: Helper): VirtError {
	const output = outputOf(helper);
	return output === ""
		? new VirtError("OPERATION_FAILED", `${helper.name} died unexpectedly`)
		: new VirtError("OPERATION_FAILED", `${helper.name} died and reported: ${output}`);
}

function outputOf({ log }: Helper): string {
	if (log === undefined) return "";
	try {
		return readFileSync(log.path).subarray(log.start).toString("utf8").trim().slice(-TAIL_BYTES);
	} catch {
		return "";
	}
}

/** The error of a helper that failed, not one of those `before`, which is why QEMU failed too; undefined where none did. */
export function helperFailure(run: Run, before: readonly Helper[] = []): VirtError | undefined {
	const failed = run.helpers.find(
		(helper) =>
			!before.includes(helper) && helper.exit !== undefined && (helper.exit.signal !== null || helper.exit.code !== 0),
	);
	return failed && diedError(failed);
}
