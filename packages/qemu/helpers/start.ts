// Starts all helpers of a guest, before its QEMU.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "@virtkit/host/process";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { makeGroup } from "../lifecycle/launch.ts";
import { endHelpers } from "./end.ts";
import { findHelpers } from "./find.ts";
import type { HelperContext, HelperKind } from "./helper.ts";
import { HELPERS } from "./registry.ts";
import { endHelper, spawnHelper } from "./spawn.ts";

/** Starts what the guest needs of the table. Everything is in the run's resources; a helper enters the run's control group. */
export async function startHelpers(driver: Driver, domain: QemuDomain, run: Run, incoming: boolean): Promise<void> {
	ownHelperFiles(driver, run);
	const context = { driver, domain, run, def: run.live.def, undo: run.resources, incoming };
	for (const kind of HELPERS) await startKind(kind, context);
}

async function startKind({ plan }: HelperKind, context: Omit<HelperContext, "handed">): Promise<void> {
	const { driver, domain, run } = context;
	using handed = new DisposableStack();
	const plans = await plan({ ...context, handed });
	if (plans.length > 0) makeGroup(driver, run, domain.name);
	for (const { logName, ...helper } of plans) {
		if (isRunning(run, helper.name)) continue;
		// What a start makes is in the run's resources already.
		if (context.undo !== run.resources) context.undo.defer(helper.name, () => endHelpers(run, helper.name));
		await spawnHelper(run, { ...helper, logPath: join(driver.paths.log, `${domain.name}-${logName}.log`) });
	}
}

const isRunning = (run: Run, name: string): boolean =>
	run.helpers.some((helper) => helper.name === name && isAlive(helper.process));

/** Starts what devices need that are plugged into a running guest; `def` has no others. */
export async function startPluggedHelpers(context: Omit<HelperContext, "handed" | "incoming">): Promise<void> {
	for (const kind of HELPERS) await startKind(kind, { ...context, incoming: false });
}

/** Has what helpers leave removed with the run: files outside the guest's own folder, and processes that they became. */
export function ownHelperFiles(driver: Driver, run: Run): void {
	run.resources.defer("what helpers became", async () => {
		if (run.helpers.length === 0) return;
		for (const helper of findHelpers(run.paths.work).get(run.paths.work) ?? []) await endHelper(helper);
	});
	for (const { files } of HELPERS)
		for (const path of files?.(driver, run) ?? [])
			run.resources.defer(`'${path}'`, () => rmSync(path, { force: true }));
}
