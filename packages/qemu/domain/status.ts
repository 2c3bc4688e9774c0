// The status file of a running guest: all that a daemon started anew needs to find it and to take it over.

import { readFileSync } from "node:fs";
import { DOMAIN_STATE, type DomainState, STATE_REASON } from "@virtkit/core/domain-state";
import type { ProcessIdentity } from "@virtkit/host/process";
import { backupElement } from "@virtkit/model/backup/backup";
import { domain as domainElement } from "@virtkit/model/domain/domain";
import { int, integer, nonEmpty, oneOf, yesNo } from "@virtkit/xml/codec";
import { formatElement } from "@virtkit/xml/format";
import { parseXml } from "@virtkit/xml/parse";
import { readElement } from "@virtkit/xml/read";
import { attr, child, element, type Infer, list } from "@virtkit/xml/schema";
import { blockJobElement } from "../block/job.ts";
import { NO_AGENT_TIMEOUT, type QemuDomain } from "./domain.ts";
import type { Run } from "./run.ts";

const states = Object.keys(DOMAIN_STATE) as (keyof typeof DOMAIN_STATE)[];

const domainStatus = element({
	phase: attr(oneOf("starting", "up"), { required: true, doc: "Whether the start was complete." }),
	state: attr(oneOf(...states), { required: true, doc: "State of the guest." }),
	reason: attr(nonEmpty, { required: true, doc: "Why it is in that state." }),
	id: attr(int, { required: true, doc: "Number of the run." }),
	name: attr(nonEmpty, { required: true, doc: "Name of the domain." }),
	uuid: attr(nonEmpty, { required: true, doc: "UUID of the domain." }),
	boot: attr(nonEmpty, { required: true, doc: "Boot of the host in which the guest runs." }),
	work: attr(nonEmpty, { required: true, doc: "The guest's private folder." }),
	emulator: attr(nonEmpty, { required: true, doc: "Binary that runs the guest." }),
	pid: attr(int, { doc: "Process number of the emulator." }),
	started: attr(integer({ min: 0 }), { doc: "When the process started, in clock ticks since the host's boot." }),
	fakeReboot: attr(yesNo, { doc: "A shutdown under way is half of a reboot." }),
	autodestroy: attr(yesNo, { doc: "The guest was to end with the client that started it." }),
	monitorTouched: attr(yesNo, { doc: "Somebody gave QEMU commands of their own." }),
	agentTouched: attr(yesNo, { doc: "Somebody gave the guest agent commands of their own." }),
	moving: attr(oneOf("arriving", "answering", "postcopy", "sent"), { doc: "Another host may have the guest." }),
	agentTimeout: attr(int, { doc: "Seconds that the guest agent's answers are waited for." }),
	clockAdjustment: attr(integer(), { absent: 0, doc: "Seconds by which the guest's clock was off at start." }),
	wantedMemory: attr(integer({ min: 0 }), { doc: "KiB that the user wants the guest to have." }),
	lastImage: attr(integer({ min: 1 }), { doc: "The highest number that an image of the guest ever had." }),
	pendingCheckpoint: attr(nonEmpty, { doc: "The checkpoint that was being made." }),
	blockjob: list(blockJobElement, { doc: "Block jobs under way." }),
	domainbackup: child(backupElement, { doc: "The backup under way." }),
	domain: child(domainElement, { doc: "The running guest's definition." }),
});

/** What a status file says. */
export type DomainStatus = Infer<typeof domainStatus>;

let bootId: string | undefined;

/** The kernel's name for this boot of the host (proc_sys_kernel(5), random/boot_id). */
export function currentBoot(): string {
	bootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
	return bootId;
}

/** The status of a run; without its definition while that is not settled. */
export function statusOf(domain: QemuDomain, run: Run, withDefinition: boolean): DomainStatus {
	return {
		phase: run.phase === "starting" || domain.state.reason === "starting-up" ? "starting" : "up",
		...domain.state,
		id: run.id,
		name: domain.name,
		uuid: domain.uuid,
		boot: currentBoot(),
		work: run.paths.work,
		emulator: run.caps.binary,
		...(run.process ? { pid: run.process.pid, started: run.process.startTime } : {}),
		...(run.fakeReboot ? { fakeReboot: true } : {}),
		...(domain.autodestroy ? { autodestroy: true } : {}),
		...(run.tampered.monitor ? { monitorTouched: true } : {}),
		...(run.tampered.agent ? { agentTouched: true } : {}),
		...(run.moving ? { moving: run.moving } : {}),
		...(domain.agentTimeout === NO_AGENT_TIMEOUT ? {} : { agentTimeout: domain.agentTimeout }),
		...(run.initialClockAdjustment === 0 ? {} : { clockAdjustment: run.initialClockAdjustment }),
		...(run.wantedMemory === undefined ? {} : { wantedMemory: run.wantedMemory }),
		...(run.lastImage === 0 ? {} : { lastImage: run.lastImage }),
		...(run.pendingCheckpoint === undefined ? {} : { pendingCheckpoint: run.pendingCheckpoint }),
		blockjob: [...run.blockJobs.values()],
		...(run.backup ? { domainbackup: run.backup.def } : {}),
		...(withDefinition ? { domain: run.intended?.(run.live.def) ?? run.live.def } : {}),
	};
}

/** The text of a status file. */
export function formatStatus(status: DomainStatus): string {
	return formatElement("domstatus", domainStatus, status, { secure: true, status: true });
}

/** What a status file says. Throws VirtError where it is none. */
export function parseStatus(text: string): DomainStatus {
	return readElement(domainStatus, parseXml(text, "domain status"), { strict: false, live: true });
}

/** The process that a status names. */
export function processOf({ pid, started }: DomainStatus): ProcessIdentity | undefined {
	return pid === undefined || started === undefined ? undefined : { pid, startTime: started };
}

/** The state that a status names; a reason that its state has not is unknown. */
export function stateOf({ state, reason }: DomainStatus): DomainState {
	const known = Object.hasOwn(STATE_REASON[state], reason);
	return { state, reason: known ? reason : "unknown" } as DomainState;
}
