// What one group of a domain's statistics is, and what it is gathered from.

import type { TypedParam } from "@virtkit/core/typed-params";
import type { EmulatorCapabilities } from "../../capabilities/emulator.ts";
import type { QemuDomain } from "../../domain/domain.ts";
import type { Run } from "../../domain/run.ts";

/** A domain as its statistics are gathered. */
export interface StatsSubject {
	readonly domain: QemuDomain;
	/** The running guest. */
	readonly run: Run | undefined;
	/** The running guest where its monitor may be asked: it is under the caller's job. */
	readonly asked: Run | undefined;
	/** Whether the images below a disk's own are told too. */
	readonly backing: boolean;
}

export type Stats = readonly TypedParam[];

/** One group. */
export interface StatsGroup {
	/** virDomainStatsTypes. */
	readonly bit: number;
	/** Whether gathering it asks the running guest's monitor. */
	readonly monitor: boolean;
	/** Whether the emulator can tell it; any can where absent. */
	readonly supported?: (caps: EmulatorCapabilities) => boolean;
	/** Names, types and order are libvirt's. */
	readonly gather: (subject: StatsSubject) => Stats | Promise<Stats>;
}

export const NONE: Stats = [];

/** What `ask` comes to; `otherwise` where the guest ends or QEMU refuses meanwhile. */
export async function unlessGone<T>(ask: () => Promise<T>, otherwise: T): Promise<T> {
	try {
		return await ask();
	} catch {
		return otherwise;
	}
}
