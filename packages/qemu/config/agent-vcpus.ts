// Virtual CPUs as the guest itself has them on and off, through its agent.

import { VirtError } from "@virtkit/base/errors";
import type { AgentVcpu } from "@virtkit/qmp/agent-commands";
import { withAgent } from "../agent/agent.ts";
import { onlineVcpus } from "../defaults/vcpus.ts";
import type { QemuDomain } from "../domain/domain.ts";

/** All CPUs that the guest knows, or those that it has on. */
export async function countAgentVcpus(domain: QemuDomain, all: boolean): Promise<number> {
	const vcpus = await withAgent(domain, (agent) => agent.execute("guest-get-vcpus"));
	return all ? vcpus.length : vcpus.filter(({ online }) => online).length;
}

/** Has the guest turn CPUs on or off until that many are on. */
export async function setAgentVcpus(domain: QemuDomain, count: number): Promise<void> {
	const enabled = onlineVcpus(domain.activeRun().live.def);
	if (count > enabled)
		throw new VirtError(
			"INVALID_ARG",
			`requested vcpu count is greater than the count of enabled vcpus in the domain: ${count} > ${enabled}`,
		);
	// The guest may change fewer than it was told, so that there are more rounds; each changes one at least.
	for (;;) {
		const vcpus = await withAgent(domain, (agent) => agent.execute("guest-get-vcpus"));
		const changes = planVcpus(vcpus, count);
		if (changes.length === 0) return;
		const changed = await withAgent(domain, (agent) => agent.execute("guest-set-vcpus", { vcpus: changes }));
		if (changed <= 0 || changed > changes.length)
			throw new VirtError("INTERNAL_ERROR", "guest agent returned malformed or invalid return value");
		if (changed === changes.length) return;
	}
}

/** Which CPUs to turn on or off so that `count` are on. Throws where the guest cannot do it. */
export function planVcpus(vcpus: readonly AgentVcpu[], count: number): AgentVcpu[] {
	const online = vcpus.filter((vcpu) => vcpu.online);
	if (vcpus.some((vcpu) => !vcpu.online && !vcpu["can-offline"]))
		throw new VirtError("INTERNAL_ERROR", "Invalid data provided by guest agent");
	if (count > vcpus.length) throw new VirtError("INTERNAL_ERROR", "guest agent reports less cpu than requested");
	const plug = vcpus.filter((vcpu) => !vcpu.online).slice(0, Math.max(0, count - online.length));
	const unplug = unpluggable(online).slice(0, Math.max(0, online.length - count));
	if (online.length - unplug.length > count) throw new VirtError("INVALID_ARG", "Cannot offline enough CPUs");
	return [...plug, ...unplug].map((vcpu) => ({ "logical-id": vcpu["logical-id"], online: !vcpu.online }));
}

/** Linux may say that CPU 0 can be turned off, and yet suspends badly without it: it stays, as the last one. */
function unpluggable(online: readonly AgentVcpu[]): AgentVcpu[] {
	const found = online.filter((vcpu) => vcpu["can-offline"]);
	return found.length === online.length ? found.filter((vcpu) => vcpu["logical-id"] !== 0) : found;
}
