// A backup that was under way when the daemon was killed: it goes on, or where it never began leaves nothing.

import type { BackupDef } from "@virtkit/model/backup/backup";
import type { BlockJob } from "../block/job.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { openJob } from "../save/domain-job.ts";
import type { ActiveBackup } from "./backup.ts";
import { endWithRun, settleBackupJob } from "./end.ts";
import { exportDisks } from "./server.ts";

/** Takes over the backup that the status file tells of, before anything is asked of QEMU. */
export function adoptBackup(driver: Driver, domain: QemuDomain, run: Run, def: BackupDef): void {
	let isOver = false;
	let release = (): void => {
		isOver = true;
	};
	const backup: ActiveBackup = {
		def,
		job: openJob(domain, "backup", "backup", def.started ?? Date.now()),
		release: () => release(),
	};
	run.backup = backup;
	endWithRun(driver, domain, run, backup);
	// Who takes the guest over holds its lock: this one is next.
	domain.lock
		.beginAsync("backup", "virDomainBackupBegin", { passes: ["modify", "suspend"], waitMs: 2 ** 31 - 1 })
		.then((hold) => {
			if (isOver) return hold[Symbol.dispose]();
			release = () => hold[Symbol.dispose]();
		})
		.catch((error) => driver.log.error(`the backup of '${domain.name}' is not guarded from other jobs`, { error }));
}

/**
 * QEMU knows nothing of the copy of a disk: it never began, or it was done and the daemon was killed before it had
 * cleaned up.
 */
export async function settleLostJob(driver: Driver, domain: QemuDomain, run: Run, job: BlockJob): Promise<void> {
	const own = run.backup?.def.disks.find(({ name }) => name === job.disk);
	const isDone = own?.state === "complete";
	await settleBackupJob(driver, domain, run, job, {
		error: isDone ? undefined : "the daemon ended before the backup began",
		done: 0,
		total: 0,
	});
}

/** Brings a backup that goes on to where its client was promised it: a pull's disks can be read. */
export async function continueBackup(driver: Driver, run: Run): Promise<void> {
	const { backup } = run;
	if (backup === undefined) return;
	for (const own of backup.def.disks) if (own.backup) own.state ??= "running";
	try {
		await exportDisks(run, backup.def);
	} catch (error) {
		driver.log.error(`the backup of '${run.live.def.name}' cannot be read`, { error });
	}
}
