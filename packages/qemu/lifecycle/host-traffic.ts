// What a guest's interface may carry, as limits of the host's device behind it.

import { VirtError } from "@virtkit/base/errors";
import { limitTraffic, type TrafficLimits, unlimitTraffic, unqueue } from "@virtkit/host/net/traffic-limit";
import type { InterfaceDef } from "@virtkit/model/domain/interface";

/** Types that are a network interface of the host, which can be limited (virNetDevSupportsBandwidth). */
const LIMITED: ReadonlySet<InterfaceDef["type"]> = new Set(["network", "bridge", "direct", "ethernet"]);

export const canBeLimited = ({ type }: Pick<InterfaceDef, "type">): boolean => LIMITED.has(type);

/** The definition's limits as the host sees them. */
function limitsOf({ type, bandwidth }: InterfaceDef): TrafficLimits {
	const { inbound, outbound } = bandwidth ?? {};
	const toGuest = inbound?.average ? { ...inbound, average: inbound.average } : undefined;
	const fromGuest = outbound?.average ? { ...outbound, average: outbound.average } : undefined;
	// The other end of a tap is the guest; macvtap is the guest's own interface, seen from the same side.
	return type === "direct" ? { sent: fromGuest, received: toGuest } : { sent: toGuest, received: fromGuest };
}

const isLimited = ({ sent, received }: TrafficLimits): boolean => sent !== undefined || received !== undefined;

/**
 * Limits the device behind the interface, which was just made, as the definition says.
 *
 * @throws VirtError OPERATION_UNSUPPORTED for another user than root, INTERNAL_ERROR for limits that this host cannot have.
 */
export async function limitNewInterface(net: InterfaceDef): Promise<void> {
	const name = net.target?.dev;
	if (name === undefined || !canBeLimited(net)) return;
	if (isLimited(limitsOf(net))) await limitInterface(net);
	else if (process.geteuid?.() === 0 && net.target?.managed !== false) await unqueue(name);
}

/** Gives the device behind a running guest's interface the definition's limits, in place of those it had. */
export async function limitInterface(net: InterfaceDef): Promise<void> {
	if (process.geteuid?.() !== 0)
		throw new VirtError("OPERATION_UNSUPPORTED", "Network bandwidth tuning is not available in session mode");
	const name = net.target?.dev;
	if (name === undefined && !isLimited(limitsOf(net))) return;
	if (name === undefined)
		throw new VirtError(
			"OPERATION_UNSUPPORTED",
			"Unable to set bandwidth for interface because device name is unknown",
		);
	await limitTraffic(name, limitsOf(net));
}

/** Takes the limits away of a device that stays when the guest goes. */
export async function unlimitInterface(net: InterfaceDef): Promise<void> {
	const stays = net.target?.managed === false && net.target.dev !== undefined;
	if (stays && isLimited(limitsOf(net))) await unlimitTraffic(net.target?.dev ?? "");
}
