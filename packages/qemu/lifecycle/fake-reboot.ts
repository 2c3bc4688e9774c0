// After the guest shut down: QEMU is ended, or, where a reboot was meant, the machine is reset and goes on.

import { toVirtError } from "@virtkit/base/errors";
import { signalProcess } from "@virtkit/host/process";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { saveStatus } from "./status-file.ts";

/** QEMU stands still after a shutdown (-no-shutdown): goes on from there. */
export function shutDownOrReboot(driver: Driver, domain: QemuDomain, run: Run): void {
	if (!run.fakeReboot && run.live.def.on_poweroff !== "restart") {
		// The end of the monitor then does the rest.
		if (run.process) signalProcess(run.process, "SIGTERM");
		return;
	}
	rebootMachine(driver, domain, run).catch((error) => {
		driver.log.error(`cannot reboot '${domain.name}', ending it: ${toVirtError(error).message}`, { error });
		if (run.process) signalProcess(run.process, "SIGKILL");
	});
}

async function rebootMachine(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	try {
		using _job = await domain.lock.begin("modify", "reboot");
		if (domain.run !== run || run.phase === "ending") return;
		await run.monitor.execute("system_reset");
		run.runningReason = domain.stateName === "crashed" ? "crashed" : "booted";
		await run.monitor.execute("cont");
	} finally {
		run.pausedShutdown = false;
		run.fakeReboot = false;
	}
	saveStatus(driver, domain);
}
