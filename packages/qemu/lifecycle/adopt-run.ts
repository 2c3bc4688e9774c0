// Takes over one guest that a former daemon started, by its status file.

import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import { UndoStack } from "@virtkit/base/undo-stack";
import { isAlive, type ProcessIdentity, terminateProcess } from "@virtkit/host/process";
import { type DomainDef, parseDomain } from "@virtkit/model/domain/domain";
import { adoptBackup } from "../backup/recover.ts";
import { refreshJobs } from "../block/follow.ts";
import { endCreations } from "../block/new-image.ts";
import { EmulatorCapabilities } from "../capabilities/emulator.ts";
import { recoverCheckpoint } from "../checkpoint/recover.ts";
import { shortName } from "../command-line/memory-backend.ts";
import { startCounters } from "../config/perf-operations.ts";
import { watchConsoleLog } from "../console/console-log.ts";
import { Definition } from "../domain/definition.ts";
import type { QemuDomain } from "../domain/domain.ts";
import { Run } from "../domain/run.ts";
import { currentBoot, type DomainStatus, processOf, stateOf } from "../domain/status.ts";
import type { Driver } from "../driver-context.ts";
import type { Helper } from "../helpers/helper.ts";
import { ownHelper } from "../helpers/spawn.ts";
import { ownHelperFiles } from "../helpers/start.ts";
import { adoptHostDevices } from "../host-devices/claim.ts";
import { reconcileDevices } from "../hotplug/reconcile.ts";
import { refreshVcpus } from "../hotplug/vcpu.ts";
import { isPostcopy } from "../migration/postcopy.ts";
import { recoverInterruptedSave } from "../save/recover.ts";
import { recoverSnapshotOfRunning } from "../snapshot/recover.ts";
import { stateOfMachine } from "./adopt-state.ts";
import { destroyRun } from "./autodestroy.ts";
import { endRun, ownProcess, type ShutoffReason } from "./end.ts";
import { shutDownOrReboot } from "./fake-reboot.ts";
import { logFileOf } from "./guest-log.ts";
import { ownInterfaces } from "./host-descriptors.ts";
import { groupName } from "./launch.ts";
import { settleLiveCpu } from "./live-cpu.ts";
import { adoptMemoryFolders, memoryFolder } from "./memory-folders.ts";
import { connectMonitor } from "./monitor.ts";
import { adoptFiles } from "./ownership.ts";
import { keepPorts } from "./ports.ts";
import { refresh } from "./refresh.ts";
import { adoptStatusFile, saveStatus } from "./status-file.ts";
import { adoptWorkFolders } from "./work-folder.ts";

/** What runs in a guest's folder. */
export interface GuestProcesses {
	readonly process: ProcessIdentity | undefined;
	readonly helpers: readonly Helper[];
}

/** Takes the guest over, or cleans up after it where it is gone or was never whole. */
export async function adoptRun(driver: Driver, status: DomainStatus, found: GuestProcesses): Promise<void> {
	const identity = { name: status.name, uuid: status.uuid };
	const domain = driver.domains.match(identity) ?? driver.domains.add(identity);
	using _job = await domain.lock.begin("modify", "taking over the guest");
	const run = await makeRun(driver, domain, status, found.helpers);
	const named = processOf(status);
	const process = status.boot !== currentBoot() ? undefined : named && isAlive(named) ? named : found.process;
	if (process === undefined) await recoverCheckpoint(driver, domain, run, false);
	if (process === undefined) return end(driver, domain, run, status.phase === "starting" ? "failed" : "crashed");
	run.process = process;
	await meet(driver, domain, run, status);
}

/** The run as the former daemon had it. */
async function makeRun(
	driver: Driver,
	domain: QemuDomain,
	status: DomainStatus,
	helpers: readonly Helper[],
): Promise<Run> {
	const def = definitionOf(domain, status);
	def.id = status.id;
	const name = shortName(def);
	const run = new Run({
		id: status.id,
		definition: new Definition(def),
		caps: await capabilitiesOf(driver, status.emulator),
		paths: {
			work: status.work,
			monitor: join(status.work, "monitor.sock"),
			channels: join(driver.paths.channels, `domain-${name}`),
			memory: memoryFolder(driver, name),
			log: logFileOf(driver, domain.name),
		},
		statusFile: join(driver.paths.status, `${domain.name}.xml`),
		resources: new UndoStack(),
		initialClockAdjustment: status.clockAdjustment ?? 0,
	});
	run.fakeReboot = status.fakeReboot ?? false;
	run.wantedMemory = status.wantedMemory;
	run.lastImage = status.lastImage ?? 0;
	run.moving = status.moving;
	for (const job of status.blockjob) run.blockJobs.set(job.name, job);
	run.pendingCheckpoint = status.pendingCheckpoint;
	run.tampered.monitor = status.monitorTouched ?? false;
	run.tampered.agent = status.agentTouched ?? false;
	domain.agentTimeout = status.agentTimeout ?? domain.agentTimeout;
	// What was whole stays so: should this daemon be killed too, the next one must not take it for half started.
	if (status.phase === "up") run.phase = "up";
	domain.run = run;
	driver.domains.bindId(run.id, domain);
	domain.setState(stateOf(status));
	takeResources(driver, domain, run, helpers);
	if (status.domainbackup) adoptBackup(driver, domain, run, status.domainbackup);
	return run;
}

/** What the guest was started with. Of one that was only being created nothing is known, and nothing but its end is ahead. */
function definitionOf(domain: QemuDomain, { domain: def, name, uuid }: DomainStatus): DomainDef {
	if (def !== undefined) return def;
	if (domain.persistent) return domain.config.copy();
	const bare = parseDomain(
		"<domain type='qemu'><name>unknown</name><memory>1</memory><os><type>hvm</type></os></domain>",
	);
	return Object.assign(bare, { name, uuid });
}

/** All that a start makes, in the order in which it makes it. */
function takeResources(driver: Driver, domain: QemuDomain, run: Run, helpers: readonly Helper[]): void {
	adoptStatusFile(run);
	keepPorts(run);
	adoptWorkFolders(run);
	adoptMemoryFolders(driver, run);
	adoptHostDevices(driver, run);
	adoptFiles(driver, run);
	ownInterfaces(run);
	run.resources.defer("the monitor's socket", () => {
		try {
			unlinkSync(run.paths.monitor);
		} catch {
			// It goes with its folder in any case.
		}
	});
	const groups = driver.cgroups.open(groupName(run, domain.name));
	if (groups) {
		run.cgroups = groups;
		run.resources.defer("the control group", () => groups.guest.remove());
	}
	ownHelperFiles(driver, run);
	for (const helper of helpers) ownHelper(run, helper);
	ownProcess(run);
	watchConsoleLog(driver, run, domain.name);
}

/** An emulator that was replaced or removed under a running guest is no reason to give the guest up. */
async function capabilitiesOf(driver: Driver, binary: string): Promise<EmulatorCapabilities> {
	try {
		return await driver.capabilities.get(binary);
	} catch {
		const nothing = { machines: [], types: {}, machineProperties: {}, options: {}, schema: [] };
		return new EmulatorCapabilities({ binary, arch: driver.host.arch, version: 0, package: "", ...nothing });
	}
}

/** Asks QEMU how the guest is, and makes that the domain's state. */
async function meet(driver: Driver, domain: QemuDomain, run: Run, status: DomainStatus): Promise<void> {
	connectMonitor(driver, domain, run);
	let machine: string;
	try {
		machine = await askStatus(driver, domain, run);
		// One that arrived, of which nobody was told, goes on where it came from: its source never heard that it may end it.
		if (status.moving === "arriving" && (await isPostcopy(run.monitor))) run.moving = "postcopy";
		const isHalf = (status.phase === "starting" && machine !== "running") || status.moving === "arriving";
		if (isHalf && run.moving !== "postcopy")
			throw new VirtError("OPERATION_FAILED", `'${domain.name}' was not fully started`);
		await refresh(run);
		await refreshVcpus(run);
	} catch (error) {
		driver.log.warn(`ending '${domain.name}'`, { error });
		if (run.process) await terminateProcess(run.process, [{ signal: "SIGKILL", deadlineMs: 30_000 }]);
		return end(driver, domain, run, status.phase === "starting" ? "failed" : "crashed");
	}
	run.phase = "up";
	settleLiveCpu(run);
	countAgain(driver, domain, run);
	domain.setState(stateOfMachine(domain.state, machine));
	await endCreations(run);
	await recoverSnapshotOfRunning(driver, domain, run);
	await recoverCheckpoint(driver, domain, run, true);
	await refreshJobs(driver, domain, run);
	await reconcileDevices(driver, domain, run);
	await recoverInterruptedSave(driver, domain, run);
	saveStatus(driver, domain);
	if (status.autodestroy) void destroyRun(driver, domain, run);
	else if (domain.stateName === "shutdown" || (machine === "shutdown" && run.fakeReboot))
		shutDownOrReboot(driver, domain, run);
}

/** Counters went with the daemon that kept them. A host that refuses them now is no reason to give the guest up. */
function countAgain(driver: Driver, domain: QemuDomain, run: Run): void {
	try {
		startCounters(run);
	} catch (error) {
		driver.log.warn(`'${domain.name}' is not counted for`, { error });
	}
}

/** QEMU's run state. QEMU may be stuck in I/O for long: that is no reason to give its guest up. */
async function askStatus(driver: Driver, domain: QemuDomain, run: Run): Promise<string> {
	for (;;) {
		try {
			const { status } = await run.monitor.execute("query-status", {}, { deadlineMs: Number.POSITIVE_INFINITY });
			return status;
		} catch (error) {
			if (toVirtError(error).code !== "OPERATION_TIMEOUT") throw error;
			connectMonitor(driver, domain, run);
		}
	}
}

async function end(driver: Driver, domain: QemuDomain, run: Run, reason: ShutoffReason): Promise<void> {
	await endRun(driver, domain, run, reason);
	const { ref } = domain;
	if (!domain.persistent) driver.domains.remove(domain);
	// Those who begin to listen when the driver is there are to hear of it.
	setImmediate(() => driver.lifecycle(ref, { event: "stopped", detail: "failed" }));
}
