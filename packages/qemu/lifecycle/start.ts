// Starts a guest: everything made for it in order, each step taken back when a later one fails.

import { join } from "node:path";
import { toVirtError, type VirtError } from "@virtkit/base/errors";
import { UndoStack } from "@virtkit/base/undo-stack";
import type { CallContext } from "@virtkit/core/domain-operations";
import { isAlive, waitForExit } from "@virtkit/host/process";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { CommandLine } from "../command-line/command-line.ts";
import { shortName } from "../command-line/memory-backend.ts";
import { prepareDomain } from "../command-line/prepare.ts";
import { startCounters } from "../config/perf-operations.ts";
import { contextOf } from "../defaults/complete.ts";
import { Definition } from "../domain/definition.ts";
import type { QemuDomain } from "../domain/domain.ts";
import { type PausedReason, Run, type RunningReason } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { helperFailure } from "../helpers/spawn.ts";
import { startHelpers } from "../helpers/start.ts";
import { claimDevices, ownHostDevices } from "../host-devices/claim.ts";
import { assignedDevices } from "../host-devices/use.ts";
import { plugAtStart } from "../hotplug/vcpu.ts";
import { admit } from "../policy/claims.ts";
import { checkAccelerator } from "./accelerator.ts";
import { autodestroyWith } from "./autodestroy.ts";
import { settleImages } from "./backing-chain.ts";
import { endRun } from "./end.ts";
import { guestOutputError, logFileOf } from "./guest-log.ts";
import { openDescriptors, ownInterfaces } from "./host-descriptors.ts";
import { enterGroup, launch } from "./launch.ts";
import { settleLiveCpu } from "./live-cpu.ts";
import { memoryFolder } from "./memory-folders.ts";
import { connectMonitor } from "./monitor.ts";
import { makeNvram } from "./nvram.ts";
import { giveFiles } from "./ownership.ts";
import { placeOnHost } from "./place-on-host.ts";
import { choosePorts } from "./ports.ts";
import { setUp, wishMemory } from "./set-up.ts";
import { createStatusFile, saveStatusNow } from "./status-file.ts";
import { tuneEmulator, tuneThreads } from "./tuning.ts";
import { createWorkFolders } from "./work-folder.ts";

/** How a guest is started. */
export interface StartRequest {
	/** The definition, which becomes the run's own. */
	readonly definition: DomainDef;
	/** Leave the guest paused, for this reason. */
	readonly paused?: PausedReason | undefined;
	readonly runningReason?: RunningReason;
	/** The guest ends when this caller's connection does. */
	readonly autodestroy?: CallContext | undefined;
	/** Firmware variables are made anew. */
	readonly resetNvram?: boolean;
	/** Name of the internal snapshot of its disks from which the guest goes on. */
	readonly snapshot?: string | undefined;
	/** For a guest that goes on from a saved state. */
	readonly incoming?: IncomingState | undefined;
}

/** A saved state to go on from. */
export interface IncomingState {
	/** Adds what QEMU is to be started with: `-incoming defer`. */
	extend(command: CommandLine): void;
	/** The state comes from another host, which has the guest until it is told that it runs here. */
	readonly arriving?: boolean;
	/** Loads the state; QEMU is up, the guest stands still. */
	load(run: Run): Promise<void>;
}

/** Starts the guest. The caller holds the domain's job; events of the start are the caller's to tell. Leaves nothing where it fails. */
export async function startRun(driver: Driver, domain: QemuDomain, request: StartRequest): Promise<Run> {
	const run = beginRun(driver, domain, request.definition);
	if (request.incoming?.arriving) run.moving = "arriving";
	try {
		await bringUp(driver, domain, run, request);
		return run;
	} catch (thrown) {
		const error = await explain(run, thrown);
		await endRun(driver, domain, run, "failed");
		throw error;
	}
}

/** The run as far as memory goes: from now on the domain has a number, and is paused because it starts. */
function beginRun(driver: Driver, domain: QemuDomain, def: DomainDef): Run {
	const { paths } = driver;
	admit(driver, domain, def);
	const id = driver.domains.nextId();
	def.id = id;
	const name = shortName(def);
	const work = join(paths.lib, `domain-${name}`);
	const run = new Run({
		id,
		definition: new Definition(def),
		caps: driver.host.emulatorAt(def.devices.emulator ?? ""),
		paths: {
			work,
			monitor: join(work, "monitor.sock"),
			channels: join(paths.channels, `domain-${name}`),
			memory: memoryFolder(driver, name),
			log: logFileOf(driver, domain.name),
		},
		statusFile: join(paths.status, `${domain.name}.xml`),
		resources: new UndoStack(),
	});
	run.wantedMemory = def.currentMemory;
	domain.run = run;
	driver.domains.bindId(id, domain);
	domain.setState({ state: "paused", reason: "starting-up" });
	return run;
}

async function bringUp(driver: Driver, domain: QemuDomain, run: Run, request: StartRequest): Promise<void> {
	createStatusFile(domain, run);
	if (request.autodestroy) autodestroyWith(driver, domain, run, request.autodestroy);
	using claimed = domain.fdGroups.claim(run.live.def.devices.disks);
	const context = { ...contextOf(run.live.def, driver.host, false), imageDescriptors: claimed.images };
	checkAccelerator(run.live.def.type, context.caps);
	settleImages(driver, domain, run, claimed.images);
	choosePorts(driver, run);
	prepareDomain(context);
	placeOnHost(driver, run.live.def);
	ownHostDevices(driver, run);
	await claimDevices(driver, domain, run, assignedDevices(run.live.def), request.incoming === undefined);
	const masterKey = createWorkFolders(driver, run);
	makeNvram(driver, run, request.resetNvram === true);
	giveFiles(driver, run);
	await startHelpers(driver, domain, run, request.incoming !== undefined);
	using opened = await openDescriptors(run.live.def);
	ownInterfaces(run);
	const { descriptors } = opened;
	const { incoming, snapshot } = request;
	const extend = snapshot === undefined ? incoming?.extend : (command: CommandLine) => command.add("-loadvm", snapshot);
	await launch(driver, run, { context, masterKey, descriptors, extend });
	connectMonitor(driver, domain, run);
	// QEMU boots; all that needs only its process is done meanwhile.
	await allOf([
		setUp(run, driver.settings),
		enterGroup(driver, run, domain.name).then(() => {
			startCounters(run);
			return tuneEmulator(driver, run);
		}),
		saveStatusNow(domain, run),
	]);
	await plugAtStart(run);
	await tuneThreads(driver, run);
	await request.incoming?.load(run);
	if (request.incoming) await wishMemory(run);
	await letGo(domain, run, request);
}

/** Waits for all of it, also where one fails: nothing may still be at work when the start is taken back. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
	for (const result of await Promise.allSettled(work)) if (result.status === "rejected") throw result.reason;
}

/** The guest runs, or stands still because that was asked for. */
async function letGo(domain: QemuDomain, run: Run, request: StartRequest): Promise<void> {
	if (request.paused === undefined) {
		const { runningReason = "booted" } = request;
		run.runningReason = runningReason;
		// In post-copy QEMU may have to wait for memory of the guest's, and there is no way back.
		const deadlineMs = runningReason === "postcopy" ? Number.POSITIVE_INFINITY : undefined;
		await run.monitor.execute("cont", {}, { deadlineMs });
		run.phase = "up";
		// Before anybody hears of the start, and after whatever QEMU's own event of it has had written: a guest that is paused
		// next must not be taken for one half started.
		await saveStatusNow(domain, run);
	} else {
		run.phase = "up";
		domain.setState({ state: "paused", reason: request.paused });
		await saveStatusNow(domain, run);
	}
	// Whoever ended QEMU between its last answer and now found a start under way.
	if (run.monitor.loss) throw run.monitor.loss;
	settleLiveCpu(run);
}

/** The error that a failed start ends in: what QEMU said, where QEMU is gone. */
async function explain(run: Run, thrown: unknown): Promise<VirtError> {
	const error = toVirtError(thrown);
	if (run.process === undefined || !run.connected) return error;
	if (run.monitor.loss === undefined && isAlive(run.process)) return error;
	// The socket closes before the process is gone, and its last words may be on their way.
	await waitForExit(run.process, 1000);
	if (run.beingDestroyed && error.code !== "INTERNAL_ERROR") return error;
	const failed = helperFailure(run);
	if (failed) return failed;
	const what = isAlive(run.process)
		? "qemu unexpectedly closed the monitor"
		: "process exited while connecting to monitor";
	return guestOutputError(run, what, error);
}
