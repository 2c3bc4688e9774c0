// Connects to a guest's QEMU and has its events handled from the first one on.

import { setTimeout as delay } from "node:timers/promises";
import { toVirtError, type VirtError } from "@virtkit/base/errors";
import { sendFds } from "@virtkit/host/native";
import { isAlive } from "@virtkit/host/process";
import { QmpClient } from "@virtkit/qmp/client";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { handleEvent } from "../events/handle.ts";
import { onMonitorGone } from "./end.ts";

/** Pause before a monitor that broke is connected to again. */
const RECONNECT_MS = 1000;

/** Connects to the monitor that listens at the run's path, anew where it was connected before. Failing shows in the first call. */
export function connectMonitor(driver: Driver, domain: QemuDomain, run: Run): void {
	if (!run.connected)
		run.resources.defer("the monitor's connection", () => {
			run.beingDestroyed = true;
			run.monitor.close();
		});
	// Every QEMU that the driver takes (4.2 and up) offers out-of-band commands on sockets.
	const monitor = QmpClient.connect(run.paths.monitor, { label: domain.name, oob: "always", sendFd: sendFds });
	run.monitor = monitor;
	monitor.on("event", (event) => handleEvent(driver, domain, run, event));
	monitor.once("close", (reason) => {
		onClose(driver, domain, run, reason).catch((error) =>
			driver.log.error(`the end of '${domain.name}': ${toVirtError(error).message}`, { error }),
		);
	});
}

async function onClose(driver: Driver, domain: QemuDomain, run: Run, reason: VirtError): Promise<void> {
	if (run.beingDestroyed || run.phase !== "up") return;
	if (isEndOfFile(reason) || run.process === undefined || !isAlive(run.process))
		return onMonitorGone(driver, domain, run);
	// QEMU lives but cannot be understood: its guest is worth more than the connection.
	driver.log.error(`the monitor of '${domain.name}' broke: ${reason.message}`);
	driver.emit("control-error", domain.ref, {});
	await delay(RECONNECT_MS, undefined, { ref: false });
	if (domain.run === run && !run.beingDestroyed) connectMonitor(driver, domain, run);
}

const isEndOfFile = ({ code, message }: VirtError): boolean =>
	code === "INTERNAL_ERROR" && message.includes("End of file");
