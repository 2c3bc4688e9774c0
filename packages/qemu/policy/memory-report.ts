// The memory report: host, guests and decisions in one answer, each figure from where it is known best.

import { committed } from "@virtkit/core/policy/admission";
import type { GuestMemoryUse, HostMemory, MemoryReport } from "@virtkit/core/policy/report";
import { readKsmParameters } from "@virtkit/host/facts/ksm";
import { basePageKib } from "@virtkit/host/facts/memory";
import { readMemoryPressure } from "@virtkit/host/facts/pressure";
import { readProcessMemory } from "@virtkit/host/process-memory";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { grantedClaims, hostCapacity } from "./claims.ts";
import { latestDecisions } from "./journal.ts";
import { floorKib, wantedKib } from "./limits.ts";

/** The report, with at most `decisions` of the latest decisions. */
export async function memoryReport(driver: Driver, decisions: number): Promise<MemoryReport> {
	const pageKib = basePageKib();
	const running: [QemuDomain, Run][] = [];
	for (const domain of driver.domains.all()) if (domain.run?.process) running.push([domain, domain.run]);
	const guests = await Promise.all(running.map(([domain, run]) => guestUse(driver, domain, run, pageKib)));
	return { host: hostMemory(driver, guests, pageKib), guests, decisions: latestDecisions(driver, decisions) };
}

async function guestUse(driver: Driver, domain: QemuDomain, run: Run, pageKib: number): Promise<GuestMemoryUse> {
	const { def } = run.live;
	const used = await readProcessMemory(run.process?.pid ?? 0);
	const maximum = def.memory?.size ?? 0;
	return {
		domain: domain.ref,
		maximum: BigInt(maximum),
		wanted: BigInt(wantedKib(run)),
		actual: BigInt(def.currentMemory ?? maximum),
		floor: BigInt(floorKib(run, driver.settings)),
		resident: BigInt(used.residentKib),
		shared: BigInt(used.sharedKib),
		swapped: BigInt(used.swappedKib),
		merged: BigInt(used.mergedPages * pageKib),
	};
}

function hostMemory(driver: Driver, guests: readonly GuestMemoryUse[], pageKib: number): HostMemory {
	const { settings } = driver;
	const { totalKib, availableKib, swapTotalKib, swapFreeKib, hugePagesKib, some10 } = readMemoryPressure();
	const saved = readKsmParameters().find(({ name }) => name === "shm_pages_sharing")?.value ?? 0n;
	const ratio = settings.memoryOvercommitRatio;
	return {
		physical: BigInt(totalKib),
		available: BigInt(availableKib),
		swapTotal: BigInt(swapTotalKib),
		swapFree: BigInt(swapFreeKib),
		hugePages: BigInt(hugePagesKib),
		ksmSaved: saved * BigInt(pageKib),
		pressure: some10 === undefined ? -1 : Math.round(some10 * 100),
		committed: BigInt(committed(grantedClaims(driver)).memoryKib),
		promisable: ratio === undefined ? 0n : BigInt(Math.floor(hostCapacity(driver).memoryKib * ratio)),
		ballooned: guests.reduce((sum, { maximum, actual }) => sum + maximum - actual, 0n),
		balancing: settings.memoryBalancer === true,
	};
}
