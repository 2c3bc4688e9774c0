// What guests are promised of the host, and whether a start goes beyond what may be promised.

import { VirtError } from "@virtkit/base/errors";
import { type Claim, type HostCapacity, refuseAdmission } from "@virtkit/core/policy/admission";
import { readMemoryPressure } from "@virtkit/host/facts/pressure";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { recordDecision } from "./journal.ts";

/** What a guest of that definition may come to use. Memory of huge pages counts with their pool, which QEMU itself takes it from. */
export function claimOf(def: DomainDef): Claim {
	const memoryKib = def.memoryBacking?.hugepages ? 0 : (def.memory?.size ?? 0);
	return { memoryKib, vcpus: def.vcpu.current ?? def.vcpu.count ?? 1 };
}

/** The claims of all guests that run or start, but for `except`. */
export function grantedClaims({ domains }: Driver, except?: QemuDomain): Claim[] {
	const claims: Claim[] = [];
	for (const domain of domains.all())
		if (domain.run !== undefined && domain !== except) claims.push(claimOf(domain.run.live.def));
	return claims;
}

/** What the host has for guests. */
export function hostCapacity({ settings, host }: Driver): HostCapacity {
	const { totalKib, hugePagesKib } = readMemoryPressure();
	const kept = (settings.memoryReserve ?? 0) * 1024;
	return { memoryKib: Math.max(0, totalKib - hugePagesKib - kept), cpus: host.onlineCpus().length };
}

/**
 * Throws RESOURCE_BUSY with all figures where the declared ratios do not allow one more guest like this.
 *
 * What is admitted must count from then on: between this and the domain's run nothing may be waited for.
 */
export function admit(driver: Driver, domain: QemuDomain, def: DomainDef): void {
	const { memoryOvercommitRatio: memory, cpuOvercommitRatio: cpu } = driver.settings;
	if (memory === undefined && cpu === undefined) return;
	const refusal = refuseAdmission({
		name: domain.name,
		asked: claimOf(def),
		host: hostCapacity(driver),
		granted: grantedClaims(driver, domain),
		ratios: { memory, cpu },
	});
	if (refusal === undefined) return;
	recordDecision(driver, domain, { kind: "admission", from: 0, to: 0, reason: refusal });
	throw new VirtError("RESOURCE_BUSY", refusal);
}
