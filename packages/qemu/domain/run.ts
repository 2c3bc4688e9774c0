// One run of a guest, from the first thing made for it to the last thing removed: its process, monitor, files and live definition.

import type { UndoStack } from "@virtkit/base/undo-stack";
import type { STATE_REASON } from "@virtkit/core/domain-state";
import type { GuestCgroups } from "@virtkit/host/cgroup/tree";
import type { ProcessIdentity } from "@virtkit/host/process";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { QmpClient } from "@virtkit/qmp/client";
import type { ActiveBackup } from "../backup/backup.ts";
import type { BlockJob } from "../block/job.ts";
import type { EmulatorCapabilities } from "../capabilities/emulator.ts";
import type { GuestPaths } from "../devices/entry.ts";
import type { Helper } from "../helpers/helper.ts";
import type { Definition } from "./definition.ts";

export type PausedReason = keyof (typeof STATE_REASON)["paused"];
export type RunningReason = keyof (typeof STATE_REASON)["running"];

/** How the removal of a device ends: QEMU has removed it, or the guest refused. */
export type UnplugOutcome = "deleted" | "refused";

/** How far a run is. A run that is `ending` is torn down by one who does it to the end; others wait for `ended`. */
export type RunPhase = "starting" | "up" | "ending" | "ended";

export interface RunOptions {
	readonly id: number;
	readonly definition: Definition;
	readonly caps: EmulatorCapabilities;
	readonly paths: GuestPaths;
	readonly statusFile: string;
	readonly resources: UndoStack;
	/** Of a run taken over, whose definition may have moved on; the definition's own where absent. */
	readonly initialClockAdjustment?: number | undefined;
}

/** See the opening sentence. */
export class Run {
	readonly id: number;
	readonly live: Definition;
	readonly caps: EmulatorCapabilities;
	readonly paths: GuestPaths;
	readonly statusFile: string;
	/** Everything made for the run; disposing it takes it all back, last first. */
	readonly resources: UndoStack;
	phase: RunPhase = "starting";
	process: ProcessIdentity | undefined;
	cgroups: GuestCgroups | undefined;
	/** Programs that run beside it for its devices. */
	readonly helpers: Helper[] = [];
	/** Linux thread ids of the vCPUs, by number; absent where a vCPU is offline. */
	readonly vcpuThreads = new Map<number, number>();
	/** Linux thread ids of the I/O threads, by number. */
	readonly iothreadThreads = new Map<number, number>();
	/** Why the guest stops when QEMU says next that it did. */
	pausedReason: PausedReason = "unknown";
	/** Why it runs when QEMU says next that it does. */
	runningReason: RunningReason = "unpaused";
	/** The shutdown under way is one half of a reboot: the machine is reset after it. */
	fakeReboot = false;
	/**
	 * It came from another host that has not been told yet, or is just being told, or was sent to one that may run it; in
	 * `postcopy` it runs here and nowhere else, and has memory over there.
	 */
	moving: "arriving" | "answering" | "postcopy" | "sent" | undefined;
	/** QEMU stands still after such a shutdown; nobody is told. */
	pausedShutdown = false;
	/** Somebody is ending the process on purpose: that its monitor goes is no news. */
	beingDestroyed = false;
	/** virDomainDiskErrorCode of disks that failed, by target: unspecified 1, no space 2. */
	readonly diskErrors = new Map<string, number>();
	/** Seconds by which the guest's clock was off at start, where its definition says so. */
	readonly initialClockAdjustment: number;
	/** Who waits for the guest to let go of a device, by its id. */
	readonly unplugs = new Map<string, (outcome: UnplugOutcome) => void>();
	/** What the definition is about to become: noted in the status file before QEMU is told, so that nothing QEMU has is lost. */
	intended: ((def: DomainDef) => DomainDef) | undefined;
	/** Block jobs under way, by QEMU's ids. */
	readonly blockJobs = new Map<string, BlockJob>();
	/** Who ends a job and waits for that, by its id. */
	readonly blockJobWaits = new Map<string, () => void>();
	/** The backup under way. */
	backup: ActiveBackup | undefined;
	/** The checkpoint that is being made. */
	pendingCheckpoint: string | undefined;
	/** The highest number that an image of the guest ever had: node names are not used again. */
	lastImage = 0;
	/** A program of the guest has the agent's channel open. */
	agentOpen = false;
	/** KiB that the user wants the guest to have; its balloon may leave it less for a while. Its definition's where absent. */
	wantedMemory: number | undefined;
	/** Somebody gave its monitor or its agent commands of their own. */
	readonly tampered = { monitor: false, agent: false };
	/** Where in the log this start's own output begins. */
	logStart = 0;
	/** Settles when nothing of the run is left. */
	readonly ended: Promise<void>;
	readonly #markEnded: () => void;
	#monitor: QmpClient | undefined;

	constructor(options: RunOptions) {
		this.id = options.id;
		this.live = options.definition;
		this.caps = options.caps;
		this.paths = options.paths;
		this.statusFile = options.statusFile;
		this.resources = options.resources;
		const { clock } = options.definition.def;
		this.initialClockAdjustment =
			options.initialClockAdjustment ?? (clock.offset === "variable" ? clock.adjustment : undefined) ?? 0;
		const { promise, resolve } = Promise.withResolvers<void>();
		this.ended = promise;
		this.#markEnded = resolve;
	}

	/** The connection to QEMU. Its calls fail once QEMU is gone. */
	get monitor(): QmpClient {
		if (this.#monitor === undefined) throw new Error("the monitor is not connected yet");
		return this.#monitor;
	}

	set monitor(monitor: QmpClient) {
		this.#monitor = monitor;
	}

	get connected(): boolean {
		return this.#monitor !== undefined;
	}

	markEnded(): void {
		this.phase = "ended";
		this.#markEnded();
	}
}
