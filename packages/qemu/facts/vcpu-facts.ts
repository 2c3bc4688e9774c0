// A guest's virtual CPUs: how many, and the Linux thread that each of them is.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations, VcpuInfo } from "@virtkit/core/domain-operations";
import { readThread, type Thread } from "@virtkit/host/thread";
import { countAgentVcpus } from "../config/agent-vcpus.ts";
import { oneDefinition } from "../config/impact.ts";
import { VCPU_FLAG } from "../config/vcpu-operations.ts";
import { maxVcpus, onlineVcpus } from "../defaults/vcpus.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";

/** virVcpuState: a vCPU that is there counts as running, whatever its thread does at the moment. */
export const VCPU_RUNNING = 1;

/** The thread of a vCPU with the vCPU's number. */
export interface VcpuThread {
	readonly number: number;
	readonly thread: Thread;
}

/** Threads of the vCPUs that are there, in the order of their numbers. Throws where one cannot be read. */
export function vcpuThreads(run: Run): VcpuThread[] {
	const pid = run.process?.pid ?? 0;
	return [...run.vcpuThreads]
		.sort(([a], [b]) => a - b)
		.map(([number, tid]) => {
			const thread = readThread(pid, tid);
			if (thread) return { number, thread };
			throw new VirtError("SYSTEM_ERROR", "cannot get vCPU placement & pCPU time: No such process");
		});
}

/** CPU time in nanoseconds, at the resolution of the kernel's statistics as libvirt has it. */
export const cpuTimeOfThread = ({ userNs, systemNs }: Thread): bigint => BigInt(userNs + systemNs);

function vcpus(domain: QemuDomain): VcpuInfo[] {
	return vcpuThreads(domain.activeRun()).map(({ number, thread }) => ({
		number,
		state: VCPU_RUNNING,
		cpuTime: cpuTimeOfThread(thread),
		cpu: thread.lastCpu,
		affinity: thread.affinity,
		tid: thread.tid,
	}));
}

function vcpuCount(domain: QemuDomain, flags: number): number | Promise<number> {
	const { def, run } = oneDefinition(domain, flags);
	if (flags & VCPU_FLAG.guest && !run)
		throw new VirtError("INVALID_ARG", "vCPU count provided by the guest agent can only be requested for live domains");
	if (flags & VCPU_FLAG.guest) return countAgentVcpus(domain, (flags & VCPU_FLAG.maximum) !== 0);
	return flags & VCPU_FLAG.maximum ? maxVcpus(def) : onlineVcpus(def);
}

export const vcpuFacts: Pick<DomainOperations<QemuDomain>, "vcpus" | "vcpuCount"> = { vcpus, vcpuCount };
