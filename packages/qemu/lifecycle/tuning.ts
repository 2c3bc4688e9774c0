// Applies what the definition says of host CPUs, CPU time, memory and block I/O to the guest's threads and control group.

import type { Cgroup } from "@virtkit/host/cgroup/group";
import type { NumberSettingName } from "@virtkit/host/cgroup/setting";
import { setAffinity } from "@virtkit/host/native";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { UNLIMITED_KIB } from "@virtkit/model/domain/memory";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";

type Wishes = readonly (readonly [name: NumberSettingName, value: number | undefined])[];

/** What holds for the whole guest. */
function guestWishes({ cputune, memtune, blkiotune }: DomainDef): Wishes {
	return [
		["cpuShares", cputune?.shares === undefined ? undefined : Number(cputune.shares)],
		["cpuPeriod", cputune?.global_period ? Number(cputune.global_period) : undefined],
		["cpuQuota", quotaOf(cputune?.global_quota)],
		["memoryHardLimit", limitOf(memtune?.hard_limit)],
		["memorySoftLimit", limitOf(memtune?.soft_limit)],
		["swapHardLimit", limitOf(memtune?.swap_hard_limit)],
		["blkioWeight", blkiotune?.weight || undefined],
	];
}

const limitOf = (kib: number | undefined): number | undefined =>
	kib === undefined || kib >= UNLIMITED_KIB ? undefined : kib;

/** A quota of 0 or below is none. */
const quotaOf = (quota: number | undefined): number | undefined =>
	quota !== undefined && quota > 0 ? quota : undefined;

/** Sets those wishes that there are. Throws OPERATION_INVALID where the host lacks what a wish needs. */
function apply(group: Cgroup, wishes: Wishes): void {
	for (const [name, value] of wishes) if (value !== undefined) group.set(name, value);
}

/** The guest's own limits, and the host CPUs of QEMU's main threads; before the guest runs. */
export async function tuneEmulator(_driver: Driver, run: Run): Promise<void> {
	const { def } = run.live;
	if (run.cgroups) apply(run.cgroups.guest, guestWishes(def));
	const cpus = def.cputune?.emulatorpin?.cpuset ?? def.vcpu.cpuset;
	if (cpus && run.process) setAffinity(run.process.pid, cpus);
}

/** Period and quota of threads in one kind's groups. */
async function limitThread(
	run: Run,
	name: string,
	tid: number,
	period: bigint | undefined,
	quota: number | undefined,
): Promise<void> {
	if ((!period && quotaOf(quota) === undefined) || run.cgroups === undefined) return;
	const group = run.cgroups.thread(name);
	apply(group, [
		["cpuPeriod", period ? Number(period) : undefined],
		["cpuQuota", quotaOf(quota)],
	]);
	await group.addThread(tid);
}

/** Host CPUs and CPU time of vCPUs and I/O threads. */
export async function tuneThreads(driver: Driver, run: Run): Promise<void> {
	const { cputune, vcpu } = run.live.def;
	if (cputune === undefined && vcpu.cpuset === undefined) return;
	for (const [number, tid] of run.vcpuThreads) await tuneVcpu(driver, run, number, tid);
	for (const [number, tid] of run.iothreadThreads) {
		const cpus = cputune?.iothreadpin.find((pin) => pin.iothread === number)?.cpuset ?? vcpu.cpuset;
		if (cpus) setAffinity(tid, cpus);
		await limitThread(run, `iothread${number}`, tid, cputune?.iothread_period, cputune?.iothread_quota);
	}
}

/** Host CPUs and CPU time of one vCPU, also of one plugged later: its thread begins where QEMU's main thread may run. */
export async function tuneVcpu(driver: Driver, run: Run, number: number, tid: number): Promise<void> {
	const { cputune, vcpu } = run.live.def;
	const pinned = cputune?.vcpupin.find((pin) => pin.vcpu === number)?.cpuset ?? vcpu.cpuset;
	const cpus = pinned ?? (cputune?.emulatorpin ? driver.host.onlineCpus() : undefined);
	if (cpus) setAffinity(tid, cpus);
	await limitThread(run, `vcpu${number}`, tid, cputune?.period, cputune?.quota);
}
