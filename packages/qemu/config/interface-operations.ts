// What a network interface may carry: asked, and changed while the guest runs, in its stored definition, or in both.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { BandwidthDef, RateDef } from "@virtkit/model/domain/bandwidth";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { InterfaceDef } from "@virtkit/model/domain/interface";
import type { QemuDomain } from "../domain/domain.ts";
import { interfaceByName } from "../domain/find-device.ts";
import type { Driver } from "../driver-context.ts";
import { canBeLimited, limitInterface } from "../lifecycle/host-traffic.ts";
import { changeConfig, changeLive, impactOf, oneDefinition } from "./impact.ts";
import { readParameters } from "./read-parameters.ts";

/** VIR_DOMAIN_BANDWIDTH_*, in the order in which libvirt answers them. */
const FIELDS = [
	["inbound.average", "inbound", "average"],
	["inbound.peak", "inbound", "peak"],
	["inbound.burst", "inbound", "burst"],
	["inbound.floor", "inbound", "floor"],
	["outbound.average", "outbound", "average"],
	["outbound.peak", "outbound", "peak"],
	["outbound.burst", "outbound", "burst"],
] as const;

const TYPES = Object.fromEntries(FIELDS.map(([field]) => [field, "uint" as const])) as Record<
	(typeof FIELDS)[number][0],
	"uint"
>;

type Direction = (typeof FIELDS)[number][1];

/** What a client wants of each direction: a rate, none (null), or that it stays as it is. */
type Wish = Readonly<Partial<Record<Direction, RateDef | null>>>;

function neededInterface(def: DomainDef, device: string): InterfaceDef {
	const net = interfaceByName(def, device);
	if (net) return net;
	throw new VirtError("INVALID_ARG", `'${device}' is not a known interface`, { domain: "DOMAIN" });
}

function interfaceParameters(domain: QemuDomain, device: string, flags: number): TypedParam[] {
	const { def } = oneDefinition(domain, flags);
	// A client that only asks how many there are names no interface.
	const bandwidth = device === "" ? undefined : neededInterface(def, device).bandwidth;
	return FIELDS.map(([field, direction, name]) => param.uint(field, bandwidth?.[direction]?.[name] ?? 0));
}

/** An average or a floor makes a rate; said to be 0, it takes the direction's limit away. */
function readWish(params: readonly TypedParam[]): Wish {
	const rates: Record<Direction, RateDef> = { inbound: {}, outbound: {} };
	const given = readParameters(params, TYPES);
	for (const [field, direction, name] of FIELDS) {
		const value = Number(given.get(field) ?? 0);
		if (value > 0) rates[direction][name] = value;
	}
	const isSaid = (direction: Direction): boolean =>
		given.has(`${direction}.average`) || (direction === "inbound" && given.has("inbound.floor"));
	const wish: { -readonly [D in keyof Wish]: Wish[D] } = {};
	for (const direction of ["inbound", "outbound"] as const) {
		const { average, floor } = rates[direction];
		if (average || floor) wish[direction] = rates[direction];
		else if (isSaid(direction)) wish[direction] = null;
	}
	return wish;
}

/** The interface with the wish in it. */
function withWish(net: InterfaceDef, wish: Wish): InterfaceDef {
	const bandwidth: BandwidthDef = { ...net.bandwidth };
	for (const [direction, rate] of Object.entries(wish) as [Direction, RateDef | null][])
		if (rate === null) delete bandwidth[direction];
		else bandwidth[direction] = { ...rate };
	const { bandwidth: _, ...others } = net;
	return bandwidth.inbound || bandwidth.outbound ? { ...others, bandwidth } : others;
}

function refuseUnlimited(net: InterfaceDef): void {
	if (!canBeLimited(net))
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`setting bandwidth on interfaces of type '${net.type}' is not implemented yet`,
		);
}

function refuseFloor({ type, mac }: InterfaceDef, wish: Wish): void {
	if (type !== "network" && wish.inbound?.floor)
		throw new VirtError(
			"OPERATION_UNSUPPORTED",
			`Invalid use of 'floor' on interface with MAC address ${mac.address} - 'floor' is only supported for interface type 'network' with forward type 'nat', 'route', 'open' or none`,
		);
}

async function setInterfaceParameters(
	driver: Driver,
	domain: QemuDomain,
	device: string,
	params: readonly TypedParam[],
	flags: number,
): Promise<void> {
	const wish = readWish(params);
	const { run, config } = impactOf(domain, flags);
	const net = run && neededInterface(run.live.def, device);
	const stored = config ? neededInterface(domain.config.def, device) : undefined;
	for (const one of [net, stored]) if (one) refuseUnlimited(one);
	for (const one of [net, stored]) if (one) refuseFloor(one, wish);
	if (run && net) {
		await limitLive(net, withWish(net, wish));
		changeLive(driver, domain, run, (def) => replaceWith(def, device, wish));
	}
	if (config) await changeConfig(driver, domain, (def) => replaceWith(def, device, wish));
}

/** Limits the running guest's interface; where that fails, it has its old limits again. */
async function limitLive(net: InterfaceDef, wanted: InterfaceDef): Promise<void> {
	try {
		await limitInterface(wanted);
	} catch (error) {
		await limitInterface(net).catch(() => undefined);
		throw error;
	}
}

function replaceWith(def: DomainDef, device: string, wish: Wish): void {
	const net = neededInterface(def, device);
	const { bandwidth } = withWish(net, wish);
	if (bandwidth) net.bandwidth = bandwidth;
	else delete net.bandwidth;
}

export const interfaceOperations = (
	driver: Driver,
): Pick<DomainOperations<QemuDomain>, "interfaceParameters" | "setInterfaceParameters"> => ({
	interfaceParameters: (domain, device, flags) => interfaceParameters(domain, device, flags),
	setInterfaceParameters: (domain, device, params, flags) =>
		setInterfaceParameters(driver, domain, device, params, flags),
});
