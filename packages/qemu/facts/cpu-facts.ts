// CPU time that a running guest has used, in all and by host CPU.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { Cgroup, CpuUsage } from "@virtkit/host/cgroup/group";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { processTimes } from "./process-times.ts";

/** CPU time of the guest's control group, or of its process where it has none; undefined where neither tells. */
export function cpuUsage(run: Run): CpuUsage | undefined {
	const { cgroups } = run;
	if (cgroups?.guest.has("cpuacct")) return cgroups.guest.cpuUsage();
	const stat = processTimes(run);
	if (!stat) return undefined;
	const [userNs, systemNs] = [BigInt(stat.userNs), BigInt(stat.systemNs)];
	return { usageNs: userNs + systemNs, userNs, systemNs };
}

interface CpuStats {
	readonly perCpu: number;
	readonly params: readonly TypedParam[];
}

function cpuStats(driver: Driver, domain: QemuDomain, startCpu: number, count: number): CpuStats {
	const group = accounted(domain.activeRun());
	if (startCpu === -1) {
		const { usageNs, userNs, systemNs } = group.cpuUsage();
		const params = [
			param.ullong("cpu_time", usageNs),
			param.ullong("user_time", userNs),
			param.ullong("system_time", systemNs),
		];
		return { perCpu: params.length, params };
	}
	const all = driver.host.cpus;
	if (count === 0) return { perCpu: all, params: [] };
	if (startCpu >= all)
		throw new VirtError("INVALID_ARG", `start_cpu ${startCpu} larger than maximum of ${all - 1}`, { domain: "CGROUP" });
	return usageByCpu(group, startCpu, Math.min(all, startCpu + count));
}

function accounted(run: Run): Cgroup {
	if (run.cgroups?.guest.has("cpuacct")) return run.cgroups.guest;
	throw new VirtError("OPERATION_INVALID", "cgroup CPUACCT controller is not mounted");
}

/** v1 alone counts by host CPU (kernel: cgroup-v1/cpuacct.rst). */
function usageByCpu(group: Cgroup, start: number, end: number): CpuStats {
	if (group.place.version !== 1)
		throw new VirtError("OPERATION_UNSUPPORTED", "control groups of version 2 do not tell CPU time by host CPU", {
			domain: "CGROUP",
		});
	const text = readFileSync(join(group.folderOf("cpuacct"), "cpuacct.usage_percpu"), "latin1");
	const usage = text.trim().split(/\s+/);
	return { perCpu: 1, params: usage.slice(start, end).map((ns) => param.ullong("cpu_time", BigInt(ns))) };
}

export const cpuFacts = (driver: Driver): Pick<DomainOperations<QemuDomain>, "cpuStats"> => ({
	cpuStats: (domain, startCpu, count) => cpuStats(driver, domain, startCpu, count),
});
