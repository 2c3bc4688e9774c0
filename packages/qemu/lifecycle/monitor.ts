// Connects to a guest's QEMU and has its events handled from the first one on.

import { toVirtError } from "@virtkit/base/errors";
import { sendFds } from "@virtkit/host/native";
import { QmpClient } from "@virtkit/qmp/client";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { handleEvent } from "../events/handle.ts";
import { onMonitorGone } from "./end.ts";

/** Connects to the monitor that listens at the run's path. Failing shows in the first call. */
export function connectMonitor(driver: Driver, domain: QemuDomain, run: Run): void {
	// Every QEMU that the driver takes (4.2 and up) offers out-of-band commands on sockets.
	const monitor = QmpClient.connect(run.paths.monitor, { label: domain.name, oob: "always", sendFd: sendFds });
	run.monitor = monitor;
	run.resources.defer("the monitor's connection", () => {
		run.beingDestroyed = true;
		monitor.close();
	});
	monitor.on("event", (event) => handleEvent(driver, domain, run, event));
	monitor.once("close", (reason) => {
		if (reason.code !== "INTERNAL_ERROR" || !reason.message.includes("End of file"))
			if (!run.beingDestroyed) driver.emit("control-error", domain.ref, {});
		onMonitorGone(driver, domain, run).catch((error) =>
			driver.log.error(`the end of '${domain.name}': ${toVirtError(error).message}`, { error }),
		);
	});
}
