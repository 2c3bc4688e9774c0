// Dumps a guest's memory into the driver's own folder because its definition says so: after a panic or a watchdog that fired.

import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { systemError } from "@virtkit/host/system-error";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";

/** Name by which QEMU keeps the descriptor until it is used. */
const DESCRIPTOR = "automatic-dump";

/** Writes the guest's memory as an ELF file DIR/dump/ID-NAME-TIME; the guest stands still meanwhile. */
export async function dumpByItself({ paths }: Driver, domain: QemuDomain, run: Run): Promise<void> {
	const time = new Date().toISOString().slice(0, 19).replace("T", "-");
	const path = join(paths.dump, `${run.id}-${domain.name}-${time}`);
	let fd: number;
	try {
		fd = openSync(path, "wx", 0o600);
	} catch (error) {
		throw systemError(`cannot make the dump '${path}'`, error);
	}
	try {
		await run.monitor.sendWithFd(fd, "getfd", { fdname: DESCRIPTOR });
	} finally {
		closeSync(fd);
	}
	run.pausedReason = "dump";
	await run.monitor.execute(
		"dump-guest-memory",
		{ paging: false, protocol: `fd:${DESCRIPTOR}` },
		{ deadlineMs: Number.POSITIVE_INFINITY },
	);
}
