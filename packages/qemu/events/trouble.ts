// Events of guests in trouble: a panic, a watchdog that fires, disks and memory that fail.

import { toVirtError } from "@virtkit/base/errors";
import type { DomainEventPayloads } from "@virtkit/core/events";
import type { QmpEvents } from "@virtkit/qapi/schema.gen";
import { findDisk, sourcePathOf } from "../domain/find-device.ts";
import { announceStop, endRun } from "../lifecycle/end.ts";
import { shutDownOrReboot } from "../lifecycle/fake-reboot.ts";
import { logLine } from "../lifecycle/guest-log.ts";
import { saveStatus } from "../lifecycle/status-file.ts";
import { dumpByItself } from "../save/automatic-dump.ts";
import type { EventHandlers, EventSource } from "./handler.ts";

/** virDomainEventWatchdogAction. */
const WATCHDOG_ACTION = { none: 0, pause: 1, reset: 2, poweroff: 3, shutdown: 4, debug: 5, "inject-nmi": 6 } as const;
/** virDomainEventIOErrorAction. */
const IO_ERROR_ACTION = { ignore: 0, stop: 1, report: 2 } as const;
/** virDomainMemoryFailureRecipientType, virDomainMemoryFailureActionType and virDomainMemoryFailureFlags. */
const MEMORY_RECIPIENT = { hypervisor: 0, guest: 1 } as const;
const MEMORY_ACTION = { ignore: 0, inject: 1, fatal: 2, reset: 3 } as const;
const MEMORY_FLAG = { required: 1, recursive: 2 } as const;

export const trouble: EventHandlers = {
	WATCHDOG(source, { action }) {
		const { driver, domain, run } = source;
		driver.emit("watchdog", domain.ref, { action: WATCHDOG_ACTION[action] });
		if (action === "pause") pause(source, "watchdog");
		if (run.live.def.devices.watchdog?.action === "dump") inBackground(source, "watchdog", () => dumpAndGoOn(source));
	},

	GUEST_PANICKED(source, { info }) {
		const { driver, domain, run } = source;
		if (run.phase === "ending") return;
		if (info) logLine(run, `panic ${describePanic(info)}`);
		// At once, so that the stop that QEMU tells next is none of its own.
		domain.setState({ state: "crashed", reason: "panicked" });
		driver.lifecycle(domain.ref, { event: "crashed", detail: "panicked" });
		saveStatus(driver, domain);
		inBackground(source, "panic", () => actOnPanic(source));
	},

	GUEST_CRASHLOADED({ driver, domain }) {
		driver.lifecycle(domain.ref, { event: "crashed", detail: "crashloaded" });
	},

	BLOCK_IO_ERROR(source, data) {
		const { driver, domain, run } = source;
		const disk = findDisk(run.live.def, data.device, data["node-name"]);
		const payload: DomainEventPayloads["io-error"] = {
			path: disk ? sourcePathOf(disk) : "",
			device: disk?.alias ?? "",
			action: IO_ERROR_ACTION[data.action],
			reason: data.nospace ? "enospc" : "",
		};
		driver.emit("io-error", domain.ref, payload);
		if (disk?.target.dev) run.diskErrors.set(disk.target.dev, data.nospace ? 2 : 1);
		if (data.action === "stop") pause(source, "ioerror");
	},

	MEMORY_FAILURE({ driver, domain }, { recipient, action, flags }) {
		driver.emit("memory-failure", domain.ref, {
			recipient: MEMORY_RECIPIENT[recipient],
			action: MEMORY_ACTION[action],
			flags: (flags["action-required"] ? MEMORY_FLAG.required : 0) | (flags.recursive ? MEMORY_FLAG.recursive : 0),
		});
	},
};

/** QEMU has stopped the guest, or is about to. */
function pause({ driver, domain }: EventSource, reason: "watchdog" | "ioerror"): void {
	if (domain.stateName !== "running") return;
	domain.setState({ state: "paused", reason });
	driver.lifecycle(domain.ref, { event: "suspended", detail: reason });
	saveStatus(driver, domain);
}

function inBackground({ driver, domain }: EventSource, what: string, work: () => Promise<void>): void {
	work().catch((error) => driver.log.error(`${what} of '${domain.name}': ${toVirtError(error).message}`, { error }));
}

async function dumpAndGoOn({ driver, domain, run }: EventSource): Promise<void> {
	using _job = await domain.lock.beginAsync("dump", "dump after the watchdog fired");
	if (domain.run !== run || run.phase !== "up") return;
	await dumpByItself(driver, domain, run).catch((error) =>
		driver.log.error(`cannot dump '${domain.name}': ${toVirtError(error).message}`),
	);
	run.runningReason = "unpaused";
	await run.monitor.execute("cont");
}

type PanicInfo = QmpEvents["GUEST_PANICKED"]["info"];

/** What the definition wants done with a guest that panicked. */
async function actOnPanic({ driver, domain, run }: EventSource): Promise<void> {
	using _job = await domain.lock.beginAsync("dump", "panic of the guest");
	if (domain.run !== run || run.phase !== "up") return;
	const action = run.live.def.on_crash ?? "destroy";
	if (action.startsWith("coredump-")) await dumpByItself(driver, domain, run);
	if (action === "destroy" || action === "coredump-destroy") {
		await endRun(driver, domain, run, "crashed");
		announceStop(driver, domain, "crashed");
	} else if (action === "restart" || action === "coredump-restart") {
		run.fakeReboot = true;
		shutDownOrReboot(driver, domain, run);
	}
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

function describePanic(info: NonNullable<PanicInfo>): string {
	if (info.type === "hyper-v")
		return `hyper-v: ${[info.arg1, info.arg2, info.arg3, info.arg4, info.arg5].map((arg, index) => `arg${index + 1}='${hex(arg)}'`).join(", ")}`;
	return `s390: core='${info.core}' psw-mask='${hex(info["psw-mask"])}' psw-addr='${hex(info["psw-addr"])}' reason='${info.reason}'`;
}
