// Applies what the definition says of host CPUs, CPU time, memory and block I/O to the guest's threads and control group.

import { VirtError } from "@virtkit/base/errors";
import { blockDeviceNumber, DEVICE_LIMIT_NAMES, setDeviceLimit } from "@virtkit/host/cgroup/device-limit";
import type { Cgroup } from "@virtkit/host/cgroup/group";
import type { NumberSettingName } from "@virtkit/host/cgroup/setting";
import { setAffinity } from "@virtkit/host/native";
import { setScheduler } from "@virtkit/host/scheduler";
import type { CputuneDef } from "@virtkit/model/domain/cputune";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { UNLIMITED_KIB } from "@virtkit/model/domain/memory";
import { emulatorThreads } from "../config/pin-operations.ts";
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

/** Shares and limits on single block devices. */
function limitDevices(group: Cgroup, { blkiotune }: DomainDef): void {
	for (const device of blkiotune?.device ?? []) {
		const number = blockDeviceNumber(device.path);
		for (const name of DEVICE_LIMIT_NAMES) if (device[name]) setDeviceLimit(group, name, number, BigInt(device[name]));
	}
}

/** The guest's own limits, and the host CPUs of QEMU's main threads; before the guest runs. */
export async function tuneEmulator(_driver: Driver, run: Run): Promise<void> {
	const { def } = run.live;
	if (run.cgroups) {
		apply(run.cgroups.guest, guestWishes(def));
		limitDevices(run.cgroups.guest, def);
	}
	const cpus = def.cputune?.emulatorpin?.cpuset ?? def.vcpu.cpuset;
	if (cpus && run.process) setAffinity(run.process.pid, cpus);
}

/** What a definition says of one kind of threads. */
interface ThreadWishes {
	readonly period: bigint | undefined;
	readonly quota: number | undefined;
	readonly scheduler?: SchedulerDef | undefined;
}

type SchedulerDef = NonNullable<CputuneDef["emulatorsched"]>;

const isLimited = ({ period, quota }: ThreadWishes): boolean => (period ?? 0n) > 0n || quotaOf(quota) !== undefined;

const emulatorWishes = ({ cputune }: DomainDef): ThreadWishes => ({
	period: cputune?.emulator_period,
	quota: cputune?.emulator_quota,
	scheduler: cputune?.emulatorsched,
});

/** The group of one kind of threads, limited as wished. Throws CONFIG_UNSUPPORTED where the host lacks the means. */
function limitedGroup(run: Run, name: string, wishes: ThreadWishes): Cgroup {
	if (!run.cgroups?.guest.has("cpu"))
		throw new VirtError("CONFIG_UNSUPPORTED", `cgroup cpu is required for scheduler tuning (of '${name}')`);
	const group = run.cgroups.thread(name);
	apply(group, [
		["cpuPeriod", wishes.period ? Number(wishes.period) : undefined],
		["cpuQuota", quotaOf(wishes.quota)],
	]);
	return group;
}

/** Host nodes that the guest's memory must come from; undefined where it may come from others (qemuSetupCpusetMems). */
function memoryNodes({ live: { def }, cgroups }: Run): readonly number[] | undefined {
	const { mode, nodeset } = def.numatune?.memory ?? {};
	const isBinding = mode === "strict" || mode === "restrictive";
	return isBinding && nodeset && cgroups?.guest.has("cpuset") ? nodeset : undefined;
}

/** Has new memory of the threads in the group come from the nodes that the definition names. */
function bindMemory(run: Run, name: string): Cgroup | undefined {
	const nodes = memoryNodes(run);
	if (nodes === undefined) return undefined;
	const group = run.cgroups?.thread(name);
	group?.setCpuset("mems", nodes);
	return group;
}

/** Period, quota and scheduler of a vCPU or an I/O thread, and where its memory comes from. */
async function tuneThread(run: Run, name: string, tid: number, wishes: ThreadWishes): Promise<void> {
	const emulator = emulatorWishes(run.live.def);
	// A thread begins with what the one has that makes it, which is QEMU's main thread where it is plugged later.
	const bound = bindMemory(run, name);
	const limited = isLimited(wishes) || isLimited(emulator) ? limitedGroup(run, name, wishes) : bound;
	await limited?.addThread(tid);
	const { scheduler } = wishes;
	if (scheduler) setScheduler(tid, scheduler.scheduler, scheduler.priority);
	else if (emulator.scheduler) setScheduler(tid, "other");
}

/** CPU time of QEMU's own threads, and the scheduler of its main one, which those that it makes from now on begin with. */
async function tuneEmulatorThreads(run: Run): Promise<void> {
	const wishes = emulatorWishes(run.live.def);
	const bound = bindMemory(run, "emulator");
	const group = isLimited(wishes) ? limitedGroup(run, "emulator", wishes) : bound;
	if (group) {
		const moved = new Set<number>();
		// Those not moved yet may make others meanwhile.
		for (let left = emulatorThreads(run); left.length > 0; ) {
			for (const tid of left) await addLiving(run, group, tid);
			for (const tid of left) moved.add(tid);
			left = emulatorThreads(run).filter((tid) => !moved.has(tid));
		}
	}
	const { scheduler } = wishes;
	if (scheduler && run.process) setScheduler(run.process.pid, scheduler.scheduler, scheduler.priority);
}

/** QEMU's workers come and go: one that is gone needs no group. */
async function addLiving(run: Run, group: Cgroup, tid: number): Promise<void> {
	try {
		await group.addThread(tid);
	} catch (error) {
		if (emulatorThreads(run).includes(tid)) throw error;
	}
}

/** Host CPUs, CPU time and schedulers of vCPUs, I/O threads and QEMU's own. */
export async function tuneThreads(driver: Driver, run: Run): Promise<void> {
	const { cputune, vcpu } = run.live.def;
	if (cputune === undefined && vcpu.cpuset === undefined && memoryNodes(run) === undefined) return;
	for (const [number, tid] of run.vcpuThreads) await tuneVcpu(driver, run, number, tid);
	for (const [number, tid] of run.iothreadThreads) await tuneIothread(driver, run, number, tid);
	await tuneEmulatorThreads(run);
}

/**
 * Host CPUs, CPU time and scheduler of one vCPU, also of one plugged later: its thread begins where QEMU's main thread
 * may run.
 */
export async function tuneVcpu(driver: Driver, run: Run, number: number, tid: number): Promise<void> {
	const { cputune, vcpu } = run.live.def;
	const pinned = cputune?.vcpupin.find((pin) => pin.vcpu === number)?.cpuset ?? vcpu.cpuset;
	const cpus = pinned ?? (cputune?.emulatorpin ? driver.host.onlineCpus() : undefined);
	if (cpus) setAffinity(tid, cpus);
	await tuneThread(run, `vcpu${number}`, tid, {
		period: cputune?.period,
		quota: cputune?.quota,
		scheduler: cputune?.vcpusched.find(({ vcpus }) => vcpus.includes(number)),
	});
}

/** The same of one I/O thread. */
export async function tuneIothread(driver: Driver, run: Run, number: number, tid: number): Promise<void> {
	const { cputune, vcpu } = run.live.def;
	const pinned = cputune?.iothreadpin.find((pin) => pin.iothread === number)?.cpuset ?? vcpu.cpuset;
	const cpus = pinned ?? (cputune?.emulatorpin ? driver.host.onlineCpus() : undefined);
	if (cpus) setAffinity(tid, cpus);
	await tuneThread(run, `iothread${number}`, tid, {
		period: cputune?.iothread_period,
		quota: cputune?.iothread_quota,
		scheduler: cputune?.iothreadsched.find(({ iothreads }) => iothreads.includes(number)),
	});
}
