// Changes of a running guest's interface: its bridge, its limits, its link. Everything else of it stays; libvirt's rules.

import { isDeepStrictEqual } from "node:util";
import { type ErrorCode, toVirtError, VirtError } from "@virtkit/base/errors";
import { changeLink, isolatePort, linkExists } from "@virtkit/host/net/link";
import type { InterfaceDef } from "@virtkit/model/domain/interface";
import { refuseFilter } from "../lifecycle/host-interfaces.ts";
import { limitInterface } from "../lifecycle/host-traffic.ts";
import type { UpdateContext } from "./entry.ts";

/** Types whose device is a port of a bridge. */
const BRIDGED: ReadonlySet<string> = new Set(["network", "bridge"]);
/** Types that filters of the host can watch. */
const FILTERED: ReadonlySet<string> = new Set(["network", "bridge", "ethernet"]);
/** Types of which nothing can be changed, and that no other can become. */
const FIXED: ReadonlySet<string> = new Set(["hostdev", "vdpa"]);
/** Types of which only the link and what does not concern the host can be changed. */
const UNCHANGEABLE: ReadonlySet<string> = new Set(["vhostuser", "hostdev", "vdpa", "null", "vds"]);

const refuse = (what: string, code: ErrorCode = "OPERATION_UNSUPPORTED"): never => {
	throw new VirtError(code, what);
};

/** What a document may leave out: it is as it was. */
function completed(net: InterfaceDef, wanted: InterfaceDef): InterfaceDef {
	const { rom } = net;
	return {
		...wanted,
		alias: wanted.alias ?? net.alias,
		address: wanted.address ?? net.address,
		boot: wanted.boot ?? net.boot,
		...(rom && { rom: { ...rom, ...definedOf(wanted.rom) } }),
		...(net.target && { target: { ...net.target, ...definedOf(wanted.target) } }),
	} as InterfaceDef;
}

const definedOf = (value: object | undefined): object =>
	Object.fromEntries(Object.entries(value ?? {}).filter(([, part]) => part !== undefined));

/** A comparable form: what is not said, and empty parts, count as not there. */
function plain(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(plain);
	if (typeof value !== "object" || value === null) return value;
	const parts = Object.entries(value)
		.map(([name, part]) => [name, plain(part)] as const)
		.filter(([, part]) => part !== undefined);
	return parts.length === 0 ? undefined : Object.fromEntries(parts);
}

const isSame = (a: unknown, b: unknown): boolean => isDeepStrictEqual(plain(a), plain(b));

/** Options of all virtio devices, which the driver element has besides its own. */
const VIRTIO_OPTIONS = ["iommu", "ats", "packed", "page_per_vq"] as const;

function ownDriver({ driver }: InterfaceDef): object {
	const own: Record<string, unknown> = { ...driver };
	for (const name of VIRTIO_OPTIONS) delete own[name];
	return own;
}

const sharedDriver = ({ driver }: InterfaceDef): unknown[] => VIRTIO_OPTIONS.map((name) => driver?.[name]);

/** Parts that a running guest's interface keeps, with what is said of them. */
const KEPT: readonly (readonly [of: (net: InterfaceDef) => unknown, message: string])[] = [
	[ownDriver, "cannot modify virtio network device driver attributes"],
	[sharedDriver, "cannot modify virtio network device driver options"],
	[({ script }) => script?.path, "cannot modify network device script attribute"],
	[({ target }) => target?.dev, "cannot modify network device tap name"],
	[({ address }) => address, "cannot modify network device guest PCI address"],
	[({ rom }) => rom?.bar, "cannot modify network device rom bar setting"],
	[({ rom }) => rom?.file, "cannot modify network rom file"],
	[({ boot }) => boot?.order, "cannot modify network device boot index setting"],
	[({ rom }) => rom?.enabled, "cannot modify network device rom enabled setting"],
	[({ mtu }) => mtu?.size, "cannot modify MTU"],
];

function refuseOtherDevice(net: InterfaceDef, wanted: InterfaceDef): void {
	if (FIXED.has(net.type)) refuse(`cannot change config of '${net.type}' network interface type`);
	const [mac, newMac] = [net.mac.address, wanted.mac.address];
	if (mac?.toLowerCase() !== newMac?.toLowerCase())
		refuse(`cannot change network interface mac address from ${mac} to ${newMac}`);
	const [model, newModel] = [net.model?.type, wanted.model?.type];
	if (model !== newModel) refuse(`cannot modify network device model from ${model} to ${newModel}`);
	for (const [of, message] of KEPT) if (!isSame(of(net), of(wanted))) refuse(message);
	if (FIXED.has(wanted.type)) refuse(`cannot change network interface type to '${wanted.type}'`);
}

/** Whether the host's side would have to be made anew, which a running guest's cannot. */
function needsReconnection(net: InterfaceDef, wanted: InterfaceDef): boolean {
	if (!isSame(net.tune, wanted.tune)) return true;
	if (net.type !== wanted.type) return !(BRIDGED.has(net.type) && BRIDGED.has(wanted.type));
	const parts = (which: InterfaceDef): unknown => {
		const { address, port, name, dev, mode } = which.source ?? {};
		return [address, port, name, dev, mode, which.virtualport];
	};
	return !isSame(parts(net), parts(wanted));
}

const bridgeOf = ({ type, source }: InterfaceDef): string | undefined =>
	type === "network" ? source?.network : source?.bridge;

const isUp = ({ link }: InterfaceDef): boolean => link?.state !== "down";

/** Moves the host's device to another bridge. */
async function moveToBridge(net: InterfaceDef, wanted: InterfaceDef, { undo }: UpdateContext): Promise<void> {
	// There are no networks yet, so none can be moved to.
	if (wanted.type === "network")
		throw new VirtError("NO_NETWORK", `no network with matching name '${wanted.source?.network}'`, {
			domain: "NETWORK",
		});
	const [from, to, name] = [net.source?.bridge, wanted.source?.bridge, net.target?.dev];
	if (from === undefined || to === undefined || name === undefined)
		return refuse("Missing bridge name", "INTERNAL_ERROR");
	if (!linkExists(to)) refuse(`bridge ${to} doesn't exist`, "OPERATION_FAILED");
	undo.defer("the change of bridge", async () => {
		// A bridge that is gone cannot have its port back.
		await changeLink(name, { master: linkExists(from) ? from : null });
		if (linkExists(from) && net.port?.isolated) await isolatePort(name, true);
	});
	await changeLink(name, { master: to });
	if (wanted.port?.isolated) await isolatePort(name, true);
}

/** One part that can be changed; `replaces`: the definition's interface becomes the wanted one as a whole. */
interface Change {
	readonly of: (net: InterfaceDef) => unknown;
	readonly replaces: boolean;
	carryOut(net: InterfaceDef, wanted: InterfaceDef, context: UpdateContext): Promise<void> | void;
}

const CHANGES: readonly Change[] = [
	{
		of: ({ bandwidth }) => bandwidth,
		replaces: true,
		async carryOut(net, wanted, { undo }) {
			undo.defer("the limits of the interface", () => limitInterface(net));
			await limitInterface(wanted);
		},
	},
	{
		of: (net) => (BRIDGED.has(net.type) ? [net.type, bridgeOf(net)] : undefined),
		replaces: true,
		carryOut: moveToBridge,
	},
	{
		of: ({ port }) => port?.isolated === true,
		replaces: true,
		async carryOut(net, wanted, { undo }) {
			const name = net.target?.dev ?? "";
			// A new bridge has been told already.
			if (bridgeOf(net) !== bridgeOf(wanted)) return;
			undo.defer("the isolation of the port", () => isolatePort(name, net.port?.isolated === true));
			await isolatePort(name, wanted.port?.isolated === true);
		},
	},
	{
		of: ({ filterref }) => filterref,
		replaces: true,
		carryOut(net, wanted) {
			if (!FILTERED.has(wanted.type))
				refuse(`filters not supported on interfaces of type ${wanted.type}`, "CONFIG_UNSUPPORTED");
			try {
				refuseFilter(wanted);
			} catch (cause) {
				const what = `failed to add new filter rules to '${net.target?.dev}': ${toVirtError(cause).message}`;
				throw new VirtError("OPERATION_FAILED", what, { cause });
			}
		},
	},
	{
		of: isUp,
		replaces: false,
		async carryOut(net, wanted, { run, undo }) {
			const { alias: name } = net;
			if (name === undefined) return refuse("device alias not found: cannot set link state", "OPERATION_FAILED");
			undo.defer("the state of the link", async () => {
				await run.monitor.execute("set_link", { name, up: isUp(net) });
			});
			await run.monitor.execute("set_link", { name, up: isUp(wanted) });
		},
	},
	{
		of: ({ vlan }) => vlan,
		replaces: true,
		carryOut: (_, { type }) =>
			refuse(`vlan tags cannot be changed on an interface of type '${type}' without a switch that knows them`),
	},
];

/** Changes the running guest's interface `net` into `wanted`, as far as it can be; the returned one takes its place. */
export async function updateInterface(
	net: InterfaceDef,
	wanted: InterfaceDef,
	context: UpdateContext,
): Promise<InterfaceDef> {
	const changed = completed(net, wanted);
	refuseOtherDevice(net, changed);
	if (net.type === changed.type && UNCHANGEABLE.has(changed.type))
		refuse(`unable to change config on '${changed.type}' network type`);
	if (needsReconnection(net, changed)) refuse(`unable to change config on '${changed.type}' network type`);
	const due = CHANGES.filter(({ of }) => !isSame(of(net), of(changed)));
	for (const { carryOut } of due) await carryOut(net, changed, context);
	if (due.some(({ replaces }) => replaces)) return changed;
	const { link, ...others } = net;
	return changed.link ? { ...others, link: changed.link } : others;
}
