// A guest's firmware variables: a file of its own, made from the firmware's template at the first start.

import { closeSync, constants, copyFileSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "@virtkit/host/system-error";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { giveTo } from "./work-folder.ts";

/** Makes the file where it is not there, or anew where `reset`. It stays when the guest stops. */
export function makeNvram(driver: Driver, run: Run, reset: boolean): void {
	const { nvram } = run.live.def.os;
	const path = nvram?.path;
	if (nvram === undefined || path === undefined) return;
	if (existsSync(path) && !reset) return;
	const { template } = nvram;
	if (template === undefined)
		throw new VirtError(
			"OPERATION_FAILED",
			`unable to find any master var store for loader: ${run.live.def.os.loader?.path ?? ""}`,
		);
	const temporary = `${path}.new`;
	try {
		rmSync(temporary, { force: true });
		copyFileSync(template, temporary, constants.COPYFILE_EXCL);
		const fd = openSync(temporary, "r+");
		fsyncSync(fd);
		closeSync(fd);
		giveTo(driver, temporary);
		renameSync(temporary, path);
	} catch (error) {
		rmSync(temporary, { force: true });
		throw systemError(`cannot make the firmware variables '${path}' from '${template}'`, error);
	}
}
