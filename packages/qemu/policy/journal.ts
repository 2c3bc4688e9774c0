// The journal of what policies decided: the latest decisions, for whoever asks; each is logged and told as an event too.

import type { PolicyDecision } from "@virtkit/core/policy/report";
import { param } from "@virtkit/core/typed-params";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";

/** Decisions that are kept. */
const KEPT = 1000;

interface Journal {
	readonly decisions: PolicyDecision[];
	last: bigint;
}

const JOURNALS = new WeakMap<Driver, Journal>();

function journalOf(driver: Driver): Journal {
	let journal = JOURNALS.get(driver);
	if (!journal) JOURNALS.set(driver, (journal = { decisions: [], last: 0n }));
	return journal;
}

/** The latest decisions, at most `count`, the oldest first. */
export function latestDecisions(driver: Driver, count: number): readonly PolicyDecision[] {
	return count <= 0 ? [] : journalOf(driver).decisions.slice(-count);
}

/**
 * Writes a decision down and tells of it: in the log, and as libvirt's `tunable` event, whose fields any client prints.
 *
 * Sizes are KiB.
 */
export function recordDecision(
	driver: Driver,
	domain: QemuDomain,
	{ kind, from, to, reason }: { kind: PolicyDecision["kind"]; from: number; to: number; reason: string },
): void {
	const journal = journalOf(driver);
	const number = ++journal.last;
	const time = BigInt(Date.now());
	journal.decisions.push({ number, time, kind, domain: domain.ref, from: BigInt(from), to: BigInt(to), reason });
	if (journal.decisions.length > KEPT) journal.decisions.shift();
	driver.log.info(`policy: ${kind} of '${domain.name}': ${reason}`);
	const sizes = kind === "balloon" ? [param.ullong("virtkit.balloon.from", BigInt(from))] : [];
	if (kind === "balloon") sizes.push(param.ullong("virtkit.balloon.to", BigInt(to)));
	driver.emit("tunable", domain.ref, { params: [...sizes, param.string(`virtkit.${kind}.reason`, reason)] });
}
