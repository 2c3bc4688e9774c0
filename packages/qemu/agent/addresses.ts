// Addresses of the guest's network interfaces: as its agent tells them, or as the host's neighbour table has them.

import { VirtError } from "@virtkit/base/errors";
import type { CallContext, GuestInterface } from "@virtkit/core/domain-operations";
import { checkWritable } from "@virtkit/core/invoke";
import { listNeighbours } from "@virtkit/host/net/neighbours";
import type { GuestAgent } from "@virtkit/qmp/guest-agent";
import type { QemuDomain } from "../domain/domain.ts";
import { withAgent } from "./agent.ts";
import { type AgentObject, agentObjects } from "./answer.ts";

/** virDomainInterfaceAddressesSource. */
const SOURCE = { lease: 0, agent: 1, arp: 2 } as const;

type Address = GuestInterface["addresses"][number];

/** The interfaces that the agent tells of; aliases (`eth0:1`) are one with what they are aliases of. */
export async function askInterfaces(agent: GuestAgent, { signal }: CallContext): Promise<GuestInterface[]> {
	const command = "guest-network-get-interfaces";
	const answer = await agent.executeUntyped(command, undefined, { signal });
	const found = new Map<string, GuestInterface & { addresses: Address[] }>();
	for (const entry of agentObjects(command, answer)) {
		const [name = ""] = entry.text("name").split(":");
		const known = found.get(name) ?? { name, mac: entry.textIfAny("hardware-address"), addresses: [] };
		found.set(name, known);
		if (entry.has("ip-addresses")) known.addresses.push(...entry.objects("ip-addresses").map(readAddress));
	}
	return [...found.values()];
}

function readAddress(found: AgentObject): Address {
	const family = found.text("ip-address-type");
	if (family !== "ipv4" && family !== "ipv6")
		throw new VirtError("INTERNAL_ERROR", `unknown ip address type '${family}'`);
	return { family, address: found.text("ip-address"), prefix: found.integer("prefix") };
}

/** One entry an address, as libvirt has it; the table knows no prefixes. */
async function fromNeighbours(domain: QemuDomain): Promise<GuestInterface[]> {
	const { interfaces } = domain.activeRun().live.def.devices;
	const neighbours = await listNeighbours();
	return interfaces.flatMap(({ mac, target }) => {
		const own = mac.address?.toLowerCase();
		if (own === undefined) return [];
		return neighbours
			.filter((neighbour) => neighbour.mac === own)
			.map(({ address }) => ({
				name: target?.dev ?? "",
				mac: own,
				addresses: [{ family: "ipv4" as const, address, prefix: 0 }],
			}));
	});
}

/** Only virtual networks lease addresses, and there is no driver of those: whatever is on one cannot be told of. */
function fromLeases(domain: QemuDomain): GuestInterface[] {
	const { interfaces } = domain.activeRun().live.def.devices;
	if (interfaces.some(({ type }) => type === "network")) throw new VirtError("NO_CONNECT", "network:///system");
	return [];
}

/** Addresses by `source`. */
export async function interfaceAddresses(
	domain: QemuDomain,
	source: number,
	_flags: number,
	context: CallContext,
): Promise<readonly GuestInterface[]> {
	if (source === SOURCE.agent) {
		checkWritable("virDomainInterfaceAddresses", context);
		return await withAgent(domain, (agent) => askInterfaces(agent, context));
	}
	if (source === SOURCE.arp) return await fromNeighbours(domain);
	if (source === SOURCE.lease) return fromLeases(domain);
	throw new VirtError("ARGUMENT_UNSUPPORTED", `Unknown IP address data source ${source}`);
}
