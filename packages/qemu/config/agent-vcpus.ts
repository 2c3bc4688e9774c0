// Virtual CPUs as the guest itself has them on and off, through its agent.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { AgentVcpu } from "@virtkit/qmp/agent-commands";
import { formatNumberSet } from "@virtkit/xml/bitmap";
import { withAgent } from "../agent/agent.ts";
import { onlineVcpus } from "../defaults/vcpus.ts";
import type { QemuDomain } from "../domain/domain.ts";
import { parseOn, parseVcpus } from "./vcpu-list.ts";

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

/** Lists of the guest's CPUs: those there, those on, those that can be turned off (virDomainGetGuestVcpus). */
async function guestVcpus(domain: QemuDomain): Promise<TypedParam[]> {
	const vcpus = await withAgent(domain, (agent) => agent.execute("guest-get-vcpus"));
	const list = (name: string, has: (vcpu: AgentVcpu) => boolean): TypedParam =>
		param.string(name, formatNumberSet(vcpus.filter(has).map((vcpu) => vcpu["logical-id"])));
	return [
		list("vcpus", () => true),
		list("online", ({ online }) => online),
		list("offlinable", (vcpu) => vcpu["can-offline"] === true),
	];
}

async function setGuestVcpus(domain: QemuDomain, cpus: string, state: number): Promise<void> {
	const online = parseOn(state);
	const wanted = new Set(parseVcpus(cpus));
	await withAgent(domain, async (agent) => {
		const known = new Map((await agent.execute("guest-get-vcpus")).map((vcpu) => [vcpu["logical-id"], vcpu]));
		for (const id of wanted)
			if (!online && known.has(id) && !known.get(id)?.["can-offline"])
				throw new VirtError("OPERATION_UNSUPPORTED", `vCPU '${id}' is not offlinable`);
		const missing = [...wanted].filter((id) => !known.has(id));
		if (missing.length > 0) throw new VirtError("INVALID_ARG", `guest is missing vCPUs '${formatNumberSet(missing)}'`);
		// The guest may change fewer than it was told; each round changes one at least.
		let left = [...wanted].map((id) => ({ "logical-id": id, online }));
		while (left.length > 0) {
			const changed = await agent.execute("guest-set-vcpus", { vcpus: left });
			if (changed <= 0 || changed > left.length)
				throw new VirtError("INTERNAL_ERROR", "guest agent returned malformed or invalid return value");
			left = left.slice(changed);
		}
	});
}

export const guestVcpuOperations: Pick<DomainOperations<QemuDomain>, "guestVcpus" | "setGuestVcpus"> = {
	guestVcpus,
	setGuestVcpus,
};
