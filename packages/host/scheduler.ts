// Scheduling policies of threads: which one, and the priority of those that have one.

import { constants } from "node:os";
import { VirtError } from "@virtkit/base/errors";
import { callLibc } from "./libc.ts";
import { systemError } from "./system-error.ts";

/** Linux's numbers (linux/sched.h). */
const POLICIES = { other: 0, fifo: 1, rr: 2, batch: 3, idle: 5 } as const;

export type SchedulingPolicy = keyof typeof POLICIES;

/** Priorities of the real-time policies on Linux (sched(7)); the others have none. */
const PRIORITIES = [1, 99] as const;

/** What root, too, is refused for: a v1 group starts without real-time share (Documentation/scheduler/sched-rt-group.rst). */
const NEEDS = " (it takes CAP_SYS_NICE and, where cgroup v1 has cpu.rt_runtime_us, a share of it)";

const hasPriority = (policy: SchedulingPolicy): boolean => policy === "fifo" || policy === "rr";

/**
 * Has the kernel schedule thread `tid` by `policy`; `priority` counts for "fifo" and "rr" only.
 *
 * @throws VirtError CONFIG_UNSUPPORTED for a priority that the kernel does not have, SYSTEM_ERROR where it refuses:
 * without CAP_SYS_NICE, or in a control group without real-time share.
 */
export function setScheduler(tid: number, policy: SchedulingPolicy, priority = 0): void {
	const [min, max] = PRIORITIES;
	if (hasPriority(policy) && (priority < min || priority > max))
		throw new VirtError("CONFIG_UNSUPPORTED", `Scheduler priority ${priority} out of range [${min}, ${max}]`);
	const parameter = Int32Array.of(hasPriority(policy) ? priority : 0);
	const result = callLibc("sched_setscheduler", tid, POLICIES[policy], parameter);
	if (!("errno" in result)) return;
	const isForbidden = hasPriority(policy) && result.errno === constants.errno.EPERM;
	throw systemError(
		`Cannot set scheduler parameters for thread ${tid} to '${policy}'${isForbidden ? NEEDS : ""}`,
		result.errno,
	);
}

/** The policy that thread `tid` is scheduled by; undefined for one that only other programs set, such as deadlines. */
export function getScheduler(tid: number): SchedulingPolicy | undefined {
	const result = callLibc("sched_getscheduler", tid);
	if ("errno" in result) throw systemError(`cannot get the scheduling policy of thread ${tid}`, result.errno);
	const names = Object.keys(POLICIES) as SchedulingPolicy[];
	return names.find((name) => POLICIES[name] === result.value);
}
