// What can be told of a domain at once: its state, its size, what it is.

import type { DomainOperations } from "@virtkit/core/domain-operations";
import { DOMAIN_STATE } from "@virtkit/core/domain-state";
import type { QemuDomain } from "../domain/domain.ts";
import { processTimes } from "./process-times.ts";

/** virDomainControlState. */
const CONTROL = { ok: 0, job: 1, occupied: 2, error: 3 } as const;

type StateOperations = Pick<
	DomainOperations<QemuDomain>,
	"info" | "state" | "isPersistent" | "isUpdated" | "controlInfo" | "osType" | "maxMemory" | "maxVcpus"
>;

export const stateOperations: StateOperations = {
	info: (domain) => {
		const { maxMemory, memory, vcpus } = domain.figures;
		return {
			state: DOMAIN_STATE[domain.stateName],
			maxMemory: BigInt(maxMemory),
			memory: BigInt(memory),
			vcpus,
			cpuTime: cpuTimeOf(domain),
		};
	},
	state: (domain) => domain.state,
	isPersistent: (domain) => domain.persistent,
	// As libvirtd answers, whatever is changed and wherever: none of libvirt's drivers ever notes a change.
	isUpdated: () => false,
	controlInfo: (domain) => {
		const { lock, run } = domain;
		if (run?.connected && run.monitor.loss) return { state: CONTROL.error, details: 0, stateTime: 0n };
		if (lock.free) return { state: CONTROL.ok, details: 0, stateTime: 0n };
		return { state: lock.asyncJob ? CONTROL.job : CONTROL.occupied, details: 0, stateTime: 0n };
	},
	osType: (domain) => domain.figures.osType,
	maxMemory: (domain) => BigInt(domain.figures.maxMemory),
	maxVcpus: (domain) => domain.figures.maxVcpus,
};

/** CPU time of the guest's process in nanoseconds; 0 where it has none. */
export function cpuTimeOf({ run }: QemuDomain): bigint {
	const times = run && processTimes(run);
	return times === undefined ? 0n : BigInt(times.userNs + times.systemNs);
}
