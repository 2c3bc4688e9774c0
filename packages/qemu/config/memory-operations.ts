// How much memory a guest has and uses, and how often it tells about it.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { balloonPath } from "../lifecycle/refresh.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { changeConfig, changeLive, impactOf } from "./impact.ts";

/** VIR_DOMAIN_MEM_MAXIMUM. */
const MAXIMUM = 4;

/** Whether the guest has a balloon. */
export function hasBalloon({ devices: { memballoon } }: DomainDef): boolean {
	return memballoon !== undefined && memballoon.model !== "none";
}

/** Memory in KiB that the balloon can give and take: all but that of virtio-mem devices. */
function ballooned(def: DomainDef): number {
	const virtioMem = def.devices.memories.filter(({ model }) => model === "virtio-mem");
	return virtioMem.reduce((left, { target }) => left - target.size, def.memory?.size ?? 0);
}

async function setMemory(driver: Driver, domain: QemuDomain, kib: number, flags: number): Promise<void> {
	const { run, config } = impactOf(domain, flags);
	if (flags & MAXIMUM) {
		if (run) throw new VirtError("OPERATION_INVALID", "cannot resize the maximum memory on an active domain");
		return await changeConfig(driver, domain, (def) => setMaximum(def, kib));
	}
	refuseBeyond(domain, run, config, kib);
	if (run) {
		await inflate(run, kib);
		await saveStatusNow(domain, run);
	}
	if (config) await changeConfig(driver, domain, (def) => void (def.currentMemory = kib));
}

function setMaximum(def: DomainDef, kib: number): void {
	if ((def.cpu?.numa?.cell.length ?? 0) > 0)
		throw new VirtError(
			"OPERATION_INVALID",
			"initial memory size of a domain with NUMA nodes cannot be modified with this API",
		);
	if (def.maxMemory && def.maxMemory.size < kib)
		throw new VirtError("OPERATION_INVALID", "cannot set initial memory size greater than the maximum memory size");
	def.memory = { ...def.memory, size: kib };
	if ((def.currentMemory ?? kib) > kib) def.currentMemory = kib;
}

function refuseBeyond(domain: QemuDomain, run: Run | undefined, config: boolean, kib: number): void {
	const limits = [...(run ? [ballooned(run.live.def)] : []), ...(config ? [ballooned(domain.config.def)] : [])];
	if (kib > Math.min(...limits)) throw new VirtError("INVALID_ARG", "cannot set memory higher than max memory");
}

/** Has the balloon leave the guest this much. Its BALLOON_CHANGE events bring the definition up to date. */
async function inflate(run: Run, kib: number): Promise<void> {
	if (!hasBalloon(run.live.def))
		throw new VirtError(
			"OPERATION_INVALID",
			"Unable to change memory of active domain without the balloon device and guest OS balloon driver",
		);
	await run.monitor.execute("balloon", { value: kib * 1024 });
	run.wantedMemory = kib;
}

async function setPeriod(driver: Driver, domain: QemuDomain, seconds: number, flags: number): Promise<void> {
	const { run, config } = impactOf(domain, flags);
	const change = (def: DomainDef): void => {
		const { memballoon } = def.devices;
		if (memballoon) memballoon.stats = { period: seconds };
	};
	for (const def of [run?.live.def, config ? domain.config.def : undefined])
		if (def && !hasBalloon(def))
			throw new VirtError("INTERNAL_ERROR", "No memory balloon device configured, can not set the collection period");
	if (run) {
		await pollEvery(run, seconds);
		changeLive(driver, domain, run, change);
	}
	if (config) await changeConfig(driver, domain, change);
}

async function pollEvery(run: Run, seconds: number): Promise<void> {
	const path = balloonPath(run.live.def) ?? "";
	try {
		await run.monitor.execute("qom-set", { path, property: "guest-stats-polling-interval", value: seconds });
	} catch (cause) {
		throw new VirtError("OPERATION_INVALID", "unable to set balloon driver collection period", { cause });
	}
}

export const memoryOperations = (
	driver: Driver,
): Pick<DomainOperations<QemuDomain>, "setMemory" | "setMemoryStatsPeriod"> => ({
	setMemory: (domain, kib, flags) => setMemory(driver, domain, Number(kib), flags),
	setMemoryStatsPeriod: (domain, seconds, flags) => setPeriod(driver, domain, seconds, flags),
});
