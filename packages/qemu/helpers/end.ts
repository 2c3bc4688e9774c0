// Ends helpers of a guest that runs on: their device is gone, or was never plugged in.

import { rmSync } from "node:fs";
import type { Run } from "../domain/run.ts";
import { findHelpers } from "./find.ts";
import { endHelper } from "./spawn.ts";

/** Ends the guest's helpers of that name, and what they became, and removes what they listened on. */
export async function endHelpers(run: Run, name: string, ...sockets: readonly string[]): Promise<void> {
	const ours = run.helpers.filter((helper) => helper.name === name);
	const became = findHelpers(run.paths.work).get(run.paths.work) ?? [];
	for (const helper of [...ours, ...became.filter((helper) => helper.name === name)]) await endHelper(helper);
	for (const helper of ours) run.helpers.splice(run.helpers.indexOf(helper), 1);
	for (const socket of sockets) rmSync(socket, { force: true });
}
