// A program that runs beside a guest for one of its devices: what each kind says of itself, and how such a process is known again.

import type { UndoStack } from "@virtkit/base/undo-stack";
import type { ProcessIdentity } from "@virtkit/host/process";
import type { ExitStatus } from "@virtkit/host/spawn";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";

/** In a helper's environment: the private folder of the guest it is for. A daemon started anew finds its helpers by it. */
export const GUEST_VARIABLE = "VIRTKIT_GUEST";
/** In a helper's environment: what it is, for messages. */
export const HELPER_VARIABLE = "VIRTKIT_HELPER";

/** A helper that was started. */
export interface Helper {
	/** What it is, for messages: `swtpm`, `virtiofsd of fs0`. */
	readonly name: string;
	readonly process: ProcessIdentity;
	/** How it ended; undefined while it runs, and for ever where a former daemon started it. */
	exit?: ExitStatus;
	/** Where its output goes, and where in it this process's begins. */
	readonly log?: { readonly path: string; readonly start: number };
}

/** What a helper is to be started with. */
export interface HelperPlan {
	readonly name: string;
	/** Program: a path, or a name to be looked for. */
	readonly program: string;
	readonly args: readonly string[];
	/** Who it runs as; undefined for the daemon's own user. */
	readonly runAs?: { readonly uid: number; readonly gid: number } | undefined;
	/** Descriptors that become its 3, 4, 5, … */
	readonly inherit?: readonly number[];
	/** Name of its log in the folder of guests' logs. */
	readonly logName: string;
	/** Path that shows that it is ready, where what it listens on is not handed to it. */
	readonly ready?: string;
	/** Called when it is ready. */
	onReady?(): void;
}

/** What helpers are planned from. */
export interface HelperContext {
	readonly driver: Driver;
	readonly domain: QemuDomain;
	readonly run: Run;
	/** The definition whose devices are served: the guest's, or one that has the devices alone that are plugged in. */
	readonly def: DomainDef;
	/** Takes back what was made for the helpers. */
	readonly undo: UndoStack;
	/** The guest goes on from a saved state. */
	readonly incoming: boolean;
	/** Closes what was only opened to be handed down. */
	readonly handed: DisposableStack;
}

/** One kind of helper: a row of the table of them. */
export interface HelperKind {
	/** The helpers of this kind that the guest needs. Makes what they need on the host, and has it undone. */
	plan(context: HelperContext): readonly HelperPlan[] | Promise<readonly HelperPlan[]>;
	/** Files outside the guest's own folder that go with the run. */
	files?(driver: Driver, run: Run): readonly string[];
}
