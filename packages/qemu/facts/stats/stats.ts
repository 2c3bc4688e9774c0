// Statistics of a domain by groups (virConnectGetAllDomainStats).

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { TypedParam } from "@virtkit/core/typed-params";
import type { QemuDomain } from "../../domain/domain.ts";
import type { Run } from "../../domain/run.ts";
import { deviceGroups } from "./device-groups.ts";
import type { Stats, StatsGroup, StatsSubject } from "./stats-group.ts";
import { usageGroups } from "./usage-groups.ts";

/** In the order in which libvirt answers them. */
const GROUPS: readonly StatsGroup[] = [
	usageGroups.state,
	usageGroups.cpuTotal,
	usageGroups.balloon,
	usageGroups.vcpu,
	deviceGroups.network,
	deviceGroups.block,
	deviceGroups.perf,
	deviceGroups.iothread,
	deviceGroups.memory,
	deviceGroups.dirtyRate,
	deviceGroups.vm,
];

/** VIR_CONNECT_GET_ALL_DOMAINS_STATS_*. */
const FLAG = { noWait: 1 << 29, backing: 1 << 30, enforce: 1 << 31 } as const;

/** Groups that a guest which does not run has anything to say to, without asking a monitor. */
const INACTIVE = [usageGroups.state, usageGroups.balloon, usageGroups.vcpu, deviceGroups.block];

function stats(domain: QemuDomain, groups: number, flags: number): Stats | Promise<Stats> {
	const { run } = domain;
	if (flags & FLAG.enforce) refuseUnknown(run, groups);
	const backing = (flags & FLAG.backing) !== 0;
	if (run === undefined || run.phase === "ended" || !run.connected) return inactiveStats(domain, groups, backing);
	return runningStats(domain, run, groups, flags);
}

const isSupported = ({ supported }: StatsGroup, run: Run | undefined): boolean =>
	run === undefined || supported === undefined || supported(run.caps);

function refuseUnknown(run: Run | undefined, groups: number): void {
	const supported = GROUPS.filter((group) => isSupported(group, run)).reduce((bits, { bit }) => bits | bit, 0);
	const unknown = (groups & ~supported) >>> 0;
	if (unknown !== 0)
		throw new VirtError(
			"ARGUMENT_UNSUPPORTED",
			`Stats types bits 0x${unknown.toString(16)} are not supported by this daemon or QEMU`,
		);
}

/** At once: lists of thousands of domains are asked for every few seconds. */
function inactiveStats(domain: QemuDomain, groups: number, backing: boolean): Stats {
	const subject: StatsSubject = { domain, run: undefined, asked: undefined, backing };
	const params: TypedParam[] = [];
	for (const { bit, gather } of INACTIVE) {
		if (groups !== 0 && !(groups & bit)) continue;
		const found = gather(subject);
		if (!(found instanceof Promise)) params.push(...found);
	}
	return params;
}

async function runningStats(domain: QemuDomain, run: Run, groups: number, flags: number): Promise<Stats> {
	const chosen = GROUPS.filter((group) => (groups === 0 || groups & group.bit) && isSupported(group, run));
	using job = chosen.some(({ monitor }) => monitor) ? await queryJob(domain, flags) : undefined;
	// It may have ended while we waited.
	const current = domain.run === run ? run : undefined;
	const subject: StatsSubject = {
		domain,
		run: current,
		asked: job ? current : undefined,
		backing: (flags & FLAG.backing) !== 0,
	};
	const found = await Promise.all(chosen.map(({ gather }) => gather(subject)));
	return found.flat();
}

/** The right to ask the monitor; without it there is still something to tell. */
async function queryJob({ lock }: QemuDomain, flags: number): Promise<Disposable | undefined> {
	if (flags & FLAG.noWait && !lock.free) return undefined;
	try {
		return await lock.begin("query", "virConnectGetAllDomainStats");
	} catch {
		return undefined;
	}
}

export const statsFacts: Pick<DomainOperations<QemuDomain>, "stats"> = { stats };
