// Starts all helpers of a guest, before its QEMU.

import { rmSync } from "node:fs";
import { join } from "node:path";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { makeGroup } from "../lifecycle/launch.ts";
import { findHelpers } from "./find.ts";
import { HELPERS } from "./registry.ts";
import { endHelper, spawnHelper } from "./spawn.ts";

/** Starts what the guest needs of the table. Everything is in the run's resources; a helper enters the run's control group. */
export async function startHelpers(driver: Driver, domain: QemuDomain, run: Run, incoming: boolean): Promise<void> {
	ownHelperFiles(driver, run);
	for (const { plan } of HELPERS) {
		using handed = new DisposableStack();
		const plans = await plan({ driver, domain, run, incoming, handed });
		if (plans.length > 0) makeGroup(driver, run, domain.name);
		for (const { logName, ...helper } of plans)
			await spawnHelper(run, { ...helper, logPath: join(driver.paths.log, `${domain.name}-${logName}.log`) });
	}
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
